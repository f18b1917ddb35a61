//! Letters: kept with their reason in its transaction. How they are sent is in `deliveries`.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::StoreError;

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
