//! The verdict over a chaos run: the book of what was asked and answered against the ledger in MySQL.

use std::collections::HashMap;

use serde::Deserialize;

use super::book::{Book, DELIVERIES_MIN, Entry, State};
use super::ledger::Ledger;
use super::model::{self, Balance, Balances, Owner};
use super::whims::CREDIT;
use crate::check::Check;
use crate::money::queue::{Account, Kind, Operation, Status};

/// A result with what it says of the accounts.
#[derive(Deserialize)]
struct Answer {
    result: Option<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    accounts: Vec<AccountState>,
}

#[derive(Deserialize)]
struct AccountState {
    user_id: u64,
    account: String,
    currency: String,
    available: i64,
    held: i64,
    version: u64,
}

pub(super) fn checks(book: &Book, ledger: &Ledger, users: &[u64]) -> Vec<Check> {
    let state = book.state();
    let done = Done::new(&state);
    let mut checks = answers(&state);
    checks.push(rows(&state, ledger));
    checks.push(effects(&state, ledger, &done));
    checks.push(holds(ledger, &done));
    checks.push(balances(ledger, &done, users));
    checks.push(states(ledger));
    checks
}

/// Operations that were answered as done, and those of them that made a hold, by the hold's number.
struct Done<'a> {
    operations: Vec<(u64, &'a Entry)>,
    holds: HashMap<u64, &'a Operation>,
}

impl<'a> Done<'a> {
    fn new(state: &'a State) -> Self {
        let is_done = |entry: &Entry| entry.first.as_ref().is_some_and(|first| first.status == Status::Done);
        let operations: Vec<_> = (0..).zip(&state.entries).filter(|(_, entry)| is_done(entry)).collect();
        let made = |entry: &'a Entry| {
            let is_hold = entry.operation.kind == Kind::Hold;
            entry.first.as_ref().filter(|_| is_hold)?.hold_id.map(|id| (id, &entry.operation))
        };
        let holds = operations.iter().filter_map(|(_, entry)| made(entry)).collect();
        Self { operations, holds }
    }

    fn hold_of(&self, operation: &Operation) -> Option<&'a Operation> {
        operation.hold_id.and_then(|id| self.holds.get(&id).copied())
    }
}

fn answers(state: &State) -> Vec<Check> {
    let mut delivered = Check::new("each message was delivered three times or more, and answered as often");
    let mut identical = Check::new("all answers to an operation are the same, byte by byte");
    let mut mismatches = Check::new("another body under the same id was answered as a mismatch");
    let mut sense = Check::new("each answer belongs to something that was asked");
    let mut refusals = Check::new("refusals name a reason, and what makes no sense is refused");
    for (number, entry) in (0_u64..).zip(&state.entries) {
        delivered.seen += 1;
        let (deliveries, answers) = (entry.sent.deliveries, entry.sent.answers);
        if deliveries < DELIVERIES_MIN || answers < DELIVERIES_MIN {
            delivered.problems.add(|| format!("operation {number}: {deliveries} deliveries, {answers} answers"));
        }
        if let Some((body, sent)) = &entry.other {
            mismatches.seen += 1;
            if sent.answers == 0 {
                mismatches.problems.add(|| format!("no answer to {body}"));
            }
        }
        let Some(first) = &entry.first else { continue };
        let pays_itself =
            matches!(entry.operation.kind, Kind::Transfer | Kind::Capture) && entry.operation.to_user_id == Some(entry.operation.user_id);
        let makes_no_sense = entry.operation.amount <= 0 || pays_itself;
        if first.status == Status::Refused || makes_no_sense {
            refusals.seen += 1;
            if first.status == Status::Done || first.code.is_none() {
                refusals.problems.add(|| format!("{:?} {:?} to {}", first.status, first.code, entry.body));
            }
        }
    }
    identical.seen = state.answers;
    identical.problems.merge(state.differing.clone());
    sense.seen = state.answers;
    sense.problems.merge(state.strange.clone());
    vec![delivered, identical, mismatches, sense, refusals]
}

/// Each operation has its one row, and the row has the answer that was heard.
fn rows(state: &State, ledger: &Ledger) -> Check {
    let mut check = Check::new("each operation has exactly one row, and its result is the answer");
    for (number, entry) in (0_u64..).zip(&state.entries) {
        check.seen += 1;
        let heard = entry.first.as_ref().map(|first| (first.status == Status::Done, first.hash));
        let stored = ledger.operations.get(&number).map(|stored| (stored.is_done, stored.hash));
        if heard != stored {
            check.problems.add(|| {
                let stored = ledger.operations.get(&number).map_or("no row", |stored| &stored.result);
                let code = entry.first.as_ref().and_then(|first| first.code.as_deref());
                format!("{}: heard {heard:?} {code:?}, stored {stored}", entry.body)
            });
        }
    }
    for id in &ledger.strangers {
        check.problems.add(|| format!("{id} is an operation that nobody asked for"));
    }
    check
}

fn effects(state: &State, ledger: &Ledger, done: &Done<'_>) -> Check {
    let mut check = Check::new("each operation that was done has its one effect, each refused one none");
    let is_done: HashMap<u64, _> = done.operations.iter().copied().collect();
    for (number, entry) in (0_u64..).zip(&state.entries) {
        check.seen += 1;
        let lines = ledger.operations.get(&number).map_or(&[][..], |stored| &stored.lines);
        let expected = match is_done.get(&number) {
            None => Some(Vec::new()),
            Some(_) => model::effect(&entry.operation, done.hold_of(&entry.operation)),
        };
        if expected.as_deref() != Some(lines) {
            check.problems.add(|| format!("{}: {lines:?} instead of {expected:?}", entry.body));
        }
    }
    check
}

/// A hold ends once: by the one capture or release that was answered as done, or by its time.
fn holds(ledger: &Ledger, done: &Done<'_>) -> Check {
    let mut check = Check::new("each hold ended at most once, as it was answered");
    let mut ends: HashMap<u64, Vec<&str>> = HashMap::new();
    for (_, entry) in &done.operations {
        let end = match entry.operation.kind {
            Kind::Capture => "captured",
            Kind::Release => "released",
            _ => continue,
        };
        ends.entry(entry.operation.hold_id.unwrap_or(0)).or_default().push(end);
    }
    for (id, made) in &done.holds {
        check.seen += 1;
        let ends = ends.remove(id).unwrap_or_default();
        let Some(stored) = ledger.holds.get(id) else {
            check.problems.add(|| format!("hold {id} is not there"));
            continue;
        };
        let state = stored.state.as_str();
        let fits = match ends.as_slice() {
            [] => state == "active" || (state == "expired" && made.expires_s.is_some()),
            [end] => *end == state,
            _ => false,
        };
        if !fits || stored.amount != made.amount {
            check.problems.add(|| format!("hold {id} of {}: {stored:?}, answered {ends:?}", made.amount));
        }
    }
    for (id, ends) in ends {
        check.problems.add(|| format!("{ends:?} hold {id}, which nobody made"));
    }
    let answered: Vec<_> = ledger.holds.iter().filter(|(id, _)| !done.holds.contains_key(id)).collect();
    for (id, hold) in answered {
        check.problems.add(|| format!("hold {id} of operation {} was not answered", hold.number));
    }
    check
}

fn balances(ledger: &Ledger, done: &Done<'_>, users: &[u64]) -> Check {
    let mut check = Check::new("each balance is what the answered operations add up to, to the kopeck");
    let mut expected = Balances::new();
    for &user_id in users {
        let owner = Owner { user_id, account: Account::Wallet, currency: "RUB".into() };
        expected.insert(owner, Balance { available: CREDIT.into(), held: 0 });
    }
    for (_, entry) in &done.operations {
        let lines = model::effect(&entry.operation, done.hold_of(&entry.operation)).unwrap_or_default();
        model::apply(&mut expected, &lines);
    }
    for (owner, amount) in &ledger.expired {
        let balance = expected.entry(owner.clone()).or_default();
        balance.available += i128::from(*amount);
        balance.held -= i128::from(*amount);
    }
    let owners = expected.keys().chain(ledger.balances.keys().filter(|owner| !expected.contains_key(owner)));
    for owner in owners {
        check.seen += 1;
        let [stored, expected] = [&ledger.balances, &expected].map(|of| of.get(owner).copied().unwrap_or_default());
        if stored != expected {
            check.problems.add(|| format!("{owner:?}: {stored:?} instead of {expected:?}"));
        }
    }
    check
}

/// What a result says of an account is what the account's history says of that version.
fn states(ledger: &Ledger) -> Check {
    let mut check = Check::new("the balances in each answer are those of the account's history");
    for stored in ledger.operations.values().filter(|stored| stored.is_done) {
        let answer: Result<Answer, _> = serde_json::from_str(&stored.result);
        let Some(result) = answer.ok().and_then(|answer| answer.result) else {
            check.problems.add(|| format!("no result in {}", stored.result));
            continue;
        };
        if result.accounts.is_empty() {
            check.problems.add(|| format!("no accounts in {}", stored.result));
        }
        for told in result.accounts {
            check.seen += 1;
            let Some(account) = Account::parse(&told.account) else { continue };
            let owner = Owner { user_id: told.user_id, account, currency: told.currency };
            let kept = ledger.after.get(&(owner, told.version)).copied();
            if kept != Some((told.available, told.held)) {
                check.problems.add(|| format!("{kept:?} in the history, told {}", stored.result));
            }
        }
    }
    check
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
