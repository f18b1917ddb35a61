//! Whom this node has refused in the last hour, minute by minute. Bounded: of more callers than a minute keeps, only the counts by
//! limit are told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::Asker;
use crate::domain::limits::LimitName;

const MINUTES: u64 = 60;
const CALLERS_OF_MINUTE_MAX: usize = 500;
const CALLERS_TOLD: usize = 20;

#[derive(Default)]
pub(super) struct Refused(Mutex<VecDeque<Minute>>);

struct Minute {
    number: u64,
    by_limit: BTreeMap<LimitName, u64>,
    by_caller: HashMap<(Asker, LimitName), u64>,
}

/// How often a limit was met.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct MetLimit {
    #[schemars(with = "String")]
    pub(in crate::http) limit: LimitName,
    pub(in crate::http) count: u64,
}

/// Asker met it most. An IPv6 address stands for its network.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::http) struct MetBy {
    #[schemars(with = "String")]
    pub(in crate::http) limit: LimitName,
    pub(in crate::http) user_id: Option<u64>,
    pub(in crate::http) address: Option<String>,
    pub(in crate::http) count: u64,
}

impl Refused {
    pub(super) fn note(&self, at: Duration, who: Asker, limit: LimitName) {
        let number = at.as_secs() / 60;
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.back().is_none_or(|minute| minute.number != number) {
            minutes.push_back(Minute { number, by_limit: BTreeMap::new(), by_caller: HashMap::new() });
            while minutes.front().is_some_and(|minute| minute.number + MINUTES <= number) {
                minutes.pop_front();
            }
        }
        let Some(minute) = minutes.back_mut() else { return };
        *minute.by_limit.entry(limit).or_default() += 1;
        let has_room = minute.by_caller.len() < CALLERS_OF_MINUTE_MAX;
        match minute.by_caller.get_mut(&(who, limit)) {
            Some(count) => *count += 1,
            None if has_room => drop(minute.by_caller.insert((who, limit), 1)),
            None => {}
        }
    }

    pub(super) fn last_hour(&self, at: Duration) -> (Vec<MetLimit>, Vec<MetBy>) {
        let number = at.as_secs() / 60;
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = || minutes.iter().filter(|minute| minute.number + MINUTES > number);
        let count = |limit| recent().filter_map(|minute| minute.by_limit.get(&limit)).sum();
        let by_limit = LimitName::ALL.map(|limit| MetLimit { limit, count: count(limit) });
        let mut by_caller: HashMap<(Asker, LimitName), u64> = HashMap::new();
        for (caller, count) in recent().flat_map(|minute| &minute.by_caller) {
            *by_caller.entry(*caller).or_default() += count;
        }
        let mut most: Vec<MetBy> = by_caller.into_iter().map(|((who, limit), count)| MetBy::new(who, limit, count)).collect();
        most.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.user_id.cmp(&b.user_id)));
        most.truncate(CALLERS_TOLD);
        (by_limit.into(), most)
    }
}

impl MetBy {
    fn new(who: Asker, limit: LimitName, count: u64) -> Self {
        let (user_id, address) = match who {
            Asker::User(id) => (Some(id), None),
            Asker::Address(address) => (None, Some(address.to_string())),
        };
        Self { limit, user_id, address, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_remembered_and_no_more() {
        let refused = Refused::default();
        let minute = |number: u64| Duration::from_secs(number * 60);
        for number in 0..90 {
            refused.note(minute(number), Asker::User(number % 2), LimitName::Accepts);
        }
        refused.note(minute(89), Asker::User(7), LimitName::Requests);
        let (by_limit, by_caller) = refused.last_hour(minute(89));
        let count = |limit| by_limit.iter().find(|met| met.limit == limit).map(|met| met.count);
        assert_eq!((count(LimitName::Accepts), count(LimitName::Requests), count(LimitName::OrdersDay)), (Some(60), Some(1), Some(0)));
        assert_eq!(by_caller.iter().map(|met| met.count).collect::<Vec<_>>(), [30, 30, 1]);
        assert!(refused.last_hour(minute(200)).1.is_empty());
    }

    #[test]
    fn a_flood_of_callers_is_counted_and_not_remembered() {
        let refused = Refused::default();
        for number in 0..10_000 {
            refused.note(Duration::ZERO, Asker::User(number), LimitName::Requests);
        }
        let (by_limit, by_caller) = refused.last_hour(Duration::ZERO);
        assert_eq!((by_limit[0].count, by_caller.len()), (10_000, CALLERS_TOLD));
        assert_eq!(refused.0.lock().expect("a lock")[0].by_caller.len(), CALLERS_OF_MINUTE_MAX);
    }
}
