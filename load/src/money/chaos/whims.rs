//! What the producers think of: random operations of all kinds, most of them sensible, some that must be refused.

use super::book::State;
use crate::money::dice::Dice;
use crate::money::queue::{Account, Kind, Operation};

/// Few enough to meet each other, with money enough for some of what they are asked for.
pub(super) const USERS: u64 = 90;
pub(super) const CREDIT: i64 = 30_000;
const AMOUNT_MAX: u64 = 5_000;
/// Holds that are still worth a look: older ones are resolved.
const RECENT_HOLDS: usize = 200;

pub(super) fn operation(id: String, users: &[u64], state: &State, dice: &mut Dice) -> Operation {
    let user = |dice: &mut Dice| dice.pick(users).copied().unwrap_or(0);
    let kind = match dice.below(100) {
        0..20 => Kind::Credit,
        20..36 => Kind::Debit,
        36..60 => Kind::Hold,
        60..75 => Kind::Capture,
        75..83 => Kind::Release,
        _ => Kind::Transfer,
    };
    let mut operation = Operation::new(id, kind, user(dice), dice.between(1, AMOUNT_MAX) as i64);
    if dice.permille(200) {
        operation.account = Account::Earnings;
    }
    if dice.permille(100) {
        operation.currency = "USD";
    }
    match kind {
        Kind::Transfer => operation.to_user_id = Some(user(dice)),
        Kind::Hold => {
            // Some end by themselves during the run, some would after it.
            operation.expires_s = [None, None, Some(dice.between(1, 5)), Some(3_600)][dice.below(4) as usize];
        }
        Kind::Capture | Kind::Release => of_a_hold(&mut operation, users, state, dice),
        Kind::Credit | Kind::Debit => {}
    }
    if dice.permille(20) {
        spoil(&mut operation, dice);
    }
    operation
}

fn of_a_hold(operation: &mut Operation, users: &[u64], state: &State, dice: &mut Dice) {
    let recent = &state.holds[state.holds.len().saturating_sub(RECENT_HOLDS)..];
    let hold = dice.pick(recent).and_then(|&number| state.entries.get(number as usize));
    let Some((hold, id)) = hold.and_then(|hold| Some((hold, hold.first.as_ref()?.hold_id?))) else {
        // There is none yet: an unknown one.
        operation.hold_id = Some(u64::MAX >> 12);
        return;
    };
    operation.hold_id = Some(id);
    operation.user_id = hold.operation.user_id;
    operation.account = hold.operation.account;
    operation.currency = hold.operation.currency;
    operation.amount = hold.operation.amount;
    if operation.kind == Kind::Capture && dice.permille(500) {
        operation.to_user_id = dice.pick(users).copied();
    }
}

fn spoil(operation: &mut Operation, dice: &mut Dice) {
    match dice.below(7) {
        0 => operation.amount = 0,
        1 => operation.amount = -operation.amount,
        2 => operation.amount = i64::MAX,
        3 => operation.user_id = 1 << 50,
        4 => operation.to_user_id = Some(operation.user_id),
        5 => operation.hold_id = Some(1 << 50),
        _ => operation.amount = 1_000_000_000,
    }
}

/// Messages that are no operations; `n` makes each another one.
pub(super) fn poison(n: u64) -> String {
    match n % 4 {
        0 => format!("not JSON {n}"),
        1 => format!(r#"{{"operation_id":"poison-{n}","type":"steal","user_id":1,"account":"wallet","currency":"RUB","amount":1}}"#),
        2 => format!("[{n}]"),
        _ => format!(r#"{{"operation_id":"poison-{n}","type":"credit"}}"#),
    }
}
