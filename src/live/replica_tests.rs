//! The board's promises, row by row.

use super::*;

fn row(id: u64, version: u64) -> Row {
    Row { id, version, json: format!("{{\"id\":{id}}}").into() }
}

fn newest_first(ids: impl DoubleEndedIterator<Item = u64>) -> Vec<Row> {
    ids.rev().map(|id| row(id, 1)).collect()
}

fn loaded(ids: std::ops::RangeInclusive<u64>) -> Replica {
    let mut replica = Replica::default();
    replica.reload(newest_first(ids));
    replica.settle();
    replica
}

#[test]
fn an_older_state_never_replaces_a_newer_one() {
    let mut replica = loaded(1..=3);
    replica.remove(2, 3, Removal::Taken);
    replica.put(Arc::new(row(2, 2)));
    assert_eq!(replica.settle(), [Change::Removed(2, Removal::Taken)]);
    replica.put(Arc::new(row(2, 4)));
    replica.remove(2, 3, Removal::Taken);
    assert_eq!(replica.settle(), [Change::Up(2)]);
}

#[test]
fn the_same_news_twice_changes_nothing() {
    let mut replica = loaded(1..=3);
    replica.put(Arc::new(row(4, 1)));
    assert_eq!(replica.settle(), [Change::Up(4)]);
    replica.put(Arc::new(row(4, 1)));
    assert!(replica.settle().is_empty());
}

#[test]
fn a_new_order_pushes_the_oldest_out_of_the_window() {
    let mut replica = loaded(1..=1_000);
    replica.put(Arc::new(row(1_001, 1)));
    assert_eq!(replica.settle(), [Change::Up(1_001), Change::Removed(1, Removal::Window)]);
    assert_eq!(replica.shown_count(), SHOWN_MAX);
}

#[test]
fn a_gap_is_filled_from_the_reserve() {
    let mut replica = loaded(1..=1_500);
    replica.remove(1_500, 2, Removal::Taken);
    assert_eq!(replica.settle(), [Change::Removed(1_500, Removal::Taken), Change::Up(500)]);
}

#[test]
fn rows_beneath_a_full_window_are_nobodys_business() {
    let mut replica = loaded(1..=1_500);
    replica.put(Arc::new(row(7, 2)));
    assert!(replica.settle().is_empty());
}

#[test]
fn a_change_beneath_the_window_takes_nobodys_place_in_it() {
    let mut replica = loaded(1..=1_500);
    replica.remove(1_500, 2, Removal::Taken);
    replica.put(Arc::new(row(7, 2)));
    replica.put(Arc::new(row(499, 2)));
    assert_eq!(replica.settle(), [Change::Removed(1_500, Removal::Taken), Change::Up(500)]);
    replica.put(Arc::new(row(499, 3)));
    replica.remove(1_400, 2, Removal::Taken);
    assert_eq!(replica.settle(), [Change::Removed(1_400, Removal::Taken), Change::Up(499)]);
}

#[test]
fn a_burst_of_takings_empties_the_reserve_and_asks_for_more() {
    let mut replica = loaded(10_001..=12_000);
    assert!(replica.wants().is_none());
    for id in 11_400..=12_000 {
        replica.remove(id, 2, Removal::Taken);
    }
    replica.settle();
    assert_eq!(replica.shown_count(), SHOWN_MAX);
    assert_eq!(replica.wants(), Some((10_001, 1_000)));
    replica.refill(newest_first(9_001..=10_000));
    assert!(replica.wants().is_none());
}

#[test]
fn the_checksum_is_that_of_the_protocol() {
    let mut replica = Replica::default();
    replica.reload(vec![row(9, 2), row(4, 1)]);
    replica.settle();
    assert_eq!(replica.checksum(), crc32fast::hash(b"9:2,4:1,"));
    assert_eq!(Replica::default().checksum(), 0);
}

/// Follows the changes as a client would and compares with what the replica shows.
#[test]
fn a_client_that_applies_the_changes_always_has_what_is_shown() {
    let mut replica = loaded(1..=2_000);
    let mut client: BTreeSet<u64> = replica.shown().map(|row| row.id).collect();
    let mut seed = 7_u64;
    for _ in 0..300 {
        for _ in 0..20 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = (seed >> 33) % 2_600 + 1;
            let version = (seed >> 20) % 50 + 2;
            if seed & 0x10000 == 0 { replica.put(Arc::new(row(id, version))) } else { replica.remove(id, version, Removal::Taken) }
        }
        for change in replica.settle() {
            match change {
                Change::Up(id) => drop(client.insert(id)),
                Change::Removed(id, _) => drop(client.remove(&id)),
            }
        }
        assert!(replica.shown().map(|row| row.id).eq(client.iter().rev().copied()));
    }
}
