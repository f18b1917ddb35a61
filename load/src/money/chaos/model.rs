//! What each operation must have done to money, told from what was asked and what was answered alone.

use std::collections::HashMap;

use crate::money::queue::{Account, Kind, Operation};

/// One account of one user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) user_id: u64,
    pub(super) account: Account,
    pub(super) currency: String,
}

/// A change of an account, or of a system account (`held` is 0 then).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    User { owner: Owner, available: i64, held: i64 },
    System { account: String, currency: String, amount: i64 },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) available: i128,
    pub(super) held: i128,
}

pub(super) type Balances = HashMap<Owner, Balance>;

fn owner_of(operation: &Operation, user_id: u64) -> Owner {
    Owner { user_id, account: operation.account, currency: operation.currency.into() }
}

/// The lines of an operation that was answered as done, sorted. `hold` is the operation that made the hold it names.
pub(super) fn effect(operation: &Operation, hold: Option<&Operation>) -> Option<Vec<Line>> {
    let amount = operation.amount;
    let user = |user_id, available, held| Line::User { owner: owner_of(operation, user_id), available, held };
    let system = |account: &str, amount| Line::System { account: account.into(), currency: operation.currency.into(), amount };
    let own = operation.user_id;
    let mut lines = match operation.kind {
        Kind::Credit => vec![user(own, amount, 0), system("gateway", -amount)],
        Kind::Debit => vec![user(own, -amount, 0), system("gateway", amount)],
        Kind::Hold => vec![user(own, -amount, amount)],
        Kind::Transfer => vec![user(own, -amount, 0), user(operation.to_user_id?, amount, 0)],
        Kind::Release | Kind::Capture => {
            let hold = hold.filter(|hold| {
                hold.amount == amount && (hold.user_id, hold.account, hold.currency) == (own, operation.account, operation.currency)
            })?;
            match (operation.kind, operation.to_user_id) {
                (Kind::Release, _) => vec![user(own, hold.amount, -hold.amount)],
                (_, None) => vec![user(own, 0, -hold.amount), system("commission", hold.amount)],
                (_, Some(to)) => vec![user(own, 0, -hold.amount), user(to, hold.amount, 0)],
            }
        }
    };
    lines.sort();
    Some(lines)
}

pub(super) fn apply(balances: &mut Balances, lines: &[Line]) {
    for line in lines {
        if let Line::User { owner, available, held } = line {
            let balance = balances.entry(owner.clone()).or_default();
            balance.available += i128::from(*available);
            balance.held += i128::from(*held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(kind: Kind, amount: i64) -> Operation {
        Operation { hold_id: Some(1), ..Operation::new("x".into(), kind, 1, amount) }
    }

    fn sum(lines: &[Line]) -> i64 {
        let amount = |line: &Line| match line {
            Line::User { available, held, .. } => available + held,
            Line::System { amount, .. } => *amount,
        };
        lines.iter().map(amount).sum()
    }

    #[test]
    fn every_effect_sums_to_zero() {
        let hold = operation(Kind::Hold, 7);
        for kind in [Kind::Credit, Kind::Debit, Kind::Hold, Kind::Capture, Kind::Release, Kind::Transfer] {
            for to_user_id in [None, Some(2)] {
                let operation = Operation { to_user_id, ..operation(kind, 7) };
                match effect(&operation, Some(&hold)) {
                    Some(lines) => assert_eq!(sum(&lines), 0, "{kind:?}"),
                    None => assert_eq!((kind, to_user_id), (Kind::Transfer, None)),
                }
            }
        }
    }

    #[test]
    fn a_capture_moves_what_was_held_and_only_that() {
        let hold = operation(Kind::Hold, 7);
        let mut balances = Balances::new();
        let capture = Operation { to_user_id: Some(2), ..operation(Kind::Capture, 7) };
        for lines in [effect(&operation(Kind::Credit, 10), None), effect(&hold, None), effect(&capture, Some(&hold))] {
            apply(&mut balances, &lines.unwrap());
        }
        assert_eq!(balances[&owner_of(&hold, 1)], Balance { available: 3, held: 0 });
        assert_eq!(balances[&owner_of(&hold, 2)], Balance { available: 7, held: 0 });
        assert_eq!(effect(&operation(Kind::Capture, 8), Some(&hold)), None, "another amount than the hold's cannot be done");
        assert_eq!(effect(&operation(Kind::Capture, 7), None), None, "nor a hold that nobody made");
    }
}
