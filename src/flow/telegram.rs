//! Telegram: a chat is linked by a code that only the user knows, and messages go the way that letters go (see `deliveries`): kept
//! with their reason in its transaction, and put into words when they are sent. A message whose worker died after the server had taken it
//! and before that was noted is sent again: the Bot API has nothing by which a double is known.

use schemars::JsonSchema;
use std::time::Duration;

use time::OffsetDateTime;

use super::transaction::transaction;
use super::{Flow, FlowError, hash_token, now, random_token};
use crate::domain::notice::{Event, Facts};
use crate::domain::notice_words::{path, words};
use crate::domain::refusal::Refusal;
use crate::domain::schema::Moment;
use crate::domain::user::{Actor, Language};
use crate::store::deliveries::Delivery;
use crate::store::telegram;

const LINK_WITHIN: Duration = Duration::from_secs(900);
/// The setting that keeps how far the bot has read.
const READ_TO: &str = "telegram_offset";

/// What links a chat: opened on a phone or a desktop, it starts the bot with the code.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct TelegramLink {
    pub link: String,
    pub code: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub expires_at: OffsetDateTime,
}

/// What messages need to know.
#[derive(Clone, Debug)]
pub struct TelegramConfig {
    /// The bot's name, without the @.
    pub bot: String,
    /// Where people reach the board.
    pub board: Option<String>,
}

/// A message in words, and where it goes.
pub struct Message {
    pub chat_id: i64,
    pub text: String,
}

impl Flow {
    /// A code for the actor; the one they had before is worth nothing any more.
    pub async fn begin_telegram(&self, actor: &Actor) -> Result<TelegramLink, FlowError> {
        let telegram = self.config.telegram.as_ref();
        let bot = &telegram.ok_or(Refusal::Forbidden("nothing is sent by Telegram here: no bot is set up"))?.bot;
        let (code, expires_at) = (random_token(), now() + LINK_WITHIN);
        self.store.put_telegram_code(actor.user.id, &hash_token(&code), expires_at).await?;
        Ok(TelegramLink { link: format!("https://t.me/{bot}?start={code}"), code, expires_at })
    }

    /// Whether messages go out from here.
    pub fn has_telegram(&self) -> bool {
        self.config.telegram.is_some()
    }

    pub async fn unlink_telegram(&self, actor: &Actor) -> Result<(), FlowError> {
        Ok(self.store.unlink_telegram(actor.user.id).await?)
    }

    /// Somebody who wrote this code to the bot is whoever was given it; their language. Nothing for a code that is not good.
    pub async fn link_telegram(&self, code: &str, chat_id: i64) -> Result<Option<Language>, FlowError> {
        let (hash, at) = (hash_token(code), now());
        let linked = transaction!(self.store, |connection| telegram::link(connection, &hash, chat_id, at).await.map_err(FlowError::from))?;
        let Some(user_id) = linked else { return Ok(None) };
        let language = self.store.telegram_chat(user_id).await?.and_then(|(_, language)| Language::parse(&language));
        Ok(Some(language.unwrap_or(Language::Ru)))
    }

    /// The chat wants nothing any more.
    pub async fn leave_telegram(&self, chat_id: i64) -> Result<(), FlowError> {
        Ok(self.store.unlink_telegram_chat(chat_id).await?)
    }

    /// How far the bot has read what is written to it.
    pub async fn telegram_read_to(&self) -> Result<i64, FlowError> {
        let kept = self.store.setting(READ_TO).await?;
        Ok(kept.and_then(|kept| kept.parse().ok()).unwrap_or(0))
    }

    pub async fn has_read_telegram_to(&self, offset: i64) -> Result<(), FlowError> {
        Ok(self.store.put_setting(READ_TO, &offset.to_string()).await?)
    }

    /// The message in words; nothing when its user has no chat any more.
    pub async fn put_message_into_words(&self, row: &Delivery) -> Result<Option<Message>, FlowError> {
        let Some((chat_id, language)) = self.store.telegram_chat(row.user_id).await? else { return Ok(None) };
        let event = Event::parse(&row.what).ok_or_else(|| FlowError::Internal(format!("message {} is of no event", row.id)))?;
        let facts: Facts = serde_json::from_str(&row.facts)?;
        let (line, more) = words(event, &facts, Language::parse(&language).unwrap_or(Language::Ru));
        let board = self.config.telegram.as_ref().and_then(|telegram| telegram.board.as_ref());
        let link = board.map(|board| format!("{board}{}", path(event, &facts)));
        let text: Vec<String> = std::iter::once(line).chain(more).chain(link).collect();
        Ok(Some(Message { chat_id, text: text.join("\n") }))
    }
}
