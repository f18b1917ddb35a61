//! What one caller may ask of the house: the figures in force, what an admin has set instead of what a node was started with, and
//! the name that a refusal gives to the limit it met.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rate::Rate;
use super::refusal::{Invalid, Reason};

/// Attempts to sign in, register or have a link sent are counted over this time.
pub const ATTEMPTS_PER: Duration = Duration::from_secs(900);
/// Orders are counted over this time, whenever it begins.
pub const ORDERS_PER: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// An accept is worth a race: so many seconds of them at once.
const ACCEPTS_BURST_S: u32 = 2;
/// Above this a limit limits nothing that a node could do.
const FIGURE_MAX: u32 = 1_000_000;

/// The figures; 0 limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Limits {
    /// Of one user, or of one address that nobody has signed in from; accepts apart.
    pub requests_s: u32,
    pub requests_burst: u32,
    pub requests_min: u32,
    /// Of one user.
    pub accepts_s: u32,
    /// Of one customer, in any 24 hours.
    pub orders_day: u32,
    /// Of each kind, from one address in 15 minutes.
    pub attempts_address: u32,
    /// Of each kind, with one e-mail address in 15 minutes.
    pub attempts_email: u32,
}

/// What an admin has set; what is not named is as the node was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsSet {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_burst: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_min: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_day: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_address: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_email: Option<u32>,
}

impl LimitsSet {
    /// Refuses figures that could not be meant.
    pub fn check(&self) -> Result<(), Invalid> {
        let fields = [
            ("requests_s", self.requests_s),
            ("requests_burst", self.requests_burst),
            ("requests_min", self.requests_min),
            ("accepts_s", self.accepts_s),
            ("orders_day", self.orders_day),
            ("attempts_address", self.attempts_address),
            ("attempts_email", self.attempts_email),
        ];
        match fields.iter().find(|(_, figure)| figure.is_some_and(|figure| figure > FIGURE_MAX)) {
            Some((field, _)) => {
                Err(Invalid::new(field, Reason::TooLarge, format!("`{field}` is 0, which limits nothing, to {FIGURE_MAX}")))
            }
            None => Ok(()),
        }
    }
}

impl Limits {
    pub fn with(self, set: &LimitsSet) -> Self {
        Self {
            requests_s: set.requests_s.unwrap_or(self.requests_s),
            requests_burst: set.requests_burst.unwrap_or(self.requests_burst),
            requests_min: set.requests_min.unwrap_or(self.requests_min),
            accepts_s: set.accepts_s.unwrap_or(self.accepts_s),
            orders_day: set.orders_day.unwrap_or(self.orders_day),
            attempts_address: set.attempts_address.unwrap_or(self.attempts_address),
            attempts_email: set.attempts_email.unwrap_or(self.attempts_email),
        }
    }

    /// The rate of a limit; nothing where it is off, or is no rate.
    pub fn rate(&self, limit: LimitName) -> Option<Rate> {
        let figure = self.figure(limit);
        match limit {
            LimitName::Requests => Rate::new(figure, SECOND, self.requests_burst.max(figure)),
            LimitName::RequestsMinute => Rate::new(figure, MINUTE, figure),
            LimitName::Accepts => Rate::new(figure, SECOND, figure.saturating_mul(ACCEPTS_BURST_S)),
            LimitName::AttemptsAddress | LimitName::AttemptsEmail => Rate::new(figure, ATTEMPTS_PER, figure),
            LimitName::OrdersDay => None,
        }
    }

    /// The limit's figure, for whoever has met it.
    pub fn figure(&self, limit: LimitName) -> u32 {
        match limit {
            LimitName::Requests => self.requests_s,
            LimitName::RequestsMinute => self.requests_min,
            LimitName::Accepts => self.accepts_s,
            LimitName::OrdersDay => self.orders_day,
            LimitName::AttemptsAddress => self.attempts_address,
            LimitName::AttemptsEmail => self.attempts_email,
        }
    }

    /// That a limit was met; `wait` is how long to stay away.
    pub fn reached(&self, limit: LimitName, wait: Duration) -> Reached {
        let seconds = wait.as_nanos().div_ceil(SECOND.as_nanos()).max(1);
        Reached { limit, allowed: self.figure(limit), retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX) }
    }
}

/// Which limit; its name is the one under which it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "&'static str")]
pub enum LimitName {
    Requests,
    RequestsMinute,
    Accepts,
    OrdersDay,
    AttemptsAddress,
    AttemptsEmail,
}

impl LimitName {
    pub const ALL: [Self; 6] =
        [Self::Requests, Self::RequestsMinute, Self::Accepts, Self::OrdersDay, Self::AttemptsAddress, Self::AttemptsEmail];

    pub fn as_str(self) -> &'static str {
        match self {
            LimitName::Requests => "requests_s",
            LimitName::RequestsMinute => "requests_min",
            LimitName::Accepts => "accepts_s",
            LimitName::OrdersDay => "orders_day",
            LimitName::AttemptsAddress => "attempts_address",
            LimitName::AttemptsEmail => "attempts_email",
        }
    }

    /// What it lets through, after a figure.
    pub fn of(self) -> &'static str {
        match self {
            Self::Requests => "requests a second are taken from one caller",
            Self::RequestsMinute => "requests a minute are taken from one caller",
            Self::Accepts => "accepts a second are taken from one executor",
            Self::OrdersDay => "orders in 24 hours are taken from one customer",
            Self::AttemptsAddress => "attempts in 15 minutes are taken from one address",
            Self::AttemptsEmail => "attempts in 15 minutes are taken with one e-mail address",
        }
    }
}

impl From<LimitName> for &'static str {
    fn from(limit: LimitName) -> Self {
        limit.as_str()
    }
}

/// A limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    pub limit: LimitName,
    pub allowed: u32,
    pub retry_after_s: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_as_the_node_was_started() {
        let started = Limits { requests_s: 5, requests_burst: 20, orders_day: 200, ..Limits::default() };
        assert_eq!(started.with(&LimitsSet::default()), started);
        let set: LimitsSet = serde_json::from_str(r#"{"requests_s":7,"orders_day":0}"#).expect("a setting");
        assert_eq!(started.with(&set), Limits { requests_s: 7, requests_burst: 20, orders_day: 0, ..Limits::default() });
        assert!(serde_json::from_str::<LimitsSet>(r#"{"requests":7}"#).is_err());
        assert!(LimitsSet { accepts_s: Some(FIGURE_MAX + 1), ..LimitsSet::default() }.check().is_err());
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_that_are_long_enough() {
        let limits = Limits { accepts_s: 20, ..Limits::default() };
        let told = |ms| limits.reached(LimitName::Accepts, Duration::from_millis(ms)).retry_after_s;
        assert_eq!((told(0), told(1), told(1_000), told(1_001)), (1, 1, 1, 2));
        assert_eq!(limits.rate(LimitName::Requests), None);
        assert!(limits.rate(LimitName::Accepts).is_some());
    }
}
