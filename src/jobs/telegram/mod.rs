//! The messenger: takes messages that are due, has the bot send them, and ends each one. Any number of nodes may run it; a
//! message is with one of them at a time. What the server refuses for good is dead at once; everything else is tried again, after
//! a pause that doubles, until nobody wants to read it any more.

pub mod bot;
pub mod listen;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

pub use self::bot::Bot;
use self::bot::Failure;
use super::mail::Settings;
use super::{Stopping, next_round};
use crate::flow::{Fate, Flow, FlowError, MessageRow, now};

const PAUSE: Duration = Duration::from_millis(300);
/// Messages that a node sends at the same time. The server takes some thirty a second from a bot.
const AT_ONCE: usize = 4;
const ATTEMPTS_MAX: u16 = 12;
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Sends until told to stop; then what is in hand.
pub async fn run(flow: Flow, bot: Bot, settings: Settings, mut stopping: Stopping) {
    let mut sending = JoinSet::new();
    let mut forgot_at: Option<Instant> = None;
    loop {
        let room = AT_ONCE.saturating_sub(sending.len()) as u32;
        let taken = match room {
            0 => Vec::new(),
            room => flow.take_messages(room, settings.held_for).await.unwrap_or_else(|error| {
                tracing::warn!(?error, "messages could not be taken from the outbox");
                Vec::new()
            }),
        };
        for message in taken {
            sending.spawn(deliver(flow.clone(), bot.clone(), settings, message));
        }
        if forgot_at.is_none_or(|at| at.elapsed() > FORGET_EVERY) {
            forgot_at = Some(Instant::now());
            if let Err(error) = flow.forget_messages().await {
                tracing::warn!(?error, "old messages could not be forgotten");
            }
        }
        let goes_on = tokio::select! {
            // A free hand: there may be more.
            _ = sending.join_next(), if !sending.is_empty() => true,
            goes_on = next_round(&mut stopping, PAUSE) => goes_on,
        };
        if !goes_on || *stopping.borrow() {
            break;
        }
    }
    while sending.join_next().await.is_some() {}
}

async fn deliver(flow: Flow, bot: Bot, settings: Settings, message: MessageRow) {
    if let Err(error) = attempt(&flow, &bot, settings, &message).await {
        // It stays with this worker until its time is over, and is taken again.
        tracing::warn!(?error, message = message.id, "a message could not be looked after");
    }
}

async fn attempt(flow: &Flow, bot: &Bot, settings: Settings, row: &MessageRow) -> Result<(), FlowError> {
    let Some(message) = flow.put_message_into_words(row).await? else {
        return flow.end_message(row, &Fate::Dead("its user has no chat any more".to_owned())).await;
    };
    let sent = tokio::time::timeout(settings.attempt_within(), bot.send(message.chat_id, &message.text)).await;
    let pause = settings.pause_after(row.attempts, row.claim);
    let fate = match sent {
        Ok(Ok(())) => Fate::Sent,
        Ok(Err(Failure::Refused(error))) => Fate::Dead(error),
        Ok(Err(Failure::Gone(error))) => {
            flow.leave_telegram(message.chat_id).await?;
            Fate::Dead(error)
        }
        Ok(Err(Failure::Limited(wait))) => again(row, wait.max(settings.retry_after), "429: too many"),
        Ok(Err(Failure::Passing(error))) => again(row, pause, &error),
        Err(_) => again(row, pause, "the server took too long"),
    };
    flow.end_message(row, &fate).await
}

/// When to try again, if there is a point in it.
fn again(row: &MessageRow, pause: Duration, error: &str) -> Fate {
    let due_at = now() + pause;
    match row.attempts >= ATTEMPTS_MAX || due_at > row.deadline {
        true => Fate::Dead(format!("given up after {} attempts: {error}", row.attempts).chars().take(500).collect()),
        false => Fate::Again(due_at, error.chars().take(500).collect()),
    }
}
