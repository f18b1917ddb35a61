use std::time::Duration;

use super::*;

struct Scene {
    truth: Truth,
    begun: Instant,
}

impl Scene {
    /// Orders 1 to `count` are open.
    fn of(count: u64) -> Self {
        let (truth, begun) = (Truth::default(), Instant::now());
        truth.begin_with(&(1..=count).collect::<Vec<_>>(), begun);
        Self { truth, begun }
    }

    fn at(&self, ms: u64) -> Instant {
        self.begun + Duration::from_millis(ms)
    }

    fn change(&self, id: u64, deed: Deed, ms: u64) {
        self.truth.made(&[id], deed, Fate::Published, self.at(ms));
    }

    /// The orders in which a copy differs, and since when.
    fn behind(&self, rows: &[(u64, u64)]) -> Vec<(u64, Option<u64>)> {
        let since = |made: Made| made.at.duration_since(self.begun).as_millis() as u64;
        self.truth.behind(rows).into_iter().map(|behind| (behind.id, behind.lacks.map(since))).collect()
    }
}

fn rows(ids: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    ids.map(|id| (id, 1)).collect()
}

const CLOSE: Deed = Deed::Close { for_good: false };

#[test]
fn a_copy_is_behind_since_the_first_change_that_it_lacks() {
    let scene = Scene::of(3);
    scene.change(2, Deed::Touch, 10);
    scene.change(2, Deed::Touch, 20);
    assert_eq!(scene.behind(&[(1, 1), (2, 1), (3, 1)]), [(2, Some(10))]);
    assert_eq!(scene.behind(&[(1, 1), (2, 2), (3, 1)]), [(2, Some(20))]);
    assert_eq!(scene.behind(&[(1, 1), (2, 3), (3, 1)]), []);
    assert_eq!(scene.behind(&[(1, 1), (2, 4), (3, 1)]), [], "ahead");
}

#[test]
fn an_order_that_closed_or_opened_is_missed_since_then() {
    let scene = Scene::of(3);
    scene.change(2, CLOSE, 10);
    assert_eq!(scene.behind(&rows(1..=3)), [(2, Some(10))]);
    scene.change(2, Deed::Open, 20);
    assert_eq!(scene.behind(&[(1, 1), (3, 1)]), [(2, Some(20))]);
    assert_eq!(scene.behind(&rows(1..=3)), [(2, Some(10))], "it was never told that it closed");
    scene.change(1, CLOSE, 30);
    assert_eq!(scene.behind(&[(1, 1), (2, 3), (3, 1)]), [(1, Some(30))], "the lowest");
}

#[test]
fn where_a_copy_ends_is_blamed_only_when_nothing_else_is() {
    let scene = Scene::of(1_002);
    assert_eq!(scene.behind(&rows(3..=1_002)), []);
    scene.change(1_003, Deed::Open, 10);
    assert_eq!(scene.behind(&rows(3..=1_002)), [(1_003, Some(10))], "and 3 is there for want of it");
    assert_eq!(scene.behind(&rows(4..=1_003)), []);
    assert_eq!(scene.behind(&rows(3..=1_003)), [(3, None)], "one too many");
    scene.change(500, CLOSE, 20);
    let without = |lowest: u64| rows((lowest..=1_003).filter(|id| *id != 500));
    assert_eq!(scene.behind(&without(3)), []);
    assert_eq!(scene.behind(&without(2)), [(2, None)]);
}

#[test]
fn what_is_leased_is_nobody_elses_until_it_is_returned() {
    let scene = Scene::of(5);
    let mut dice = Dice::new(1);
    let mut drawn: Vec<u64> = (0..50).flat_map(|_| scene.truth.lease(1, true, &mut dice)).collect();
    drawn.sort_unstable();
    assert_eq!(drawn, [1, 2, 3, 4, 5]);
    scene.truth.give_back(&[4]);
    scene.change(4, CLOSE, 10);
    assert!(scene.truth.lease(5, true, &mut dice).is_empty());
    assert_eq!(scene.truth.lease(1, false, &mut dice), [4]);
}
