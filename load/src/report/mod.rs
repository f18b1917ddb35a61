//! What a run found, for people, as JSON and as a page: figures, latencies, the verdict. In reading order: `latency` and
//! `series` one kind of latency, `table` rows side by side, `chart` a drawing, `page` all of it as one HTML file, `machine` what it was measured on.

use serde_json::{Map, Value, json};

pub(crate) use self::chart::{Chart, Line};
pub(crate) use self::latency::Latency;
pub(crate) use self::series::seconds_now;
pub(crate) use self::table::Table;
use crate::check::Verdict;

mod chart;
mod latency;
mod machine;
mod page;
mod series;
mod table;

pub(crate) use self::page::write;

/// One command's findings. `bench` holds those of its parts.
#[derive(Default)]
pub(crate) struct Report {
    title: String,
    figures: Vec<(String, Value)>,
    latencies: Vec<(String, Latency)>,
    pub(crate) table: Option<Table>,
    pub(crate) charts: Vec<Chart>,
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

    /// Of a closed loop: as it was, and corrected for the calls that waiting kept it from making.
    pub(crate) fn closed_loop(&mut self, name: &str, latency: Latency) {
        let corrected = latency.corrected();
        self.latency(name, latency);
        self.latency(&format!("{name}, corrected"), corrected);
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
        if let Some(table) = &self.table {
            object["table"] = table.json();
        }
        if !self.parts.is_empty() {
            object["parts"] = self.parts.iter().map(Report::json).collect();
        }
        object
    }

    pub(crate) fn print(&self) {
        println!("\n== {} ==", self.title);
        let width = self.figures.iter().map(|(n, _)| n.chars().count()).max().unwrap_or(0);
        for (name, value) in &self.figures {
            println!("{name:<width$}  {}", readable(value));
        }
        if let Some(table) = &self.table {
            print!("\n{}", table.text());
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
        let width = self.latencies.iter().map(|(n, _)| n.chars().count()).max().unwrap_or(0);
        let head = format!("{:<width$}", "latency, ms");
        println!("\n{head} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}", "count", "p50", "p90", "p99", "p99.9", "max");
        for (name, l) in self.latencies.iter().filter(|(_, l)| l.count() > 0) {
            println!(
                "{name:<width$} {:>9} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
                l.count(),
                l.quantile_ms(0.5),
                l.quantile_ms(0.9),
                l.quantile_ms(0.99),
                l.quantile_ms(0.999),
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
