//! The mail outbox: letters written with their reason, taken by workers for a while, and ended once. Whoever has a letter has
//! its `claim`; a worker that dies loses it when the time it was taken for is over.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::{Store, StoreError, padded};

/// A letter about to be kept.
pub struct NewLetter<'a> {
    /// What happened, so that it is told once.
    pub reason: &'a str,
    pub user_id: u64,
    pub address: &'a str,
    pub language: &'a str,
    pub letter: &'a str,
    pub facts: &'a str,
    /// 0 goes first.
    pub priority: u8,
    pub at: OffsetDateTime,
    /// After this nobody wants to read it.
    pub deadline: OffsetDateTime,
}

/// A letter that a worker has taken.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LetterRow {
    pub id: u64,
    pub user_id: u64,
    pub address: String,
    pub language: String,
    pub facts: String,
    /// This one included.
    pub attempts: u16,
    pub deadline: OffsetDateTime,
    pub created_at: OffsetDateTime,
    pub claim: u64,
}

/// How a worker's hold on a letter ends.
#[derive(Debug)]
pub enum Fate {
    Sent,
    /// To be tried again from this moment.
    Again(OffsetDateTime, String),
    Dead(String),
}

/// Which letters a worker takes: those due at `at`, at most `limit`, until `until`, under the number `claim`.
pub struct Taking {
    pub claim: u64,
    pub at: OffsetDateTime,
    pub until: OffsetDateTime,
    pub limit: u32,
}

/// Keeps a letter; false when the same thing was told before.
pub async fn insert(connection: &mut MySqlConnection, new: &NewLetter<'_>) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "insert into mail_outbox (reason, user_id, address, language, letter, facts, priority, due_at, deadline, created_at) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(new.reason)
    .bind(new.user_id)
    .bind(new.address)
    .bind(new.language)
    .bind(new.letter)
    .bind(new.facts)
    .bind(new.priority)
    .bind(new.at)
    .bind(new.deadline)
    .bind(new.at)
    .execute(connection)
    .await
    .map_err(StoreError::from);
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether this user was written such a letter since.
pub async fn was_written_since(
    connection: &mut MySqlConnection,
    user_id: u64,
    letter: &str,
    since: OffsetDateTime,
) -> Result<bool, StoreError> {
    let found: Option<u64> = sqlx::query_scalar(
        "select id from mail_outbox where user_id = ? and letter = ? and created_at > ? order by created_at desc limit 1",
    )
    .bind(user_id)
    .bind(letter)
    .bind(since)
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

/// Takes letters that are due, the most urgent first. Letters that another worker is about to take or to end are passed over
/// instead of being waited for.
pub async fn take(connection: &mut MySqlConnection, taking: &Taking) -> Result<Vec<LetterRow>, StoreError> {
    let ids: Vec<u64> = sqlx::query_scalar(
        "select id from mail_outbox where state = 'waiting' and due_at <= ? order by priority, due_at limit ? for update skip locked",
    )
    .bind(taking.at)
    .bind(taking.limit)
    .fetch_all(&mut *connection)
    .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = sqlx::QueryBuilder::new("update mail_outbox set attempts = attempts + 1, claim = ");
    query.push_bind(taking.claim).push(", due_at = ").push_bind(taking.until).push(" where id in (");
    let mut list = query.separated(", ");
    for id in padded(ids) {
        list.push_bind(id);
    }
    query.push(")");
    query.build().execute(&mut *connection).await?;
    Ok(sqlx::query_as(
        "select id, user_id, address, language, facts, attempts, deadline, created_at, claim from mail_outbox \
         where claim = ? order by priority, id",
    )
    .bind(taking.claim)
    .fetch_all(connection)
    .await?)
}

/// Ends a worker's hold on a letter; false when it had lost it.
pub async fn end(connection: &mut MySqlConnection, letter: &LetterRow, fate: &Fate, at: OffsetDateTime) -> Result<bool, StoreError> {
    let (state, due_at, error, done_at) = match fate {
        Fate::Sent => ("sent", at, None, Some(at)),
        Fate::Again(due_at, error) => ("waiting", *due_at, Some(error), None),
        Fate::Dead(error) => ("dead", at, Some(error), Some(at)),
    };
    let ended = sqlx::query(
        "update mail_outbox set state = ?, due_at = ?, last_error = coalesce(?, last_error), done_at = ?, claim = null \
         where id = ? and claim = ? and state = 'waiting'",
    )
    .bind(state)
    .bind(due_at)
    .bind(error)
    .bind(done_at)
    .bind(letter.id)
    .bind(letter.claim)
    .execute(connection)
    .await?;
    Ok(ended.rows_affected() == 1)
}

impl Store {
    /// Letters that ended before `before`, and links that were over by then, are forgotten, at most `limit` of each.
    pub async fn forget_letters(&self, before: OffsetDateTime, limit: u32) -> Result<(), StoreError> {
        sqlx::query("delete from mail_outbox where done_at < ? limit ?").bind(before).bind(limit).execute(&self.pool).await?;
        sqlx::query("delete from password_resets where expires_at < ? limit ?").bind(before).bind(limit).execute(&self.pool).await?;
        Ok(())
    }
}
