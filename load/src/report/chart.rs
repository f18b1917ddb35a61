//! Lines over time, or over percentiles, as SVG. Colours come from the page, so that they fit its light or dark.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// More than the drawing has pixels would not be seen.
const POINTS_MAX: usize = 600;
/// A pause so many times as long as the usual distance of two points is a gap.
const GAP_TIMES: f64 = 4.0;
/// As many as the page has colours.
pub(super) const LINES_MAX: usize = 8;

pub(crate) struct Line {
    pub(crate) name: String,
    /// By ascending x.
    pub(crate) points: Vec<(f64, f64)>,
}

pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) axes: Axes,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Axes {
    /// Seconds against something from 0 upward.
    Time,
    /// Seconds against a logarithmic scale.
    TimeLog,
    /// Quantiles, spread by their distance from 1, against a logarithmic scale.
    Quantiles,
}

struct Span {
    least: f64,
    most: f64,
}

impl Span {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        values.filter(|v| v.is_finite()).fold(None, |span: Option<Self>, v| {
            Some(span.map_or(Self { least: v, most: v }, |s| Self { least: s.least.min(v), most: s.most.max(v) }))
        })
    }

    fn share(&self, value: f64) -> f64 {
        if self.most > self.least { (value - self.least) / (self.most - self.least) } else { 0.5 }
    }
}

impl Chart {
    pub(crate) fn over_time(title: impl Into<String>, lines: Vec<Line>) -> Self {
        Self { title: title.into(), axes: Axes::Time, lines }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.points.is_empty())
    }

    /// The drawing without its title and legend; empty when there is nothing to draw.
    pub(super) fn svg(&self) -> String {
        let drawn = |line: &Line| -> Vec<(f64, f64)> {
            let finite: Vec<_> = line.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
            thin(&finite).into_iter().map(|(x, y)| (x, self.height_of(y))).collect()
        };
        let lines: Vec<Vec<(f64, f64)>> = self.lines.iter().take(LINES_MAX).map(drawn).collect();
        let all = || lines.iter().flatten();
        let (Some(x), Some(y)) = (Span::of(all().map(|p| p.0)), Span::of(all().map(|p| p.1))) else { return String::new() };
        let (x_ticks, y_ticks) = (self.x_ticks(&x), self.y_ticks(&y));
        let x = if self.axes == Axes::Quantiles { Span { least: 0.0, most: x.most.max(2.0) } } else { x };
        let y = Span { least: y_ticks.first().map_or(y.least, |t| t.0), most: y_ticks.last().map_or(y.most, |t| t.0) };
        let at_x = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
        let at_y = |value: f64| TOP + (1.0 - y.share(value)) * (HEIGHT - TOP - BOTTOM);

        // Writing to a String cannot fail.
        let mut svg = String::new();
        let _ = write!(svg, r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">"#);
        for (value, label) in &y_ticks {
            let at = at_y(*value);
            let (end, below) = (WIDTH - RIGHT, at + 4.0);
            let _ = write!(svg, r#"<path class="grid" d="M{LEFT} {at:.1}H{end}"/>"#);
            let _ = write!(svg, r#"<text x="{}" y="{below:.1}" text-anchor="end">{label}</text>"#, LEFT - 6.0);
        }
        for (value, label) in x_ticks.iter().filter(|(value, _)| (0.0..=1.0).contains(&x.share(*value))) {
            let at = at_x(*value);
            let _ = write!(svg, r#"<text x="{at:.1}" y="{}" text-anchor="middle">{label}</text>"#, HEIGHT - 8.0);
        }
        let floor = HEIGHT - BOTTOM;
        let _ = write!(svg, r#"<path class="axis" d="M{LEFT} {floor}H{}"/>"#, WIDTH - RIGHT);
        for (n, line) in lines.iter().enumerate() {
            for piece in self.pieces(line) {
                match piece {
                    // A line of one point has no length.
                    [(at, value)] => {
                        let _ = write!(svg, r#"<circle class="dot c{n}" cx="{:.1}" cy="{:.1}" r="2"/>"#, at_x(*at), at_y(*value));
                    }
                    many => {
                        let points: Vec<String> = many.iter().map(|&(at, value)| format!("{:.1},{:.1}", at_x(at), at_y(value))).collect();
                        let _ = write!(svg, r#"<polyline class="line c{n}" points="{}"/>"#, points.join(" "));
                    }
                }
            }
        }
        svg.push_str("</svg>");
        svg
    }

    /// Where nothing was measured for long, nothing is drawn.
    fn pieces<'a>(&self, line: &'a [(f64, f64)]) -> impl Iterator<Item = &'a [(f64, f64)]> {
        let usual = match (line.first(), line.last()) {
            (Some(first), Some(last)) if self.axes != Axes::Quantiles => (last.0 - first.0) / line.len() as f64,
            _ => f64::INFINITY,
        };
        line.chunk_by(move |a, b| b.0 - a.0 <= GAP_TIMES * usual)
    }

    fn height_of(&self, value: f64) -> f64 {
        if self.axes == Axes::Time { value } else { value.max(1e-3).log10() }
    }

    fn x_ticks(&self, x: &Span) -> Vec<(f64, String)> {
        if self.axes == Axes::Quantiles {
            let label = |nines: u32| match nines {
                0 => "0".to_owned(),
                1 => "90 %".to_owned(),
                2 => "99 %".to_owned(),
                n => format!("99.{} %", "9".repeat(n as usize - 2)),
            };
            return (0..=x.most.max(2.0) as u32).map(|nines| (f64::from(nines), label(nines))).collect();
        }
        let (unit_s, unit) = match x.most - x.least {
            long if long > 3.0 * 3600.0 => (3600.0, "h"),
            long if long > 180.0 => (60.0, "min"),
            _ => (1.0, "s"),
        };
        let ticks = steps(x.least / unit_s, x.most / unit_s, 8.0);
        ticks.into_iter().map(|value| (value * unit_s, format!("{} {unit}", number(value)))).collect()
    }

    fn y_ticks(&self, y: &Span) -> Vec<(f64, String)> {
        if self.axes == Axes::Time {
            let mut ticks = steps(0.0, y.most.max(1e-6), 5.0);
            let step = ticks.get(1).copied().unwrap_or(1.0);
            if ticks.last().is_none_or(|&last| last < y.most) {
                ticks.push(ticks.len() as f64 * step);
            }
            return ticks.into_iter().map(|value| (value, number(value))).collect();
        }
        let (least, most) = (y.least.floor() as i32, y.most.ceil() as i32);
        let most = most.max(least + 1);
        (least..=most).map(|power| (f64::from(power), number(10_f64.powi(power)))).collect()
    }
}

/// Round numbers from `least` to `most`, about so many.
fn steps(least: f64, most: f64, wanted: f64) -> Vec<f64> {
    let raw = ((most - least) / wanted).max(1e-9);
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|&step| step >= raw).unwrap_or(raw);
    let (first, last) = ((least / step).ceil() as i64, (most / step).floor() as i64);
    (first..=last).map(|n| n as f64 * step).collect()
}

fn number(value: f64) -> String {
    let text = match value.abs() {
        large if large >= 1e6 => format!("{} M", (value / 1e5).round() / 10.0),
        large if large >= 1e4 => format!("{} k", (value / 1e2).round() / 10.0),
        _ => format!("{}", (value * 1e4).round() / 1e4),
    };
    text.replace('-', "\u{2212}")
}

/// The largest of each few neighbours: a peak must not get lost.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let few = points.len().div_ceil(POINTS_MAX).max(1);
    let highest = |some: &[(f64, f64)]| some.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    points.chunks(few).filter_map(highest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(axes: Axes, points: Vec<(f64, f64)>) -> Chart {
        Chart { title: "t".into(), axes, lines: vec![Line { name: "n".into(), points }] }
    }

    #[test]
    fn ticks_are_round_numbers_that_cover_the_values() {
        assert_eq!(steps(0.0, 10.0, 5.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let ticks = chart(Axes::Time, vec![]).y_ticks(&Span { least: 3.0, most: 9.1 });
        assert!(ticks.last().is_some_and(|(most, _)| *most >= 9.1));
        assert_eq!(number(1_600_000.0), "1.6 M");
        assert_eq!(number(0.01), "0.01");
    }

    #[test]
    fn a_peak_survives_thinning() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|n| (f64::from(n), 1.0)).collect();
        points[4_321].1 = 99.0;
        let few = thin(&points);
        assert!(few.len() <= POINTS_MAX);
        assert!(few.iter().any(|point| point.1 == 99.0));
    }

    #[test]
    fn a_pause_is_a_gap_in_the_line() {
        let points: Vec<(f64, f64)> = (0..20).chain(60..80).map(|n| (f64::from(n), 1.0)).collect();
        let svg = chart(Axes::Time, points).svg();
        assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
    }

    #[test]
    fn nothing_infinite_gets_into_a_drawing() {
        for axes in [Axes::Time, Axes::TimeLog, Axes::Quantiles] {
            for points in [vec![(1.0, 0.0)], vec![(1.0, 5.0), (1.0, 5.0)], vec![(0.0, f64::NAN), (1.0, 2.0)]] {
                let svg = chart(axes, points).svg();
                assert!(!svg.contains("inf") && !svg.contains("NaN"), "{svg}");
            }
            assert_eq!(chart(axes, vec![]).svg(), "");
        }
    }
}
