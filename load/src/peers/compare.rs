//! What all have shown, in one table, with ours measured against each.

use serde_json::Value;

use super::climb::Shown;
use super::{FLOOR, OURS};
use crate::check::Check;
use crate::report::{Report, Table, rounded};
use crate::watch::crowd::Measured;

const HEADS: [&str; 11] = [
    "highest\nchanges/s",
    "there\ndeliveries/s",
    "there\np99 ms",
    "lost\nfrom /s",
    "at 50/s\nCPU µs each",
    "at 50/s\np99 ms",
    "at 50/s\nlost",
    "idle\nkB a socket",
    "ours / it\ndeliveries/s",
    "ours / it\nCPU each",
    "ours / it\nidle kB",
];

fn p99_ms(measured: &Measured) -> f64 {
    measured.seen.latency().quantile_ms(0.99)
}

impl Shown {
    fn rate(&self) -> f64 {
        self.best.as_ref().map_or(0.0, |best| best.rate)
    }

    fn deliveries_per_s(&self) -> f64 {
        self.best.as_ref().map_or(0.0, Measured::deliveries_per_s)
    }

    fn cpu_us(&self) -> f64 {
        self.steady.server_us_per_delivery()
    }

    fn row(&self, ours: Option<&Self>) -> (String, Vec<Value>) {
        let whole = |value: Option<f64>| value.map_or(Value::Null, |value| Value::from(value.round() as u64));
        let ratio = |value: fn(&Self) -> f64| match ours {
            Some(ours) if value(self) > 0.0 => rounded(value(ours) / value(self)),
            _ => Value::Null,
        };
        let cells = vec![
            whole(self.best.as_ref().map(|best| best.rate)),
            whole(self.best.as_ref().map(Measured::deliveries_per_s)),
            self.best.as_ref().map_or(Value::Null, |best| rounded(p99_ms(best))),
            whole(self.lost_at),
            rounded(self.cpu_us()),
            rounded(p99_ms(&self.steady)),
            self.steady.seen.lost.into(),
            rounded(self.idle_kb),
            ratio(Self::deliveries_per_s),
            ratio(Self::cpu_us),
            ratio(|shown| shown.idle_kb),
        ];
        (self.name.clone(), cells)
    }

    /// What has no place in the table.
    fn part(&self) -> Report {
        let mut part = Report::new(format!("peers: {}", self.name));
        part.figure("50/s: load test CPU µs per delivery", rounded(self.steady.client_us_per_delivery()));
        part.figure("50/s: bytes a change", rounded(self.steady.seen.bytes_per_change()));
        if let Some(best) = &self.best {
            part.figure("highest rate: server CPU µs per delivery", rounded(best.server_us_per_delivery()));
            part.figure("highest rate: server CPU, cores", rounded(best.server_share()));
            part.figure("highest rate: changes that came within a later state of their row", best.seen.merged);
            part.figure("highest rate: injected late at most ms", rounded(best.injected.late_max.as_secs_f64() * 1e3));
            part.latency("at the highest rate", best.seen.latency());
        }
        part.latency("at 50/s", self.steady.seen.latency());
        part
    }
}

pub(super) fn tell(shown: &[Shown], report: &mut Report) {
    let ours = shown.iter().find(|one| one.name == OURS);
    report.table = Some(Table { heads: HEADS.to_vec(), rows: shown.iter().map(|one| one.row(ours)).collect() });
    report.parts.extend(shown.iter().map(Shown::part));
    let Some(ours) = ours else { return };
    let (mut whole, mut fastest, mut cheapest) = (
        Check::new("ours lost nothing at 50 changes a second"),
        Check::new("no other server reaches a higher rate than ours"),
        Check::new("at 50 changes a second a delivery costs no other server less processor time than ours"),
    );
    whole.seen = ours.steady.seen.delivered;
    if ours.steady.seen.lost > 0 {
        whole.problems.add(|| format!("{} changes", ours.steady.seen.lost));
    }
    for other in shown.iter().filter(|one| ![OURS, FLOOR].contains(&one.name.as_str())) {
        fastest.seen += 1;
        cheapest.seen += 1;
        if other.rate() > ours.rate() {
            fastest.problems.add(|| format!("{}: {} changes/s, ours {}", other.name, other.rate(), ours.rate()));
        }
        if other.cpu_us() < ours.cpu_us() {
            cheapest.problems.add(|| format!("{}: {:.2} µs, ours {:.2}", other.name, other.cpu_us(), ours.cpu_us()));
        }
    }
    report.verdict.add([whole]);
    if fastest.seen > 0 {
        report.verdict.add([fastest, cheapest]);
    }
}
