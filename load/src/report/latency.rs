//! Latencies of one kind: an HDR histogram of all of them, and when they were.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::series::Series;

/// What JSON and pages tell of each histogram.
pub(super) const QUANTILES: [(f64, &str); 6] = [(0.5, "p50"), (0.75, "p75"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99"), (0.999, "p99_9")];

/// Latencies between 1 µs and 10 minutes, to 1 %. Anything beyond is counted at the bound.
#[derive(Clone)]
pub(crate) struct Latency {
    histogram: Histogram<u64>,
    series: Series,
}

impl From<Histogram<u64>> for Latency {
    /// Of microseconds.
    fn from(histogram: Histogram<u64>) -> Self {
        Self { histogram, series: Series::default() }
    }
}

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, 600_000_000, 2);
        Self { histogram: histogram.expect("constant bounds are valid"), series: Series::default() }
    }

    /// Something that has just ended.
    pub(crate) fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        self.histogram.saturating_record(us);
        self.series.record(us.min(self.histogram.high()));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.histogram += &other.histogram;
        self.series.merge(&other.series);
    }

    /// Leaves none behind.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new())
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// What a closed loop would have measured had it not waited for its answers: whoever was due to be called while an
    /// answer was late would have waited, too (Gil Tene's "coordinated omission"). The loop's usual interval is its median.
    /// Counts of a corrected histogram are those of the calls that would have been made.
    pub(crate) fn corrected(&self) -> Self {
        let usual = self.histogram.value_at_quantile(0.5).max(1);
        Self { histogram: self.histogram.clone_correct(usual), series: Series::default() }
    }

    pub(crate) fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.histogram.value_at_quantile(quantile) as f64 / 1e3
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.histogram.max() as f64 / 1e3
    }

    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    /// (decimal nines, ms): the quantile 0.99 is at 2, each further nine one further to the right.
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let most = (self.count().max(1) as f64).log10();
        let steps = (most * 20.0).ceil() as u32;
        let at = |step: u32| (f64::from(step) / 20.0).min(most);
        (0..=steps).map(at).map(|nines| (nines, self.quantile_ms(1.0 - 10_f64.powf(-nines)))).collect()
    }

    pub(super) fn json(&self) -> Value {
        let mut object = json!({"count": self.count(), "max_ms": self.max_ms()});
        for (quantile, name) in QUANTILES {
            object[format!("{name}_ms")] = self.quantile_ms(quantile).into();
        }
        object
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
        assert_eq!(a.series().count(), 2);
    }

    #[test]
    fn a_stall_of_a_closed_loop_weighs_as_much_as_the_calls_that_it_kept_back() {
        let mut latency = Latency::new();
        (0..999).for_each(|_| latency.record(Duration::from_millis(1)));
        latency.record(Duration::from_secs(1));
        assert!(latency.quantile_ms(0.99) < 1.1, "one call of a thousand");
        let corrected = latency.corrected();
        // As many more calls of 999 ms, 998 ms and so on would have been due.
        assert!((1_950..=2_050).contains(&corrected.count()), "{}", corrected.count());
        assert!(corrected.quantile_ms(0.9) > 700.0, "{}", corrected.quantile_ms(0.9));
    }
}
