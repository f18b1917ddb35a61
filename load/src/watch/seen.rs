//! What the sockets of one phase have seen, in a form that a child process can hand over; and what it proves.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::book::Reading;
use crate::check::{Check, Problems};
use crate::report::Latency;

#[derive(Serialize, Deserialize, Default)]
pub(crate) struct Seen {
    pub(crate) sockets: u64,
    pub(crate) open: u64,
    /// Changes injected in this phase.
    pub(crate) injected: u64,
    /// Changes read, over all sockets.
    pub(crate) delivered: u64,
    /// Changes that a socket did not get by themselves, but within a later state of the same row.
    pub(crate) merged: u64,
    pub(crate) lost: u64,
    pub(crate) bytes: u64,
    /// Bytes of those frames that carried changes.
    pub(crate) change_bytes: u64,
    pub(crate) frames: u64,
    pub(crate) reads: u64,
    /// Frames whose place in the sequence was checked.
    pub(crate) linked: u64,
    /// Sockets that ended where the proved copy ended.
    pub(crate) at_end: u64,
    /// Checksums of the server that proved the copy.
    pub(crate) proofs: u64,
    pub(crate) merged_frames: u64,
    /// Merged diffs from before the copy was begun, which could not be compared with it.
    pub(crate) uncompared: u64,
    /// When the last change was read, on the clock of `marker`.
    pub(crate) last_us: u64,
    pub(crate) gaps: Problems,
    pub(crate) mismatches: Problems,
    pub(crate) closed: Problems,
    pub(crate) errors: Problems,
    /// Microseconds, and how often.
    latencies: Vec<(u64, u64)>,
}

impl Seen {
    pub(crate) fn merge(&mut self, other: Self) {
        let sums = [
            (&mut self.sockets, other.sockets),
            (&mut self.open, other.open),
            (&mut self.delivered, other.delivered),
            (&mut self.merged, other.merged),
            (&mut self.lost, other.lost),
            (&mut self.bytes, other.bytes),
            (&mut self.change_bytes, other.change_bytes),
            (&mut self.frames, other.frames),
            (&mut self.reads, other.reads),
            (&mut self.linked, other.linked),
            (&mut self.at_end, other.at_end),
            (&mut self.proofs, other.proofs),
            (&mut self.merged_frames, other.merged_frames),
            (&mut self.uncompared, other.uncompared),
        ];
        for (sum, part) in sums {
            *sum += part;
        }
        self.injected = self.injected.max(other.injected);
        self.last_us = self.last_us.max(other.last_us);
        self.gaps.merge(other.gaps);
        self.mismatches.merge(other.mismatches);
        self.closed.merge(other.closed);
        self.errors.merge(other.errors);
        self.latencies.extend(other.latencies);
    }

    pub(super) fn set_latencies(&mut self, histogram: &Histogram<u64>) {
        self.latencies = histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
    }

    pub(crate) fn latency(&self) -> Latency {
        let mut histogram = histogram();
        for &(us, count) in &self.latencies {
            histogram.saturating_record_n(us.max(1), count);
        }
        histogram.into()
    }

    /// Bytes on the wire for each change that was read.
    pub(crate) fn bytes_per_change(&self) -> f64 {
        self.change_bytes as f64 / self.delivered.max(1) as f64
    }

    pub(crate) fn checks(&self, reading: Reading) -> Vec<Check> {
        let mut missing = Problems::default();
        if self.lost > 0 {
            missing.add(|| format!("{} lost of {} injected to {} sockets", self.lost, self.injected, self.sockets));
            missing.count = self.lost;
        }
        let mut checks = vec![Check { name: "each change reached each socket", seen: self.injected * self.sockets, problems: missing }];
        checks.extend(self.chains(reading));
        checks
    }

    /// That what came, came unbroken.
    pub(crate) fn chains(&self, reading: Reading) -> Vec<Check> {
        let check = |name, seen, problems: &Problems| Check { name, seen, problems: problems.clone() };
        let mut checks = vec![check("no socket was closed or refused", self.sockets, &self.closed)];
        match reading {
            Reading::Numbered => {
                checks.push(check("on each socket, the changes came once and in order", self.linked, &self.gaps));
            }
            Reading::Board => {
                let mut apart = Problems::default();
                if self.at_end < self.sockets {
                    apart.add(|| format!("{} of {} sockets do not stand where the copy stands", self.sockets - self.at_end, self.sockets));
                }
                checks.extend([
                    check("on each socket, each diff begins where the one before ended", self.linked, &self.gaps),
                    check("a full copy made of the same frames has the server's checksum", self.proofs, &self.mismatches),
                    check("at the end every socket stands where that copy was proved", self.sockets, &apart),
                    check("the server complained of nothing", self.sockets, &self.errors),
                ]);
            }
        }
        checks
    }
}

/// As exact as [`Latency`].
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 2).expect("constant bounds are valid")
}
