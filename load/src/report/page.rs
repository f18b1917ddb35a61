//! A report as one HTML file that needs nothing else: no script, no font, no network. Whatever was measured or told is
//! escaped, for a server under test may answer anything.

use std::fmt::Write;
use std::path::Path;

use super::chart::{Axes, Chart, LINES_MAX, Line};
use super::latency::{Latency, QUANTILES};
use super::series::Point;
use super::table::{self, Table};
use super::{Report, machine, readable};
use crate::cli::Common;
use crate::error::Error;

const STYLE: &str = include_str!("page.css");
/// Intervals in a drawing: with more, each would hold too little for percentiles.
const POINTS_MAX: usize = 150;
/// Nothing may be loaded or run, whatever gets into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Writes the page. `resources` are the charts of the whole run.
pub(crate) fn write(path: &Path, common: &Common, report: &Report, resources: &[Chart]) -> Result<(), Error> {
    let page = page(&machine::facts(common), report, resources);
    Ok(std::fs::write(path, page)?)
}

// Throughout: writing to a String cannot fail.
fn page(facts: &[(&str, String)], report: &Report, resources: &[Chart]) -> String {
    let mut out = String::with_capacity(1 << 16);
    let (passed, failed) = report.counts();
    let title = escaped(&report.title);
    let _ = write!(
        out,
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{title}</title><style>{STYLE}</style></head><body>"#
    );
    let (class, word) = if report.passed() { ("good", "passed") } else { ("bad", "VIOLATED") };
    let _ = write!(out, r#"<header><h1>{title}</h1><span class="mark {class}">{word}</span>"#);
    let _ = write!(out, r#"<span class="soft">{passed} checks passed, {failed} failed</span></header>"#);
    table(&mut out, facts.iter().map(|(name, value)| (*name, value.clone())));
    section(&mut out, report, resources);
    for part in &report.parts {
        part_of(&mut out, part);
    }
    out.push_str("</body></html>\n");
    out
}

fn part_of(out: &mut String, part: &Report) {
    let _ = write!(out, "<h2>{}</h2>", escaped(&part.title));
    section(out, part, &[]);
    part.parts.iter().for_each(|inner| part_of(out, inner));
}

fn section(out: &mut String, report: &Report, resources: &[Chart]) {
    if !report.figures.is_empty() {
        table(out, report.figures.iter().map(|(name, value)| (name.as_str(), readable(value))));
    }
    report.table.iter().for_each(|table| side_by_side(out, table));
    verdict(out, report);
    latencies(out, report);
    let own = latency_charts(report);
    charts(out, report.charts.iter().chain(resources).chain(&own));
}

fn table<'a>(out: &mut String, rows: impl Iterator<Item = (&'a str, String)>) {
    out.push_str(r#"<div class="card"><table class="facts">"#);
    for (name, value) in rows {
        let _ = write!(out, "<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(&value));
    }
    out.push_str("</table></div>");
}

fn side_by_side(out: &mut String, table: &Table) {
    out.push_str(r#"<div class="card"><table class="numbers"><thead><tr><th></th>"#);
    for head in &table.heads {
        let _ = write!(out, "<th>{}</th>", escaped(head).replace('\n', "<br>"));
    }
    out.push_str("</tr></thead>");
    for (name, cells) in &table.rows {
        let _ = write!(out, "<tr><td>{}</td>", escaped(name));
        for cell in cells {
            let _ = write!(out, "<td>{}</td>", escaped(&table::shown(cell)));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div>");
}

fn verdict(out: &mut String, report: &Report) {
    if report.verdict.checks().is_empty() {
        return;
    }
    out.push_str(r#"<div class="card"><h3>Verdict</h3><table>"#);
    for check in report.verdict.checks() {
        let (class, word) = if check.passed() { ("good", "ok") } else { ("bad", "FAIL") };
        let _ = write!(out, r#"<tr><td class="word {class}">{word}</td><td>{}"#, escaped(check.name));
        for words in &check.problems.examples {
            let _ = write!(out, r#"<div class="soft found">{}</div>"#, escaped(words));
        }
        let _ = write!(out, r#"</td><td class="soft">{}</td></tr>"#, escaped(&check.found()));
    }
    out.push_str("</table></div>");
}

fn latencies(out: &mut String, report: &Report) {
    let measured: Vec<&(String, Latency)> = report.latencies.iter().filter(|(_, latency)| latency.count() > 0).collect();
    if measured.is_empty() {
        return;
    }
    out.push_str(r#"<div class="card"><table class="numbers"><thead><tr><th>latency, ms</th><th>count</th>"#);
    for (_, name) in QUANTILES {
        let _ = write!(out, "<th>{}</th>", name.replace('_', "."));
    }
    out.push_str("<th>max</th></tr></thead>");
    for (name, latency) in measured {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td>", escaped(name), latency.count());
        for (quantile, _) in QUANTILES {
            let _ = write!(out, "<td>{:.2}</td>", latency.quantile_ms(quantile));
        }
        let _ = write!(out, "<td>{:.2}</td></tr>", latency.max_ms());
    }
    out.push_str("</table></div>");
}

/// All percentiles, all rates, then of each kind its course.
fn latency_charts(report: &Report) -> Vec<Chart> {
    let (mut charts, mut courses) = (Vec::new(), Vec::new());
    let (mut rates, mut curves) = (Vec::new(), Vec::new());
    for (name, latency) in report.latencies.iter().filter(|(_, latency)| latency.count() > 0) {
        let points = latency.series().points(POINTS_MAX);
        if points.len() > 2 {
            let line =
                |of: &str, value: fn(&Point) -> f64| Line { name: of.into(), points: points.iter().map(|p| (p.at_s, value(p))).collect() };
            let lines = vec![line("p50", |p| p.p50_ms), line("p99", |p| p.p99_ms), line("max", |p| p.max_ms)];
            courses.push(Chart { title: format!("{name}: ms over time"), axes: Axes::TimeLog, lines });
            rates.push(Line { name: name.clone(), points: points.iter().map(|p| (p.at_s, p.per_s)).collect() });
        }
        // Fewer than a hundred have no tail to draw.
        if latency.count() >= 100 {
            curves.push(Line { name: name.clone(), points: latency.curve() });
        }
    }
    let in_groups = |title: &str, axes: Axes, lines: Vec<Line>, charts: &mut Vec<Chart>| {
        let mut lines = lines.into_iter().peekable();
        while lines.peek().is_some() {
            charts.push(Chart { title: title.into(), axes, lines: lines.by_ref().take(LINES_MAX).collect() });
        }
    };
    in_groups("percentiles, ms", Axes::Quantiles, curves, &mut charts);
    in_groups("throughput, per s", Axes::Time, rates, &mut charts);
    charts.extend(courses);
    charts
}

fn charts<'a>(out: &mut String, charts: impl Iterator<Item = &'a Chart>) {
    let mut charts = charts.filter(|chart| !chart.is_empty()).peekable();
    if charts.peek().is_none() {
        return;
    }
    out.push_str(r#"<div class="charts">"#);
    for chart in charts {
        let _ = write!(out, r#"<div class="card"><h3>{}</h3>{}<div class="legend">"#, escaped(&chart.title), chart.svg());
        for (n, line) in chart.lines.iter().enumerate().take(LINES_MAX) {
            let _ = write!(out, r#"<span><span class="key c{n}"></span>{}</span>"#, escaped(&line.name));
        }
        out.push_str("</div></div>");
    }
    out.push_str("</div>");
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Check;
    use std::time::Duration;

    const EVIL: &str = r#"<script>alert("x")</script><img src='x'>&"#;

    #[test]
    fn whatever_a_server_answers_stays_text() {
        let mut report = Report::new(EVIL);
        report.figure(EVIL, EVIL);
        let mut latency = Latency::new();
        (0..200).for_each(|ms| latency.record(Duration::from_millis(ms)));
        report.latency(EVIL, latency);
        let mut check = Check::new("a check");
        check.problems.add(|| EVIL.into());
        report.verdict.add([check]);
        report.charts.push(Chart::over_time(EVIL, vec![Line { name: EVIL.into(), points: vec![(0.0, 1.0), (1.0, 2.0)] }]));
        report.table = Some(Table { heads: vec![EVIL], rows: vec![(EVIL.into(), vec![EVIL.into()])] });
        report.parts.push(Report::new(EVIL));
        let page = page(&[("command", EVIL.into())], &report, &[]);
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("src='"), "{page}");
        assert!(page.matches("&lt;script&gt;").count() >= 11);
    }

    #[test]
    fn a_page_needs_nothing_but_itself() {
        let page = page(&[], &Report::new("t"), &[]);
        for forbidden in ["http://", "https://", "url(", "@import", "<link", "src="] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
}
