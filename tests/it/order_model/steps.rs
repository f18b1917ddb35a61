//! Random steps: mostly what somebody who looked at the order would do, often not.

use proptest::collection::vec;
use proptest::prelude::*;

/// One call, in terms of the sequence: which of its people, orders and keys.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) act: Act,
    /// Which order, counted back from the newest; past the oldest there is none.
    pub(super) order: usize,
    /// Of those that the act is for, where there are any.
    pub(super) is_sensible: bool,
    /// Somebody, whoever may do it or not; or whose turn it is.
    pub(super) who: Option<usize>,
    /// Among the executors, where it may be any.
    pub(super) executor: usize,
    /// Calls of one person under one key are one.
    pub(super) key: Option<usize>,
    /// What was asked under the key before is asked again.
    pub(super) is_repeat: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Create {
        ask: Ask,
        is_chosen: bool,
        is_auto: bool,
    },
    Edit {
        seen: Seen,
        ask: Option<Ask>,
        title: Option<usize>,
        category: Option<usize>,
    },
    Freeze,
    Unfreeze,
    Cancel,
    Accept {
        seen: Option<Seen>,
    },
    Apply {
        percent: Option<i64>,
        seen: Option<Seen>,
    },
    Withdraw,
    Choose {
        seen: Option<Seen>,
    },
    Submit,
    Reject,
    Confirm,
    Abandon,
    Dispute,
    Arbitrate {
        pays: bool,
    },
    /// The time to object to submitted work is over.
    Due,
    /// An admin sets another commission.
    Policy(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    Price(i64),
    Payout(i64),
}

/// The version that the caller says to have seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    Now,
    /// So many versions ago.
    Ago(u64),
    Future,
}

pub(super) fn sequence(steps: usize, group_max: usize) -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(vec(step(), 1..=group_max), steps)
}

fn step() -> impl Strategy<Value = Step> {
    let order = prop_oneof![12 => 0..4_usize, 4 => 4..12_usize, 1 => 12..80_usize];
    let who = prop_oneof![6 => Just(None), 1 => (0..super::PEOPLE).prop_map(Some)];
    let key = prop_oneof![4 => Just(None), 1 => (0..3_usize).prop_map(Some)];
    (act(), (order, proptest::bool::weighted(0.7)), who, 0..3_usize, (key, any::<bool>())).prop_map(
        |(act, (order, is_sensible), who, executor, (key, is_repeat))| Step { act, order, is_sensible, who, executor, key, is_repeat },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let create = (ask(), any::<bool>(), prop_oneof![2 => Just(false), 1 => Just(true)]);
    let edit =
        (seen(), proptest::option::of(ask()), proptest::option::weighted(0.3, 0..3_usize), proptest::option::weighted(0.3, 0..4_usize));
    let percent = proptest::option::of(prop_oneof![8 => 50..=200_i64, 1 => 1..50_i64, 1 => 201..300_i64, 1 => Just(0_i64)]);
    prop_oneof![
        10 => create.prop_map(|(ask, is_chosen, is_auto)| Act::Create { ask, is_chosen, is_auto }),
        9 => edit.prop_map(|(seen, ask, title, category)| Act::Edit { seen, ask, title, category }),
        3 => Just(Act::Freeze),
        4 => Just(Act::Unfreeze),
        2 => Just(Act::Cancel),
        12 => maybe_seen().prop_map(|seen| Act::Accept { seen }),
        12 => (percent, maybe_seen()).prop_map(|(percent, seen)| Act::Apply { percent, seen }),
        3 => Just(Act::Withdraw),
        8 => maybe_seen().prop_map(|seen| Act::Choose { seen }),
        9 => Just(Act::Submit),
        3 => Just(Act::Reject),
        4 => Just(Act::Confirm),
        4 => Just(Act::Abandon),
        4 => Just(Act::Dispute),
        4 => any::<bool>().prop_map(|pays| Act::Arbitrate { pays }),
        3 => Just(Act::Due),
        1 => (0..super::board::POLICIES.len()).prop_map(Act::Policy),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let amount = || {
        prop_oneof![
            10 => 100..=8_000_i64, 4 => 1..=100_i64, 1 => Just(0_i64), 1 => Just(-1_i64), 1 => Just(1_000_000_000_001_i64)
        ]
    };
    prop_oneof![3 => amount().prop_map(Ask::Price), 1 => Just(Ask::Price(900_000_000_000)), 2 => amount().prop_map(Ask::Payout)]
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![5 => Just(Seen::Now), 5 => (0..6_u64).prop_map(Seen::Ago), 1 => Just(Seen::Future)]
}

fn maybe_seen() -> impl Strategy<Value = Option<Seen>> {
    prop_oneof![2 => Just(None), 3 => seen().prop_map(Some)]
}
