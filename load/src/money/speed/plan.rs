//! What is published when speed is measured. All of it can be done: nobody runs out of money.

use std::collections::VecDeque;

use crate::money::dice::Dice;
use crate::money::queue::{Kind, Operation};

const AMOUNT: i64 = 10;

/// A hold that was made beforehand.
#[derive(Clone, Copy)]
pub(super) struct Hold {
    pub(super) id: u64,
    pub(super) user_id: u64,
}

/// Who gets what was held.
#[derive(Clone)]
pub(super) enum To {
    /// One system account.
    House,
    /// Somebody else each time.
    Many(Vec<u64>),
    /// The same user's account each time.
    One(u64),
}

pub(super) enum Plan {
    /// Credits, debits, transfers, and holds which are captured once their answer is there.
    Mix { users: Vec<u64>, dice: Dice, left: u64, captures: VecDeque<Hold>, asked: VecDeque<(u64, u64)> },
    /// What the floor does.
    Credits { users: Vec<u64>, dice: Dice, left: u64 },
    /// Holds alone; what was made is in `made`.
    Holds { users: Vec<u64>, left: u64, asked: Vec<u64>, made: Vec<Hold> },
    /// Captures of holds that are there already.
    Captures { holds: Vec<Hold>, to: To, dice: Dice },
}

impl Plan {
    pub(super) fn mix(users: &[u64], count: u64, seed: u64) -> Self {
        Self::Mix { users: users.to_vec(), dice: Dice::new(seed), left: count, captures: VecDeque::new(), asked: VecDeque::new() }
    }

    pub(super) fn credits(users: &[u64], count: u64, seed: u64) -> Self {
        Self::Credits { users: users.to_vec(), dice: Dice::new(seed), left: count }
    }

    pub(super) fn holds(users: &[u64], count: u64) -> Self {
        Self::Holds { users: users.to_vec(), left: count, asked: Vec::new(), made: Vec::new() }
    }

    pub(super) fn captures(holds: Vec<Hold>, to: To, seed: u64) -> Self {
        Self::Captures { holds, to, dice: Dice::new(seed) }
    }

    /// The next request, which becomes number `number` under `id`.
    pub(super) fn next(&mut self, number: u64, id: String) -> Option<Operation> {
        match self {
            Self::Mix { users, dice, left, captures, asked } => {
                *left = left.checked_sub(1)?;
                if let Some(hold) = captures.pop_front() {
                    return Some(capture(id, hold, None));
                }
                let user = *dice.pick(users)?;
                let kind = match dice.below(9) {
                    0..3 => Kind::Credit,
                    3..5 => Kind::Debit,
                    5..8 => Kind::Transfer,
                    _ => Kind::Hold,
                };
                let mut operation = Operation::new(id, kind, user, AMOUNT);
                if kind == Kind::Transfer {
                    operation.to_user_id = other(users, user, dice);
                }
                if kind == Kind::Hold {
                    asked.push_back((number, user));
                }
                Some(operation)
            }
            Self::Credits { users, dice, left } => {
                *left = left.checked_sub(1)?;
                Some(Operation::new(id, Kind::Credit, *dice.pick(users)?, AMOUNT))
            }
            Self::Holds { users, left, asked, .. } => {
                *left = left.checked_sub(1)?;
                let user = users[number as usize % users.len()];
                asked.push(user);
                Some(Operation::new(id, Kind::Hold, user, AMOUNT))
            }
            Self::Captures { holds, to, dice } => {
                let hold = holds.pop()?;
                let to_user_id = match to {
                    To::House => None,
                    To::Many(users) => other(users, hold.user_id, dice),
                    To::One(user) => Some(*user),
                };
                Some(capture(id, hold, to_user_id))
            }
        }
    }

    /// The answer to request `number` named this hold.
    pub(super) fn heard(&mut self, number: u64, hold_id: Option<u64>) {
        let Some(id) = hold_id else { return };
        match self {
            Self::Mix { captures, asked, .. } => {
                // Answers come nearly in the order of the requests.
                if let Some(at) = asked.iter().position(|(asked, _)| *asked == number)
                    && let Some((_, user_id)) = asked.remove(at)
                {
                    captures.push_back(Hold { id, user_id });
                }
            }
            Self::Holds { asked, made, .. } => made.extend(asked.get(number as usize).map(|&user_id| Hold { id, user_id })),
            Self::Credits { .. } | Self::Captures { .. } => {}
        }
    }

    /// The holds that were made.
    pub(super) fn into_made(self) -> Vec<Hold> {
        match self {
            Self::Holds { made, .. } => made,
            Self::Mix { .. } | Self::Credits { .. } | Self::Captures { .. } => Vec::new(),
        }
    }
}

fn capture(id: String, hold: Hold, to_user_id: Option<u64>) -> Operation {
    Operation { hold_id: Some(hold.id), to_user_id, ..Operation::new(id, Kind::Capture, hold.user_id, AMOUNT) }
}

/// Somebody who is not `user`.
fn other(users: &[u64], user: u64, dice: &mut Dice) -> Option<u64> {
    let at = dice.below(users.len() as u64) as usize;
    [at, at + 1].iter().find_map(|at| users.get(at % users.len()).copied().filter(|other| *other != user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_captures_the_holds_that_were_answered() {
        let mut plan = Plan::mix(&[1, 2, 3], 200, 1);
        let mut kinds = Vec::new();
        for number in 0..250 {
            let Some(operation) = plan.next(number, number.to_string()) else { break };
            if operation.kind == Kind::Hold {
                plan.heard(number, Some(1000 + number));
            }
            assert_ne!(operation.to_user_id, Some(operation.user_id));
            kinds.push(operation.kind);
        }
        let count = |kind| kinds.iter().filter(|k| **k == kind).count();
        assert_eq!(kinds.len(), 200);
        assert!(count(Kind::Hold) > 5 && count(Kind::Hold) - count(Kind::Capture) <= 1);
    }

    #[test]
    fn captures_name_the_hold_its_owner_and_who_is_paid() {
        let mut plan = Plan::holds(&[1, 2], 4);
        for number in 0..4 {
            plan.next(number, String::new()).unwrap();
            plan.heard(number, Some(10 + number));
        }
        assert!(plan.next(4, String::new()).is_none());
        let holds = plan.into_made();
        let mut plan = Plan::captures(holds, To::Many(vec![1, 2]), 1);
        let capture = plan.next(0, "x".into()).unwrap();
        assert_eq!((capture.hold_id, capture.user_id, capture.to_user_id), (Some(13), 2, Some(1)));
    }
}
