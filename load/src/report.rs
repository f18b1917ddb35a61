//! What a run found, for people and as JSON: figures, latencies, the verdict.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::check::Verdict;

/// Latencies between 1 µs and 10 minutes, to 1 %. Anything beyond is counted at the bound.
#[derive(Clone)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, 600_000_000, 2);
        Self(histogram.expect("constant bounds are valid"))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(us.max(1));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }

    fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1e3
    }

    fn json(&self) -> Value {
        json!({
            "count": self.count(), "p50_ms": self.quantile_ms(0.5), "p90_ms": self.quantile_ms(0.9),
            "p99_ms": self.quantile_ms(0.99), "max_ms": self.max_ms(),
        })
    }
}

/// One command's findings. `bench` holds those of its parts.
#[derive(Default)]
pub(crate) struct Report {
    title: String,
    figures: Vec<(String, Value)>,
    latencies: Vec<(String, Latency)>,
    pub(crate) verdict: Verdict,
    pub(crate) parts: Vec<Report>,
}

impl Report {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// The name carries the unit: `orders taken per s`, `RSS before kB`.
    pub(crate) fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.push((name.into(), value.into()));
    }

    pub(crate) fn latency(&mut self, name: &str, latency: Latency) {
        self.latencies.push((name.into(), latency));
    }

    pub(crate) fn passed(&self) -> bool {
        self.verdict.passed() && self.parts.iter().all(Report::passed)
    }

    /// Checks that passed and that failed, those of the parts included.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let own = self.verdict.counts();
        self.parts.iter().map(Report::counts).fold(own, |sum, part| (sum.0 + part.0, sum.1 + part.1))
    }

    pub(crate) fn json(&self) -> Value {
        let figures: Map<_, _> = self.figures.iter().map(|(n, v)| (slug(n), v.clone())).collect();
        let latencies: Map<_, _> = self.latencies.iter().map(|(n, l)| (slug(n), l.json())).collect();
        let mut object = json!({
            "title": self.title, "passed": self.passed(), "figures": figures,
            "latencies": latencies, "verdict": self.verdict.json(),
        });
        if !self.parts.is_empty() {
            object["parts"] = self.parts.iter().map(Report::json).collect();
        }
        object
    }

    pub(crate) fn print(&self) {
        println!("\n== {} ==", self.title);
        let width = self.figures.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
        for (name, value) in &self.figures {
            println!("{name:<width$}  {}", readable(value));
        }
        if self.latencies.iter().any(|(_, l)| l.count() > 0) {
            self.print_latencies();
        }
        self.verdict.print();
        for part in &self.parts {
            part.print();
        }
    }

    fn print_latencies(&self) {
        let width = self.latencies.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
        let head = format!("{:<width$}", "latency, ms");
        println!("\n{head} {:>9} {:>9} {:>9} {:>9} {:>9}", "count", "p50", "p90", "p99", "max");
        for (name, l) in self.latencies.iter().filter(|(_, l)| l.count() > 0) {
            println!(
                "{name:<width$} {:>9} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
                l.count(),
                l.quantile_ms(0.5),
                l.quantile_ms(0.9),
                l.quantile_ms(0.99),
                l.max_ms()
            );
        }
    }
}

/// Two decimals are more than any of these measurements can carry.
pub(crate) fn rounded(value: f64) -> Value {
    json!((value * 100.0).round() / 100.0)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

fn readable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(readable).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_thousand_evenly_spread_latencies_are_within_one_per_cent() {
        let mut latency = Latency::new();
        (1..=1000).for_each(|ms| latency.record(Duration::from_millis(ms)));
        for (quantile, expected) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let got = latency.quantile_ms(quantile);
            assert!((got / expected - 1.0).abs() < 0.01, "{got} instead of {expected}");
        }
    }

    #[test]
    fn latencies_beyond_the_bounds_are_counted_not_lost() {
        let mut latency = Latency::new();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(100_000));
        assert_eq!(latency.count(), 2);
    }

    #[test]
    fn merged_latencies_hold_both_counts() {
        let (mut a, mut b) = (Latency::new(), Latency::new());
        a.record(Duration::from_millis(1));
        b.record(Duration::from_millis(3));
        a.merge(&b);
        assert_eq!(a.count(), 2);
        assert!(a.quantile_ms(1.0) >= 3.0);
    }

    #[test]
    fn the_median_does_not_follow_an_outlier() {
        assert_eq!(median(&[1.0, 100.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 2.0]), 3.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn json_names_are_words_joined_by_underscores() {
        assert_eq!(slug("news: created → frame"), "news_created_frame");
    }
}
