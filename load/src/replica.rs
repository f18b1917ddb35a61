//! One watcher's copy of a board, and the checksum that proves it equal to the server's.
//! Pure: frames in, state out. It holds what the proof needs, ids and versions, and no texts.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields of all frames in one struct: a tagged enum would make serde buffer each frame whole,
/// and with hundreds of watchers in one process parsing is the client's main cost.
#[derive(Deserialize)]
pub(crate) struct Frame<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    /// Kept as it was written, number or text: it is only compared and sent back.
    #[serde(borrow, default)]
    pub(crate) epoch: Option<&'a RawValue>,
    #[serde(default)]
    pub(crate) prev: u64,
    #[serde(default)]
    pub(crate) seq: u64,
    #[serde(default)]
    pub(crate) checksum: u32,
    #[serde(borrow, default)]
    pub(crate) orders: Vec<Row<'a>>,
    #[serde(borrow, default)]
    pub(crate) up: Vec<Row<'a>>,
    #[serde(borrow, default)]
    pub(crate) rm: Vec<(u64, &'a str)>,
    #[serde(borrow, default)]
    pub(crate) detail: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(crate) struct Row<'a> {
    pub(crate) id: u64,
    pub(crate) version: u64,
    #[serde(borrow, default)]
    pub(crate) title: std::borrow::Cow<'a, str>,
}

/// Something a watcher sees for the first time.
#[derive(Debug, PartialEq)]
pub(crate) enum Sight<'a> {
    New { id: u64, title: &'a str },
    Taken { id: u64 },
}

/// What a frame did to the copy.
#[derive(Debug, PartialEq)]
pub(crate) enum Applied {
    Done,
    /// The copy cannot be carried on from here: ask again, telling where it stands.
    Gap,
    /// The copy is at the server's position but not the server's state: ask for a snapshot.
    Differs,
    /// The copy is at the server's position and proved equal.
    Proved,
}

#[derive(Default, Clone)]
pub(crate) struct Replica {
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    /// (id, version) by ascending id, so that a new order goes to the end.
    rows: Vec<(u64, u64)>,
}

impl Replica {
    /// (id, version) by ascending id.
    pub(crate) fn rows(&self) -> &[(u64, u64)] {
        &self.rows
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether a snapshot has arrived.
    pub(crate) fn is_live(&self) -> bool {
        !self.epoch.is_empty()
    }

    pub(crate) fn stands_at(&self, frame: &Frame<'_>) -> bool {
        self.seq == frame.seq && frame.epoch.is_some_and(|e| e.get() == self.epoch)
    }

    /// Replaces the copy. A snapshot that contradicts its own checksum `Differs`.
    pub(crate) fn snapshot(&mut self, frame: &Frame<'_>, mut see: impl FnMut(Sight<'_>)) -> Applied {
        for row in &frame.orders {
            if self.place(row.id).is_err() {
                see(Sight::New { id: row.id, title: &row.title });
            }
        }
        self.rows = frame.orders.iter().map(|row| (row.id, row.version)).collect();
        self.rows.sort_unstable();
        self.epoch = frame.epoch.map_or(String::new(), |e| e.get().to_owned());
        self.seq = frame.seq;
        self.prove(frame.checksum)
    }

    pub(crate) fn diff(&mut self, frame: &Frame<'_>, mut see: impl FnMut(Sight<'_>)) -> Applied {
        let same_epoch = frame.epoch.is_some_and(|e| e.get() == self.epoch);
        if !same_epoch || frame.prev != self.seq {
            return Applied::Gap;
        }
        for row in &frame.up {
            match self.place(row.id) {
                // State, not deltas: the newer version wins, whatever way it came.
                Ok(at) => self.rows[at].1 = self.rows[at].1.max(row.version),
                Err(at) => {
                    self.rows.insert(at, (row.id, row.version));
                    see(Sight::New { id: row.id, title: &row.title });
                }
            }
        }
        for &(id, reason) in &frame.rm {
            if let Ok(at) = self.place(id) {
                self.rows.remove(at);
                if reason == "taken" {
                    see(Sight::Taken { id });
                }
            }
        }
        self.seq = frame.seq;
        Applied::Done
    }

    pub(crate) fn tick(&self, frame: &Frame<'_>) -> Applied {
        if self.stands_at(frame) { self.prove(frame.checksum) } else { Applied::Gap }
    }

    pub(crate) fn checksum(&self) -> u32 {
        checksum(self.rows.iter().rev().copied())
    }

    fn prove(&self, expected: u32) -> Applied {
        if self.checksum() == expected { Applied::Proved } else { Applied::Differs }
    }

    fn place(&self, id: u64) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&id, |row| row.0)
    }
}

/// CRC-32 (IEEE) of the ASCII string `id:version,` repeated over the board's orders, newest first.
pub(crate) fn checksum(newest_first: impl Iterator<Item = (u64, u64)>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    let mut text = String::with_capacity(48);
    for (id, version) in newest_first {
        text.clear();
        // Writing to a String cannot fail.
        let _ = write!(text, "{id}:{version},");
        crc.update(text.as_bytes());
    }
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(json: &str) -> Frame<'_> {
        serde_json::from_str(json).expect("a frame")
    }

    fn live() -> Replica {
        let mut replica = Replica::default();
        let sum = checksum([(9, 1), (7, 3)].into_iter());
        let text = format!(
            r#"{{"type":"snapshot","board":"all","epoch":"e1","seq":5,"checksum":{sum},
            "orders":[{{"id":9,"version":1,"title":"nine"}},{{"id":7,"version":3}}]}}"#
        );
        assert_eq!(replica.snapshot(&frame(&text), |_| ()), Applied::Proved);
        replica
    }

    #[test]
    fn the_checksum_is_the_crc_of_id_and_version_newest_first() {
        assert_eq!(checksum([(9, 1), (7, 3)].into_iter()), crc32fast::hash(b"9:1,7:3,"));
        assert_eq!(checksum([(123_456_789, 0)].into_iter()), crc32fast::hash(b"123456789:0,"));
        assert_eq!(checksum(std::iter::empty()), 0);
    }

    #[test]
    fn a_snapshot_that_contradicts_its_checksum_is_noticed() {
        let text = r#"{"type":"snapshot","epoch":1,"seq":5,"checksum":1,"orders":[]}"#;
        assert_eq!(Replica::default().snapshot(&frame(text), |_| ()), Applied::Differs);
    }

    #[test]
    fn a_diff_adds_changes_and_removes_and_tells_what_is_new() {
        let mut replica = live();
        let text = r#"{"type":"diff","epoch":"e1","prev":5,"seq":8,
            "up":[{"id":10,"version":1,"title":"ten \"quoted\""},{"id":7,"version":4}],"rm":[[9,"taken"]]}"#;
        let mut seen = Vec::new();
        let applied = replica.diff(&frame(text), |sight| seen.push(format!("{sight:?}")));
        assert_eq!(applied, Applied::Done);
        assert_eq!(seen, [r#"New { id: 10, title: "ten \"quoted\"" }"#, "Taken { id: 9 }"]);
        assert_eq!(replica.checksum(), checksum([(10, 1), (7, 4)].into_iter()));
        assert_eq!(replica.seq, 8);
    }

    #[test]
    fn an_older_version_never_replaces_a_newer_one() {
        let mut replica = live();
        let text = r#"{"type":"diff","epoch":"e1","prev":5,"seq":6,"up":[{"id":7,"version":2}]}"#;
        replica.diff(&frame(text), |_| ());
        assert_eq!(replica.checksum(), checksum([(9, 1), (7, 3)].into_iter()));
    }

    #[test]
    fn a_diff_that_does_not_follow_is_a_gap_and_changes_nothing() {
        let mut replica = live();
        let before = replica.checksum();
        let skipped = r#"{"type":"diff","epoch":"e1","prev":6,"seq":7,"rm":[[9,"taken"]]}"#;
        let other_epoch = r#"{"type":"diff","epoch":"e2","prev":5,"seq":7,"rm":[[9,"taken"]]}"#;
        for text in [skipped, other_epoch] {
            assert_eq!(replica.diff(&frame(text), |_| ()), Applied::Gap);
        }
        assert_eq!((replica.checksum(), replica.seq), (before, 5));
    }

    #[test]
    fn a_diff_whose_prev_is_its_seq_is_applied() {
        let mut replica = live();
        let text = r#"{"type":"diff","epoch":"e1","prev":5,"seq":5,"rm":[[9,"frozen"]]}"#;
        assert_eq!(replica.diff(&frame(text), |_| panic!("a frozen order was not taken")), Applied::Done);
        assert_eq!(replica.checksum(), checksum([(7, 3)].into_iter()));
    }

    #[test]
    fn a_tick_proves_the_copy_or_says_how_it_is_wrong() {
        let replica = live();
        let at = |seq: u64, sum: u32| {
            let text = format!(r#"{{"type":"tick","epoch":"e1","seq":{seq},"checksum":{sum}}}"#);
            replica.tick(&frame(&text))
        };
        assert_eq!(at(5, replica.checksum()), Applied::Proved);
        assert_eq!(at(5, 1), Applied::Differs);
        assert_eq!(at(6, replica.checksum()), Applied::Gap);
    }
}
