//! What anybody may try without being signed in, and what could be guessed by trying often: limited by address and by e-mail
//! address, for all nodes together. While Redis is away each node counts what is tried at it.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Recent;
use crate::bus::{Bus, Tally};
use crate::domain::limits::{ATTEMPTS_PER, LimitName, Limits, Reached};
use crate::domain::text;

/// Addresses and e-mail addresses that a node remembers while it is on its own.
const OWN_MAX: usize = 200_000;

/// Each is counted apart.
#[derive(Clone, Copy, Debug)]
pub enum Attempt {
    SignIn,
    Register,
    /// A link to set a new password.
    Forgot,
}

impl Attempt {
    fn as_str(self) -> &'static str {
        match self {
            Attempt::SignIn => "sign_in",
            Attempt::Register => "register",
            Attempt::Forgot => "forgot",
        }
    }
}

pub struct Attempts {
    bus: Bus,
    own: Recent<String, u64>,
    began: Instant,
}

impl Attempts {
    pub fn new(bus: Bus) -> Self {
        Self { bus, own: Recent::new(ATTEMPTS_PER, OWN_MAX), began: Instant::now() }
    }

    /// Counts an attempt, or says what limit is met.
    pub async fn admit(&self, limits: &Limits, attempt: Attempt, address: &str, email: &str) -> Result<(), Reached> {
        let counted = [(LimitName::AttemptsAddress, address.to_owned()), (LimitName::AttemptsEmail, name_of(email))];
        let tally = |(limit, what): (LimitName, String)| {
            let name = format!("{}:{}:{what}", attempt.as_str(), limit.as_str());
            limits.rate(limit).map(|rate| (limit, Tally { name, rate }))
        };
        let (names, tallies): (Vec<LimitName>, Vec<Tally>) = counted.into_iter().filter_map(tally).unzip();
        if tallies.is_empty() {
            return Ok(());
        }
        let full = match self.bus.is_up() {
            true => self.bus.attempt(&tallies).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "attempts are counted by this node alone");
                self.attempt_here(&tallies)
            }),
            false => self.attempt_here(&tallies),
        };
        match full.and_then(|(place, wait)| Some((names.get(place)?, wait))) {
            Some((limit, wait)) => Err(limits.reached(*limit, wait)),
            None => Ok(()),
        }
    }

    /// Somebody has proved that this e-mail address is theirs: what they mistyped before is forgotten.
    pub async fn forgive(&self, attempt: Attempt, email: &str) {
        let name = format!("{}:{}:{}", attempt.as_str(), LimitName::AttemptsEmail.as_str(), name_of(email));
        self.own.insert(name.clone(), 0);
        if self.bus.is_up()
            && let Err(error) = self.bus.forgive(&name).await
        {
            tracing::debug!(%error, "attempts before a success are still counted");
        }
    }

    fn attempt_here(&self, tallies: &[Tally]) -> Option<(usize, Duration)> {
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        for (place, tally) in tallies.iter().enumerate() {
            let mut full = None;
            self.own.update(tally.name.clone(), |even| match tally.rate.admit(even.copied().unwrap_or(0), now_ns) {
                Ok(next) => Some(next),
                Err(wait) => {
                    full = Some((place, wait));
                    None
                }
            });
            if full.is_some() {
                return full;
            }
        }
        None
    }
}

/// No address is kept in Redis: a hash tells them apart as well.
fn name_of(email: &str) -> String {
    let email = text::email(email).unwrap_or_else(|_| email.to_owned());
    let hash = Sha256::digest(email.as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
