//! Latencies over time: a coarse histogram for each interval, so that intervals and whole series can be merged exactly.
//! Bounded: a run that takes long has wider intervals.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Instant;

/// Where the time axis of all series begins: the process's first look at the clock.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const INTERVALS_MAX: usize = 900;
/// Buckets an octave: each is at most 6 % wide.
const PER_OCTAVE: u64 = 16;

/// Since the load test began.
pub(crate) fn seconds_now() -> f64 {
    START.elapsed().as_secs_f64()
}

#[derive(Clone)]
pub(crate) struct Series {
    /// A power of two, so that series of different widths fit into each other.
    width_s: u64,
    /// By number of the interval since the start.
    intervals: BTreeMap<u64, Interval>,
}

#[derive(Default, Clone)]
struct Interval {
    counts: Vec<u32>,
    max_us: u64,
}

/// One interval's summary.
pub(crate) struct Point {
    /// Its middle, in seconds since the start.
    pub(crate) at_s: f64,
    pub(crate) per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Default for Series {
    fn default() -> Self {
        Self { width_s: 1, intervals: BTreeMap::new() }
    }
}

impl Series {
    pub(super) fn record(&mut self, us: u64) {
        self.record_at(START.elapsed().as_secs(), us);
    }

    fn record_at(&mut self, second: u64, us: u64) {
        let number = second / self.width_s;
        match self.intervals.last_entry() {
            Some(mut last) if *last.key() == number => last.get_mut().add(us),
            _ => {
                self.intervals.entry(number).or_default().add(us);
                self.bound();
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        while self.width_s < other.width_s {
            self.widen();
        }
        let times = self.width_s / other.width_s;
        for (number, interval) in &other.intervals {
            self.intervals.entry(number / times.max(1)).or_default().merge(interval);
        }
        self.bound();
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.intervals.values().flat_map(|interval| &interval.counts).map(|&n| u64::from(n)).sum()
    }

    fn bound(&mut self) {
        while self.intervals.len() > INTERVALS_MAX {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.width_s *= 2;
        for (number, interval) in std::mem::take(&mut self.intervals) {
            self.intervals.entry(number / 2).or_default().merge(&interval);
        }
    }

    /// No more than `most` intervals.
    pub(crate) fn points(&self, most: usize) -> Vec<Point> {
        if self.intervals.len() > most.max(1) {
            let mut wider = Self { width_s: self.width_s, intervals: self.intervals.clone() };
            wider.widen();
            return wider.points(most);
        }
        let width = self.width_s as f64;
        let point = |(number, interval): (&u64, &Interval)| {
            let count: u64 = interval.counts.iter().map(|&n| u64::from(n)).sum();
            Point {
                at_s: (*number as f64 + 0.5) * width,
                per_s: count as f64 / width,
                p50_ms: interval.quantile_ms(count, 0.5),
                p99_ms: interval.quantile_ms(count, 0.99),
                max_ms: interval.max_us as f64 / 1e3,
            }
        };
        self.intervals.iter().map(point).collect()
    }
}

impl Interval {
    fn add(&mut self, us: u64) {
        let at = bucket(us);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].saturating_add(1);
        self.max_us = self.max_us.max(us);
    }

    fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (own, more) in self.counts.iter_mut().zip(&other.counts) {
            *own = own.saturating_add(*more);
        }
        self.max_us = self.max_us.max(other.max_us);
    }

    fn quantile_ms(&self, count: u64, quantile: f64) -> f64 {
        let rank = (count as f64 * quantile).ceil().max(1.0) as u64;
        let mut below = 0;
        for (at, &n) in self.counts.iter().enumerate() {
            below += u64::from(n);
            if below >= rank {
                return (middle_us(at)).min(self.max_us as f64) / 1e3;
            }
        }
        0.0
    }
}

fn bucket(us: u64) -> usize {
    if us < PER_OCTAVE {
        return us as usize;
    }
    let octave = u64::from(us.ilog2()) - 3;
    let within = (us >> (octave - 1)) & (PER_OCTAVE - 1);
    (octave * PER_OCTAVE + within) as usize
}

fn middle_us(bucket: usize) -> f64 {
    let (octave, within) = (bucket as u64 / PER_OCTAVE, bucket as u64 % PER_OCTAVE);
    if octave == 0 {
        return within as f64;
    }
    let width = 1_u64 << (octave - 1);
    ((PER_OCTAVE + within) * width) as f64 + width as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_is_within_six_per_cent_of_what_it_holds() {
        let mut us = 1;
        while us < 600_000_000 {
            let middle = middle_us(bucket(us));
            assert!((middle / us as f64 - 1.0).abs() <= 0.07, "{us} µs in a bucket around {middle}");
            us += us / 7 + 1;
        }
    }

    #[test]
    fn a_long_run_has_wider_intervals_and_loses_nothing() {
        let mut series = Series::default();
        for second in 0..5_000 {
            series.record_at(second, 1_000);
        }
        assert_eq!(series.count(), 5_000);
        let points = series.points(INTERVALS_MAX);
        assert!(points.len() <= INTERVALS_MAX && series.points(50).len() <= 50);
        assert!(points.iter().all(|point| point.p99_ms <= 1.0 && point.p99_ms > 0.9));
    }

    #[test]
    fn series_of_different_widths_are_merged_interval_by_interval() {
        let (mut long, mut short) = (Series::default(), Series::default());
        (0..2_000).for_each(|second| long.record_at(second, 10));
        (0..10).for_each(|second| short.record_at(second, 5_000_000));
        short.merge(&long);
        assert_eq!(short.count(), 2_010);
        assert_eq!(short.points(INTERVALS_MAX)[0].max_ms, 5_000.0);
    }
}
