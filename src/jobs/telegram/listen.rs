//! What is written to the bot: `/start CODE` links the chat to whoever was given the code, `/stop` ends that. The server tells it
//! to one asker at a time, so one node asks, by a lease; another goes on where that one stopped.

use std::time::Duration;

use super::bot::{Bot, Written};
use crate::domain::user::Language;
use crate::flow::{Flow, FlowError};
use crate::jobs::{Stopping, next_round};
use crate::store::Store;

const LEASE: &str = "telegram";
/// How long the server may wait for something to tell.
const WAIT: Duration = Duration::from_secs(5);
/// Longer than a call may take, so that two never ask.
const HELD_FOR: Duration = Duration::from_secs(25);
const PAUSE: Duration = Duration::from_secs(2);

/// Listens until told to stop, when it is this node's turn.
pub async fn run(flow: Flow, store: Store, bot: Bot, node: String, mut stopping: Stopping) {
    let mut offset = None;
    loop {
        let goes_on = match store.hold_lease(LEASE, &node, HELD_FOR).await {
            Ok(true) => match listen(&flow, &bot, &mut offset, &mut stopping).await {
                Ok(()) => !*stopping.borrow(),
                Err(error) => {
                    tracing::warn!(?error, "what is written to the bot could not be read");
                    offset = None;
                    next_round(&mut stopping, PAUSE).await
                }
            },
            held => {
                if let Err(error) = held {
                    tracing::warn!(%error, "the lease on the bot could not be held");
                }
                offset = None;
                next_round(&mut stopping, PAUSE).await
            }
        };
        if !goes_on {
            break;
        }
    }
    if let Err(error) = store.end_lease(LEASE, &node).await {
        tracing::debug!(%error, "the lease on the bot could not be given back");
    }
}

/// Reads what was written since `offset`, waiting a while for something.
async fn listen(flow: &Flow, bot: &Bot, offset: &mut Option<i64>, stopping: &mut Stopping) -> Result<(), FlowError> {
    let from = match *offset {
        Some(from) => from,
        None => flow.telegram_read_to().await?,
    };
    *offset = Some(from);
    let heard = tokio::select! {
        heard = bot.updates(from, WAIT) => heard,
        // What was told and not worked on is told again: only work that is done moves the offset on.
        _ = stopping.wait_for(|stop| *stop) => return Ok(()),
    };
    let updates = match heard {
        Ok(updates) => updates,
        Err(failure) => {
            metrics::counter!("orderboard_telegram_unheard_total").increment(1);
            return Err(FlowError::Internal(format!("{failure:?}")));
        }
    };
    let Some(last) = updates.iter().map(|update| update.update_id).max() else { return Ok(()) };
    for written in updates.into_iter().filter_map(|update| update.message) {
        obey(flow, bot, &written).await?;
    }
    flow.has_read_telegram_to(last + 1).await?;
    *offset = Some(last + 1);
    Ok(())
}

async fn obey(flow: &Flow, bot: &Bot, written: &Written) -> Result<(), FlowError> {
    let chat_id = written.chat.id;
    let is_russian = written.from.as_ref().and_then(|from| from.language_code.as_deref()).is_none_or(|code| code.starts_with("ru"));
    let theirs = if is_russian { Language::Ru } else { Language::En };
    let mut words = written.text.as_deref().unwrap_or_default().split_whitespace();
    let answer = match (words.next(), words.next()) {
        (Some("/start"), Some(code)) => match flow.link_telegram(code, chat_id).await? {
            Some(Language::Ru) => "Готово: уведомления будут приходить сюда. Какие именно, решают настройки. /stop, чтобы перестать.",
            Some(Language::En) => "Done: notifications will come here. Which ones is up to your settings. /stop to end it.",
            None if is_russian => "Эта ссылка больше не действует. Возьмите новую в настройках.",
            None => "This link is no longer good. Take a new one from your settings.",
        },
        (Some("/stop"), _) => {
            flow.leave_telegram(chat_id).await?;
            if theirs == Language::Ru {
                "Уведомлений здесь больше не будет."
            } else {
                "No more notifications here."
            }
        }
        _ if is_russian => "Здесь только уведомления. Чтобы получать их, откройте ссылку из настроек.",
        _ => "This is for notifications alone. To get them, open the link in your settings.",
    };
    // What the bot cannot say is seen in the settings.
    if let Err(failure) = bot.send(chat_id, answer).await {
        tracing::debug!(?failure, "the bot could not answer");
    }
    Ok(())
}
