//! When a change was due, written into the change itself: `due=` the microsecond on this machine's monotonic clock, and
//! the change's number. A latency runs from there until a client has read it, whatever held it up, the load test itself
//! included; so a change that could not be sent in time counts as late (no coordinated omission).

use memchr::memmem;
use rustix::time::{ClockId, clock_gettime};

const BEGINS: &[u8] = b"due=";
const DUE_DIGITS: usize = 16;
const NUMBER_DIGITS: usize = 9;
/// `due=`, the microsecond, a slash, the number.
pub(crate) const LENGTH: usize = BEGINS.len() + DUE_DIGITS + 1 + NUMBER_DIGITS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) due_us: u64,
    /// Counts the changes of a phase from 0.
    pub(crate) number: u64,
}

impl Marker {
    pub(crate) fn text(self) -> String {
        format!("due={:0DUE_DIGITS$}/{:0NUMBER_DIGITS$}", self.due_us, self.number)
    }
}

/// Every marker in the bytes, in their order.
pub(crate) fn all(bytes: &[u8]) -> Vec<Marker> {
    memmem::find_iter(bytes, BEGINS).filter_map(|at| read(bytes.get(at..at + LENGTH)?)).collect()
}

fn read(marker: &[u8]) -> Option<Marker> {
    let digits = |from: usize, count: usize| std::str::from_utf8(&marker[from..from + count]).ok()?.parse().ok();
    let due_us = digits(BEGINS.len(), DUE_DIGITS)?;
    let number = digits(BEGINS.len() + DUE_DIGITS + 1, NUMBER_DIGITS)?;
    Some(Marker { due_us, number })
}

/// Microseconds of the clock that all processes of this machine share.
pub(crate) fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (s, ns) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    s * 1_000_000 + ns / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_where_they_stand_and_half_ones_are_not() {
        let (a, b) = (Marker { due_us: 1_234_567, number: 0 }, Marker { due_us: u64::MAX / 10_000, number: 999_999_999 });
        let text = format!(r#"{{"title":"{} a"}},{{"title":"due=none","x":"{}"}},due=12"#, a.text(), b.text());
        assert_eq!(a.text().len(), LENGTH);
        assert_eq!(all(text.as_bytes()), [a, b]);
    }

    #[test]
    fn the_clock_goes_on() {
        let before = now_us();
        assert!(before > 0 && now_us() >= before);
    }
}
