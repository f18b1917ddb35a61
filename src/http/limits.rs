//! How often one caller may ask, on this node: a user who is signed in, or the address of whoever is not. Checked for every
//! request of the API before anything else is done for it, and kept in a map that is bounded and forgets; what operators ask for and
//! the files of the page are not limited, and neither is the payment gateway, whose messages are money and are signed.
//!
//! Accepts race for orders, so they have a limit of their own. Services, which command billing with tokens of theirs, are limited
//! only where their token is nobody's.

mod refused;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::caller::Known;
use super::layers::ACCEPT;
use crate::domain::limits::{LimitName, Limits, Reached};
use crate::flow::Recent;

pub(super) use self::refused::{MetBy, MetLimit};

/// Longer than any of the rates looks back.
const REMEMBERED_FOR: Duration = Duration::from_secs(61);
const CALLERS_MAX: usize = 200_000;
/// Of an IPv6 address: whoever has one has the rest as well.
const V6_NETWORK: u128 = u128::MAX << 64;

/// For whom requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    User(u64),
    Address(IpAddr),
}

impl Asker {
    pub(super) fn new(known: &Known, address: IpAddr) -> Self {
        match (known, address.to_canonical()) {
            (Known::Member(session), _) => Self::User(session.actor.user.id),
            (_, IpAddr::V6(address)) => Self::Address(IpAddr::V6((address.to_bits() & V6_NETWORK).into())),
            (_, address) => Self::Address(address),
        }
    }
}

/// How a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Never,
    Plainly,
    Accept,
    /// Only when it turns out that nobody is calling.
    WhenUnknown,
}

impl Counted {
    pub(super) fn new(path: &str, route: &str, known: &Known) -> Self {
        let is_gateway = path.starts_with("/api/robokassa/");
        match known {
            _ if is_gateway => Self::Never,
            _ if route == ACCEPT => Self::Accept,
            Known::Stranger if path.starts_with("/api/billing/") => Self::WhenUnknown,
            _ => Self::Plainly,
        }
    }
}

/// When what somebody asked for would have come evenly, by each of the two rates.
#[derive(Clone, Copy, Default)]
struct Asked {
    by_second_ns: u64,
    by_minute_ns: u64,
}

/// This node's memory of who has asked how often, and of whom it has refused.
pub struct Gate {
    began: Instant,
    asked: Recent<Asker, Asked>,
    accepted: Recent<Asker, u64>,
    refused: refused::Refused,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            asked: Recent::new(REMEMBERED_FOR, CALLERS_MAX),
            accepted: Recent::new(REMEMBERED_FOR, CALLERS_MAX),
            refused: refused::Refused::default(),
        }
    }
}

impl Gate {
    /// Lets a request through and counts it, or says what limit it meets; then it is not counted.
    pub(super) fn admit(&self, limits: &Limits, who: Asker, counted: Counted) -> Result<(), Reached> {
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        match counted {
            Counted::Never => Ok(()),
            Counted::Accept => self.accept(limits, who, now_ns),
            Counted::Plainly => self.request(limits, who, now_ns),
            Counted::WhenUnknown => {
                let asked = self.asked.get(&who).unwrap_or_default();
                next(limits, asked, now_ns).map(drop)
            }
        }
    }

    /// Nobody was calling: a token that was meant to be a service's is nobody's.
    pub(super) fn count_unknown(&self, limits: &Limits, who: Asker) {
        // It was let through already.
        let _ = self.admit(limits, who, Counted::Plainly);
    }

    pub(super) fn note(&self, who: Asker, limit: LimitName) {
        metrics::counter!("orderboard_limited_total", "limit" => limit.as_str()).increment(1);
        self.refused.note(self.began.elapsed(), who, limit);
    }

    /// What was refused in the last hour: by limit, and to whom most.
    pub(super) fn refused(&self) -> (Vec<MetLimit>, Vec<MetBy>) {
        self.refused.last_hour(self.began.elapsed())
    }

    fn request(&self, limits: &Limits, who: Asker, now_ns: u64) -> Result<(), Reached> {
        let mut result = Ok(());
        self.asked.update(who, |asked| match next(limits, asked.copied().unwrap_or_default(), now_ns) {
            Ok(asked) => asked,
            Err(reached) => {
                result = Err(reached);
                None
            }
        });
        result
    }

    fn accept(&self, limits: &Limits, who: Asker, now_ns: u64) -> Result<(), Reached> {
        let Some(rate) = limits.rate(LimitName::Accepts) else { return Ok(()) };
        let mut result = Ok(());
        self.accepted.update(who, |even| match rate.admit(even.copied().unwrap_or(0), now_ns) {
            Ok(next) => Some(next),
            Err(wait) => {
                result = Err(limits.reached(LimitName::Accepts, wait));
                None
            }
        });
        result
    }
}

/// What to remember after one more request; nothing where nothing is limited.
fn next(limits: &Limits, asked: Asked, now_ns: u64) -> Result<Option<Asked>, Reached> {
    let by = |limit: LimitName, even_ns: u64| match limits.rate(limit) {
        Some(rate) => rate.admit(even_ns, now_ns).map(Some).map_err(|wait| limits.reached(limit, wait)),
        None => Ok(None),
    };
    let second = by(LimitName::Requests, asked.by_second_ns)?;
    let minute = by(LimitName::RequestsMinute, asked.by_minute_ns)?;
    let remembered = Asked { by_second_ns: second.unwrap_or(0), by_minute_ns: minute.unwrap_or(0) };
    Ok((second.is_some() || minute.is_some()).then_some(remembered))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(number: u64) -> Asker {
        Asker::User(number)
    }

    #[test]
    fn one_caller_is_refused_and_others_are_not() {
        let gate = Gate::default();
        let limits = Limits { requests_s: 1, requests_burst: 3, requests_min: 60, ..Limits::default() };
        for _ in 0..3 {
            gate.admit(&limits, who(1), Counted::Plainly).expect("within the burst");
        }
        let reached = gate.admit(&limits, who(1), Counted::Plainly).expect_err("one too many");
        assert_eq!((reached.limit, reached.allowed, reached.retry_after_s), (LimitName::Requests, 1, 1));
        assert!(gate.admit(&limits, who(1), Counted::WhenUnknown).is_err());
        gate.admit(&limits, who(2), Counted::Plainly).expect("somebody else");
        gate.admit(&limits, who(1), Counted::Accept).expect("accepts are not limited here");
        gate.admit(&Limits::default(), who(1), Counted::Plainly).expect("nothing is limited");
    }

    #[test]
    fn a_minute_is_a_limit_of_its_own() {
        let gate = Gate::default();
        let limits = Limits { requests_s: 1_000, requests_burst: 1_000, requests_min: 5, ..Limits::default() };
        for _ in 0..5 {
            gate.admit(&limits, who(1), Counted::Plainly).expect("within the minute");
        }
        let reached = gate.admit(&limits, who(1), Counted::Plainly).expect_err("one too many");
        assert_eq!((reached.limit, reached.retry_after_s), (LimitName::RequestsMinute, 12));
    }

    #[test]
    fn accepts_are_counted_apart() {
        let gate = Gate::default();
        let limits = Limits { accepts_s: 2, ..Limits::default() };
        for _ in 0..4 {
            gate.admit(&limits, who(1), Counted::Accept).expect("within the burst");
        }
        assert_eq!(gate.admit(&limits, who(1), Counted::Accept).expect_err("one too many").limit, LimitName::Accepts);
    }

    #[test]
    fn a_check_costs_less_than_a_microsecond() {
        let gate = Gate::default();
        let limits = Limits { accepts_s: 1_000_000, ..Limits::default() };
        let fastest = (0..20).map(|_| {
            let began = Instant::now();
            for number in 0..10_000 {
                let _ = gate.admit(&limits, who(number), Counted::Accept);
            }
            began.elapsed() / 10_000
        });
        let fastest = fastest.min().expect("rounds");
        // A build without optimisation is an order slower.
        let bound = if cfg!(debug_assertions) { Duration::from_micros(10) } else { Duration::from_micros(1) };
        assert!(fastest < bound, "{fastest:?}");
    }
}
