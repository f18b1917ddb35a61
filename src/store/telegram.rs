//! Telegram: linked chats, codes that link them, and the outbox of messages. Whoever has a message has its `claim`; a worker
//! that dies loses it when the time it was taken for is over.

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::mail::{Fate, Taking};
use super::{Store, StoreError, padded, parts};

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

/// A message that a worker has taken.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MessageRow {
    pub id: u64,
    pub user_id: u64,
    pub event: String,
    pub facts: String,
    /// This one included.
    pub attempts: u16,
    pub deadline: OffsetDateTime,
    pub claim: u64,
}

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

/// Takes messages that are due, the most urgent first; those that another worker is about are passed over.
pub async fn take(connection: &mut MySqlConnection, taking: &Taking) -> Result<Vec<MessageRow>, StoreError> {
    let ids: Vec<u64> = sqlx::query_scalar(
        "select id from telegram_outbox where state = 'waiting' and due_at <= ? order by priority, due_at limit ? for update skip locked",
    )
    .bind(taking.at)
    .bind(taking.limit)
    .fetch_all(&mut *connection)
    .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<MySql>::new("update telegram_outbox set attempts = attempts + 1, claim = ");
    query.push_bind(taking.claim).push(", due_at = ").push_bind(taking.until).push(" where id in (");
    let mut list = query.separated(", ");
    for id in padded(ids) {
        list.push_bind(id);
    }
    query.push(")");
    query.build().execute(&mut *connection).await?;
    Ok(sqlx::query_as(
        "select id, user_id, event, facts, attempts, deadline, claim from telegram_outbox where claim = ? order by priority, id",
    )
    .bind(taking.claim)
    .fetch_all(connection)
    .await?)
}

/// Ends a worker's hold on a message; false when it had lost it.
pub async fn end(connection: &mut MySqlConnection, message: &MessageRow, fate: &Fate, at: OffsetDateTime) -> Result<bool, StoreError> {
    let (state, due_at, error, done_at) = match fate {
        Fate::Sent => ("sent", at, None, Some(at)),
        Fate::Again(due_at, error) => ("waiting", *due_at, Some(error), None),
        Fate::Dead(error) => ("dead", at, Some(error), Some(at)),
    };
    let ended = sqlx::query(
        "update telegram_outbox set state = ?, due_at = ?, last_error = coalesce(?, last_error), done_at = ?, claim = null \
         where id = ? and claim = ? and state = 'waiting'",
    )
    .bind(state)
    .bind(due_at)
    .bind(error)
    .bind(done_at)
    .bind(message.id)
    .bind(message.claim)
    .execute(connection)
    .await?;
    Ok(ended.rows_affected() == 1)
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

    /// Messages that ended before `before`, and codes that were over by then, are forgotten.
    pub async fn forget_messages(&self, before: OffsetDateTime, limit: u32) -> Result<(), StoreError> {
        sqlx::query("delete from telegram_outbox where done_at < ? limit ?").bind(before).bind(limit).execute(&self.pool).await?;
        sqlx::query("delete from telegram_codes where expires_at < ? limit ?").bind(before).bind(limit).execute(&self.pool).await?;
        Ok(())
    }
}
