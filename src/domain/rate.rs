//! Rates: how much is let through in how long, and how much of it at once. The generic cell rate algorithm: all that is remembered
//! of somebody is one moment, at which everything they asked for would have come evenly.

use std::time::Duration;

/// So many in so long, as many as `burst` of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Between two that come evenly.
    pub interval_ns: u64,
    /// How far ahead of evenly somebody may be.
    pub ahead_ns: u64,
}

impl Rate {
    /// Nothing where nothing is limited: `count` or `burst` is zero.
    pub fn new(count: u32, per: Duration, burst: u32) -> Option<Self> {
        let per_ns = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
        let interval_ns = per_ns.checked_div(u64::from(count))?.max(1);
        (burst > 0).then(|| Self { interval_ns, ahead_ns: interval_ns.saturating_mul(u64::from(burst)) })
    }

    /// What to remember instead of `even_ns` once one more was let through at `now_ns`; or how long to wait for it. Whoever is not
    /// remembered has 0.
    pub fn admit(self, even_ns: u64, now_ns: u64) -> Result<u64, Duration> {
        let next_ns = even_ns.max(now_ns).saturating_add(self.interval_ns);
        match (next_ns - now_ns).checked_sub(self.ahead_ns) {
            None | Some(0) => Ok(next_ns),
            Some(wait_ns) => Err(Duration::from_nanos(wait_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    /// How many of one a millisecond are let through in so many seconds.
    fn let_through(rate: Rate, seconds: u64) -> u64 {
        let mut even = 0;
        let asked = (0..seconds * 1_000).filter(|ms| match rate.admit(even, 100 * S + ms * 1_000_000) {
            Ok(next) => {
                even = next;
                true
            }
            Err(_) => false,
        });
        asked.count() as u64
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let rate = Rate::new(5, Duration::from_secs(1), 20).expect("a rate");
        assert_eq!(let_through(rate, 1), 20 + 4);
        assert_eq!(let_through(rate, 10), 20 + 49);
        let minute = Rate::new(180, Duration::from_secs(60), 180).expect("a rate");
        assert_eq!(let_through(minute, 60), 180 + 179);
    }

    #[test]
    fn whoever_waits_as_long_as_they_are_told_is_let_through() {
        let rate = Rate::new(3, Duration::from_secs(2), 2).expect("a rate");
        let (mut even, mut now) = (0, 7 * S);
        for _ in 0..1_000 {
            match rate.admit(even, now) {
                Ok(next) => even = next,
                Err(wait) => {
                    let early = now + wait.as_nanos() as u64 - 1;
                    assert!(rate.admit(even, early).is_err(), "the wait is no longer than it must be");
                    now += wait.as_nanos() as u64;
                    even = rate.admit(even, now).expect("let through after the wait");
                }
            }
        }
    }

    #[test]
    fn nothing_is_limited_by_zero_and_nothing_overflows() {
        assert_eq!(Rate::new(0, Duration::from_secs(1), 5), None);
        assert_eq!(Rate::new(5, Duration::from_secs(1), 0), None);
        let rate = Rate::new(1, Duration::MAX, u32::MAX).expect("a rate");
        assert!(rate.admit(u64::MAX, 0).is_ok());
    }
}
