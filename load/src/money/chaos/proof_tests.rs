//! Planted faults: each must be seen by the check that is there for it, and by no other run of luck.

use super::*;
use crate::money::chaos::ledger::{Hold, Stored};
use crate::money::chaos::model::Line;

const USERS: [u64; 2] = [1, 2];

/// A hold that was captured to user 2, answered three times each; and what MySQL has of it.
struct Scene {
    book: Book,
    ledger: Ledger,
}

fn owner(user_id: u64) -> Owner {
    Owner { user_id, account: Account::Wallet, currency: "RUB".into() }
}

fn line(user_id: u64, available: i64, held: i64) -> Line {
    Line::User { owner: owner(user_id), available, held }
}

impl Scene {
    fn new() -> Self {
        let book = Book::new("t-".into());
        let hold = |id, _: &State| Operation::new(id, Kind::Hold, 1, 10);
        let capture = |id, _: &State| Operation { hold_id: Some(9), to_user_id: Some(2), ..Operation::new(id, Kind::Capture, 1, 10) };
        book.ask(hold).unwrap();
        book.ask(capture).unwrap();
        let mut scene = Self { book, ledger: Ledger::empty() };
        scene.carried_out(0, 1, (CREDIT - 10, 10), vec![line(1, -10, 10)]);
        scene.carried_out(1, 2, (CREDIT - 10, 0), vec![line(1, 0, -10), line(2, 10, 0)]);
        scene.ledger.holds.insert(9, Hold { number: 0, state: "captured".into(), amount: 10 });
        scene.ledger.balances.insert(owner(1), Balance { available: i128::from(CREDIT) - 10, held: 0 });
        scene.ledger.balances.insert(owner(2), Balance { available: i128::from(CREDIT) + 10, held: 0 });
        scene
    }

    fn carried_out(&mut self, number: u64, version: u64, (available, held): (i64, i64), mut lines: Vec<Line>) {
        let state =
            format!(r#"{{"user_id":1,"account":"wallet","currency":"RUB","available":{available},"held":{held},"version":{version}}}"#);
        let result = format!(r#"{{"operation_id":"t-{number}","status":"done","result":{{"accounts":[{state}],"hold_id":9}}}}"#);
        for _ in 0..DELIVERIES_MIN {
            self.book.delivered(number, crate::money::chaos::book::Which::Body);
            self.book.answered(&result);
        }
        lines.sort();
        let hash = crate::money::chaos::book::hash(&result);
        self.ledger.operations.insert(number, Stored { is_done: true, result, hash, lines });
        self.ledger.after.insert((owner(1), version), (available, held));
    }
}

/// Of the checks that found something.
fn names(scene: &Scene) -> Vec<&'static str> {
    let found = checks(&scene.book, &scene.ledger, &USERS).into_iter().filter(|check| check.problems.count > 0);
    found.map(|check| check.name).collect()
}

#[test]
fn books_that_are_kept_are_found_in_order() {
    assert!(names(&Scene::new()).is_empty());
}

#[test]
fn an_effect_that_happened_twice_is_found() {
    let mut scene = Scene::new();
    let stored = scene.ledger.operations.get_mut(&1).unwrap();
    let again = stored.lines.clone();
    stored.lines.extend(again);
    stored.lines.sort();
    assert_eq!(names(&scene), ["each operation that was done has its one effect, each refused one none"]);
}

#[test]
fn a_kopeck_that_is_missing_is_found() {
    let mut scene = Scene::new();
    scene.ledger.balances.get_mut(&owner(2)).unwrap().available -= 1;
    assert_eq!(names(&scene), ["each balance is what the answered operations add up to, to the kopeck"]);
}

#[test]
fn an_operation_that_was_answered_and_is_not_there_is_found() {
    let mut scene = Scene::new();
    scene.ledger.operations.remove(&1);
    let names = names(&scene);
    assert!(names.contains(&"each operation has exactly one row, and its result is the answer"), "{names:?}");
    assert!(names.contains(&"each operation that was done has its one effect, each refused one none"), "{names:?}");
}

#[test]
fn a_hold_that_was_captured_and_is_active_is_found() {
    let mut scene = Scene::new();
    scene.ledger.holds.get_mut(&9).unwrap().state = "active".into();
    assert_eq!(names(&scene), ["each hold ended at most once, as it was answered"]);
}

#[test]
fn an_answer_that_differs_and_one_that_is_missing_are_found() {
    let scene = Scene::new();
    scene.book.answered(r#"{"operation_id":"t-1","status":"refused","code":"insufficient_funds"}"#);
    scene.book.ask(|id, _| Operation::new(id, Kind::Credit, 1, 1)).unwrap();
    let names = names(&scene);
    assert!(names.contains(&"all answers to an operation are the same, byte by byte"), "{names:?}");
    assert!(names.contains(&"each message was delivered three times or more, and answered as often"), "{names:?}");
}

#[test]
fn a_balance_in_an_answer_that_never_was_is_found() {
    let mut scene = Scene::new();
    scene.ledger.after.insert((owner(1), 2), (0, 0));
    assert_eq!(names(&scene), ["the balances in each answer are those of the account's history"]);
}

#[test]
fn an_operation_that_nobody_asked_for_is_found() {
    let mut scene = Scene::new();
    scene.ledger.strangers.push("b:other".into());
    assert_eq!(names(&scene), ["each operation has exactly one row, and its result is the answer"]);
}
