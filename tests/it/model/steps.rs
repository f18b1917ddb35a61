//! Random steps: mostly sensible, often not.

use proptest::collection::vec;
use proptest::prelude::*;

/// One operation, in terms of the sequence: which of its ids, users and holds.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// A new id, or one used so many operations ago.
    pub(super) id: Option<usize>,
    /// With an id used before: the same body again, or the one this step says.
    pub(super) is_repeat: bool,
    pub(super) kind: &'static str,
    pub(super) user: usize,
    pub(super) to_user: usize,
    pub(super) account: &'static str,
    pub(super) currency: &'static str,
    pub(super) amount: i64,
    /// Which of the holds made so far.
    pub(super) hold: usize,
    /// What is wrong about what a capture or release believes of its hold.
    pub(super) belief: Belief,
    pub(super) pays_somebody: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Belief {
    Nothing,
    Right,
    WrongAmount,
    WrongCurrency,
    WrongUser,
    NoSuchHold,
}

pub(super) fn sequence(steps: usize, group_max: usize) -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(vec(step(), 1..=group_max), steps)
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        3 => Just("credit"), 3 => Just("debit"), 6 => Just("hold"), 4 => Just("capture"), 3 => Just("release"),
        4 => Just("transfer"), 1 => Just("dance")
    ];
    let amount = prop_oneof![
        10 => 1..=400_i64, 3 => 400..=20_000_i64, 1 => Just(0_i64), 1 => -5..0_i64, 1 => Just(1_000_000_000_000_i64),
        1 => Just(1_000_000_000_001_i64), 1 => Just(i64::MAX)
    ];
    let belief = prop_oneof![
        4 => Just(Belief::Nothing), 6 => Just(Belief::Right), 1 => Just(Belief::WrongAmount), 1 => Just(Belief::WrongCurrency),
        1 => Just(Belief::WrongUser), 1 => Just(Belief::NoSuchHold)
    ];
    let id = prop_oneof![6 => Just(None), 1 => (0..12_usize).prop_map(Some)];
    // 0 to 2 are open users, 3 is closed, 4 does not exist.
    let user = prop_oneof![8 => 0..3_usize, 1 => 3..5_usize];
    let to_user = prop_oneof![8 => 0..3_usize, 1 => 3..5_usize];
    let account = prop_oneof![4 => Just("wallet"), 1 => Just("earnings")];
    let currency = prop_oneof![5 => Just("RUB"), 1 => Just("USD"), 1 => Just("EUR")];
    (id, any::<bool>(), kind, (user, to_user), (account, currency), amount, 0..1_000_usize, belief, any::<bool>()).prop_map(
        |(id, is_repeat, kind, (user, to_user), (account, currency), amount, hold, belief, pays_somebody)| Step {
            id,
            is_repeat,
            kind,
            user,
            to_user,
            account,
            currency,
            amount,
            hold,
            belief,
            pays_somebody,
        },
    )
}
