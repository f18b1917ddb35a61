//! Telegram: linked chats, codes that link them, and messages, kept with their notification. How they are sent is in `deliveries`.

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError, parts};

/// A message about to be kept, with its notification's number.
pub struct NewMessage {
    pub user_id: u64,
    pub seq: u64,
    pub event: &'static str,
    pub facts: String,
    /// 0 goes first.
    pub priority: u8,
    pub at: OffsetDateTime,
    /// After this nobody wants to read it.
    pub deadline: OffsetDateTime,
}

/// Keeps messages, in the transaction of their notifications.
pub async fn insert(connection: &mut MySqlConnection, messages: &[NewMessage]) -> Result<(), StoreError> {
    for some in parts(messages) {
        let mut query =
            QueryBuilder::<MySql>::new("insert into telegram_outbox (user_id, seq, event, facts, priority, due_at, deadline, created_at) ");
        query.push_values(some, |mut row, message| {
            row.push_bind(message.user_id).push_bind(message.seq).push_bind(message.event).push_bind(&message.facts);
            row.push_bind(message.priority).push_bind(message.at).push_bind(message.deadline).push_bind(message.at);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Links this chat to whoever was given the code, and uses it up; nothing for a code that is not, or no more, good.
pub async fn link(
    connection: &mut MySqlConnection,
    code_hash: &[u8; 32],
    chat_id: i64,
    at: OffsetDateTime,
) -> Result<Option<u64>, StoreError> {
    let user_id: Option<u64> = sqlx::query_scalar("select user_id from telegram_codes where code_hash = ? and expires_at > ? for update")
        .bind(code_hash.as_slice())
        .bind(at)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(user_id) = user_id else { return Ok(None) };
    sqlx::query("delete from telegram_codes where user_id = ?").bind(user_id).execute(&mut *connection).await?;
    sqlx::query("insert into inboxes (user_id, telegram_chat) values (?, ?) on duplicate key update telegram_chat = ?")
        .bind(user_id)
        .bind(chat_id)
        .bind(chat_id)
        .execute(connection)
        .await?;
    Ok(Some(user_id))
}

impl Store {
    /// The code replaces one that the user was given before.
    pub async fn put_telegram_code(&self, user_id: u64, code_hash: &[u8; 32], expires_at: OffsetDateTime) -> Result<(), StoreError> {
        sqlx::query(
            "insert into telegram_codes (user_id, code_hash, expires_at) values (?, ?, ?) \
             on duplicate key update code_hash = ?, expires_at = ?",
        )
        .bind(user_id)
        .bind(code_hash.as_slice())
        .bind(expires_at)
        .bind(code_hash.as_slice())
        .bind(expires_at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The chat that this user has linked, and the user's language.
    pub async fn telegram_chat(&self, user_id: u64) -> Result<Option<(i64, String)>, StoreError> {
        let found: Option<(Option<i64>, String)> = sqlx::query_as(
            "select i.telegram_chat, u.language from inboxes i join users u on u.id = i.user_id where i.user_id = ? and u.closed_at is null",
        )
        .bind(user_id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.and_then(|(chat_id, language)| Some((chat_id?, language))))
    }

    pub async fn unlink_telegram(&self, user_id: u64) -> Result<(), StoreError> {
        sqlx::query("update inboxes set telegram_chat = null where user_id = ?").bind(user_id).execute(&self.pool).await?;
        sqlx::query("delete from telegram_codes where user_id = ?").bind(user_id).execute(&self.pool).await?;
        Ok(())
    }

    /// Nobody who has linked this chat is written to there any more.
    pub async fn unlink_telegram_chat(&self, chat_id: i64) -> Result<(), StoreError> {
        sqlx::query("update inboxes set telegram_chat = null where telegram_chat = ?").bind(chat_id).execute(&self.pool).await?;
        Ok(())
    }

    /// Codes that were over by then are forgotten, at most `limit`.
    pub async fn forget_telegram_codes(&self, before: OffsetDateTime, limit: u32) -> Result<(), StoreError> {
        sqlx::query("delete from telegram_codes where expires_at < ? limit ?").bind(before).bind(limit).execute(&self.pool).await?;
        Ok(())
    }
}
