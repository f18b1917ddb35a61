//! Telegram: messages are put into words and sent by a bot, which also hears who wants them.

pub mod bot;
pub mod listen;

use std::time::Duration;

pub use self::bot::Bot;
use self::bot::Failure;
use super::deliver::Outcome;
use crate::flow::{Delivery, Flow, FlowError};

/// Messages that a node sends at the same time. The server takes some thirty a second from a bot.
pub(super) const AT_ONCE: u32 = 4;
pub(super) const PAUSE: Duration = Duration::from_millis(300);

/// Sends the message, where its user still has a chat.
pub(super) async fn carry(bot: &Bot, flow: &Flow, row: &Delivery, within: Duration) -> Result<Outcome, FlowError> {
    let Some(message) = flow.put_message_into_words(row).await? else {
        return Ok(Outcome::Dead("its user has no chat any more".to_owned()));
    };
    Ok(match tokio::time::timeout(within, bot.send(message.chat_id, &message.text)).await {
        Ok(Ok(())) => Outcome::Sent,
        Ok(Err(Failure::Refused(error))) => Outcome::Dead(error),
        Ok(Err(Failure::Gone(error))) => {
            flow.leave_telegram(message.chat_id).await?;
            Outcome::Dead(error)
        }
        Ok(Err(Failure::Limited(wait))) => Outcome::Later { after: Some(wait), why: "429: too many".to_owned() },
        Ok(Err(Failure::Passing(error))) => Outcome::later(error),
        Err(_) => Outcome::later("the server took too long"),
    })
}
