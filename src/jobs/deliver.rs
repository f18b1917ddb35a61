//! The sender: takes letters and messages that are due, has each carried, and ends it. Any number of nodes may run it; a delivery is
//! with one of them at a time. What the server refuses for good is dead at once; everything else is tried again, after a pause
//! that doubles, until nobody wants to read it any more.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::mail::{self, Postbox};
use super::telegram::{self, Bot};
use super::{Stopping, next_round};
use crate::flow::{Channel, Delivery, Fate, Flow, FlowError, now};

const ATTEMPTS_MAX: u16 = 12;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
const FORGET_EVERY: Duration = Duration::from_secs(600);
/// Of what a server says when it does not take something.
const ERROR_CHARS_MAX: usize = 500;

/// Who takes it out of the house.
#[derive(Clone)]
pub enum Carrier {
    Mail(Postbox),
    Telegram(Bot),
}

/// How a sender works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Before the second attempt; twice as long before each further one.
    pub retry_after: Duration,
    /// For how long a delivery is held. A worker that dies loses what it has after this; twice as long as an attempt may take.
    pub held_for: Duration,
}

/// What came of an attempt.
pub(super) enum Outcome {
    Sent,
    /// It will never be taken.
    Dead(String),
    /// To be tried again, after this time where the server has named one.
    Later {
        after: Option<Duration>,
        why: String,
    },
}

impl Outcome {
    pub(super) fn later(why: impl Into<String>) -> Self {
        Outcome::Later { after: None, why: why.into() }
    }
}

impl Settings {
    /// Shorter than the hold, so that a delivery is never with two workers.
    pub(super) fn attempt_within(self) -> Duration {
        self.held_for / 2
    }

    /// The pause after this many attempts, longer by up to a quarter at random: what failed together is not tried together.
    fn pause_after(self, attempts: u16, chance: u64) -> Duration {
        let doubled = self.retry_after.saturating_mul(1_u32.checked_shl(u32::from(attempts.max(1) - 1)).unwrap_or(u32::MAX));
        let pause = doubled.min(RETRY_AFTER_MAX);
        pause + pause * (chance % 256) as u32 / 1_024
    }
}

impl Carrier {
    fn channel(&self) -> Channel {
        match self {
            Carrier::Mail(_) => Channel::Mail,
            Carrier::Telegram(_) => Channel::Telegram,
        }
    }

    fn at_once(&self) -> u32 {
        match self {
            Carrier::Mail(_) => mail::AT_ONCE,
            Carrier::Telegram(_) => telegram::AT_ONCE,
        }
    }

    /// Between two looks into the outbox.
    fn pause(&self) -> Duration {
        match self {
            Carrier::Mail(_) => mail::PAUSE,
            Carrier::Telegram(_) => telegram::PAUSE,
        }
    }

    async fn carry(&self, flow: &Flow, delivery: &Delivery, within: Duration) -> Result<Outcome, FlowError> {
        match self {
            Carrier::Mail(postbox) => postbox.carry(flow, delivery, within).await,
            Carrier::Telegram(bot) => telegram::carry(bot, flow, delivery, within).await,
        }
    }
}

/// Sends until told to stop; then what is in hand.
pub async fn run(flow: Flow, carrier: Carrier, settings: Settings, mut stopping: Stopping) {
    let channel = carrier.channel();
    let mut sending = JoinSet::new();
    let mut forgot_at: Option<Instant> = None;
    loop {
        let room = carrier.at_once().saturating_sub(sending.len() as u32);
        let taken = match room {
            0 => Vec::new(),
            room => flow.take_deliveries(channel, room, settings.held_for).await.unwrap_or_else(|error| {
                tracing::warn!(?channel, ?error, "nothing could be taken from the outbox");
                Vec::new()
            }),
        };
        for delivery in taken {
            sending.spawn(deliver(flow.clone(), carrier.clone(), settings, delivery));
        }
        if forgot_at.is_none_or(|at| at.elapsed() > FORGET_EVERY) {
            forgot_at = Some(Instant::now());
            if let Err(error) = flow.forget_deliveries(channel).await {
                tracing::warn!(?channel, ?error, "what was sent long ago could not be forgotten");
            }
        }
        let goes_on = tokio::select! {
            // A free hand: there may be more.
            _ = sending.join_next(), if !sending.is_empty() => true,
            goes_on = next_round(&mut stopping, carrier.pause()) => goes_on,
        };
        if !goes_on || *stopping.borrow() {
            break;
        }
    }
    while sending.join_next().await.is_some() {}
}

async fn deliver(flow: Flow, carrier: Carrier, settings: Settings, delivery: Delivery) {
    if let Err(error) = attempt(&flow, &carrier, settings, &delivery).await {
        // It stays with this worker until its time is over, and is taken again.
        tracing::warn!(channel = ?carrier.channel(), ?error, delivery = delivery.id, "a delivery could not be looked after");
    }
}

async fn attempt(flow: &Flow, carrier: &Carrier, settings: Settings, delivery: &Delivery) -> Result<(), FlowError> {
    let fate = match carrier.carry(flow, delivery, settings.attempt_within()).await? {
        Outcome::Sent => Fate::Sent,
        Outcome::Dead(why) => Fate::Dead(short(&why)),
        Outcome::Later { after, why } => {
            let own = || settings.pause_after(delivery.attempts, delivery.claim);
            again(delivery, after.map_or_else(own, |wait| wait.max(settings.retry_after)), &why)
        }
    };
    flow.end_delivery(carrier.channel(), delivery, &fate).await
}

/// When to try again, if there is a point in it.
fn again(delivery: &Delivery, pause: Duration, why: &str) -> Fate {
    let due_at = now() + pause;
    match delivery.attempts >= ATTEMPTS_MAX || due_at > delivery.deadline {
        true => Fate::Dead(short(&format!("given up after {} attempts: {why}", delivery.attempts))),
        false => Fate::Again(due_at, short(why)),
    }
}

fn short(error: &str) -> String {
    error.chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_up_to_an_hour() {
        let settings = Settings { retry_after: Duration::from_secs(10), held_for: Duration::from_secs(60) };
        let seconds = |attempts| settings.pause_after(attempts, 0).as_secs();
        assert_eq!([seconds(1), seconds(2), seconds(3), seconds(9), seconds(60)], [10, 20, 40, 2_560, 3_600]);
        assert!(settings.pause_after(1, 255) < Duration::from_millis(12_500));
    }
}
