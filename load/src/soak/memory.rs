//! Is the server's memory flat? A straight line through it, after a time to warm up.

use crate::check::Check;
use crate::report::{Chart, Line, Report, rounded, seconds_now};

const PERCENT_MAX: f64 = 5.0;
/// Of the samples: caches fill, pools open, the allocator finds its shape.
const WARM_UP: f64 = 0.25;
/// What warms up takes minutes, and a shorter run sees nothing else.
const JUDGED_FROM_S: f64 = 300.0;

/// Resident memory over time: (seconds, kB).
#[derive(Default)]
pub(super) struct Memory {
    samples: Vec<(f64, f64)>,
}

/// The line through the samples that count.
#[derive(Debug)]
struct Fit {
    from_s: f64,
    to_s: f64,
    mean_kb: f64,
    kb_per_s: f64,
}

impl Fit {
    fn of(samples: &[(f64, f64)]) -> Option<Self> {
        let (&(begun, _), &(ended, _)) = (samples.first()?, samples.last()?);
        let warm = begun + (ended - begun) * WARM_UP;
        let counted: Vec<(f64, f64)> = samples.iter().copied().filter(|(at, _)| *at >= warm).collect();
        if ended - begun < JUDGED_FROM_S {
            return None;
        }
        let n = counted.len() as f64;
        let (mean_s, mean_kb) = (counted.iter().map(|s| s.0).sum::<f64>() / n, counted.iter().map(|s| s.1).sum::<f64>() / n);
        let spread: f64 = counted.iter().map(|s| (s.0 - mean_s).powi(2)).sum();
        let along: f64 = counted.iter().map(|s| (s.0 - mean_s) * (s.1 - mean_kb)).sum();
        Some(Self { from_s: counted[0].0, to_s: ended, mean_kb, kb_per_s: along / spread.max(f64::MIN_POSITIVE) })
    }

    fn rise_kb(&self) -> f64 {
        self.kb_per_s * (self.to_s - self.from_s)
    }

    fn at(&self, seconds: f64) -> f64 {
        self.mean_kb + self.kb_per_s * (seconds - (self.from_s + self.to_s) / 2.0)
    }
}

impl Memory {
    pub(super) fn add(&mut self, kb: u64) {
        self.samples.push((seconds_now(), kb as f64));
    }

    /// Figures, a drawing, and the check; nothing for a server whose process is out of sight.
    pub(super) fn tell(&self, report: &mut Report, floor_kb: u64) {
        if self.samples.is_empty() {
            report.figure("server memory", "not measured: --server-pid is missing");
            return;
        }
        let line = |name: &str, points: Vec<(f64, f64)>| Line { name: name.into(), points };
        let mut lines = vec![line("measured", self.samples.iter().map(|&(at, kb)| (at, kb / 1024.0)).collect())];
        let of = |at: usize| self.samples.get(at).map_or(0.0, |sample| sample.1);
        report.figure("RSS at the beginning kB", of(0));
        report.figure("RSS at the end kB", of(self.samples.len() - 1));
        match Fit::of(&self.samples) {
            None => report.figure("server memory", "not judged: a run of less than five minutes sees only how it warms up"),
            Some(fit) => {
                let mut check =
                    Check::new("the server's memory is flat: after a quarter of the run it rises by less than 5 %, or the floor");
                let limit_kb = (fit.mean_kb * PERCENT_MAX / 100.0).max(floor_kb as f64);
                report.figure("RSS on average after the first quarter kB", fit.mean_kb.round());
                report.figure("RSS fitted rise over that time kB", rounded(fit.rise_kb()));
                report.figure("RSS fitted rise kB per hour", rounded(fit.kb_per_s * 3_600.0));
                report.figure("RSS rise allowed kB", limit_kb.round());
                check.seen = self.samples.len() as u64;
                if fit.rise_kb() > limit_kb {
                    let (rise, over) = (fit.rise_kb(), fit.to_s - fit.from_s);
                    check
                        .problems
                        .add(|| format!("{rise:.0} kB within {over:.0} s, around {:.0} kB; {limit_kb:.0} are allowed", fit.mean_kb));
                }
                report.verdict.add([check]);
                let ends = [fit.from_s, fit.to_s];
                lines.push(line("line laid through it", ends.map(|at| (at, fit.at(at) / 1024.0)).to_vec()));
            }
        }
        report.charts.push(Chart::over_time("server: resident memory, MiB", lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_while_warming_up_is_not_held_against_the_server() {
        let warm = |n: u32| if n < 80 { f64::from(n) * 125.0 } else { 10_000.0 };
        let flat: Vec<(f64, f64)> = (0..400).map(|n| (f64::from(n), warm(n))).collect();
        let fit = Fit::of(&flat).expect("a line");
        assert!(fit.rise_kb().abs() < 1.0, "{fit:?}");
    }

    #[test]
    fn a_steady_rise_is_found_to_the_kilobyte_and_noise_is_not_a_rise() {
        let rising: Vec<(f64, f64)> = (0..400).map(|n| (f64::from(n), 50_000.0 + 20.0 * f64::from(n) + f64::from(n % 7) * 300.0)).collect();
        let fit = Fit::of(&rising).expect("a line");
        assert!((fit.kb_per_s - 20.0).abs() < 1.0, "{fit:?}");
        assert!((fit.at(fit.to_s) - fit.at(fit.from_s) - fit.rise_kb()).abs() < 1e-6);
    }

    #[test]
    fn a_short_run_is_not_judged() {
        assert!(Fit::of(&[(0.0, 1.0), (10.0, 2.0), (290.0, 2.0)]).is_none());
    }
}
