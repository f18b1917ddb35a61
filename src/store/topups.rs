//! Top-ups: payments that a gateway was asked for.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TopupRow {
    pub id: u64,
    pub user_id: u64,
    pub currency: String,
    pub amount: i64,
    pub status: String,
    pub created_at: OffsetDateTime,
}

impl Store {
    pub async fn topup(&self, id: u64) -> Result<Option<TopupRow>, StoreError> {
        Ok(sqlx::query_as("select id, user_id, currency, amount, status, created_at from topups where id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The user's top-ups with an id below `below`, newest first.
    pub async fn topups_of(&self, user_id: u64, below: u64, limit: u32) -> Result<Vec<TopupRow>, StoreError> {
        Ok(sqlx::query_as(
            // Left alone MariaDB reads all of the user's and skips those above the page.
            "select id, user_id, currency, amount, status, created_at from topups force index (of_user) \
             where user_id = ? and id < ? order by id desc limit ?",
        )
        .bind(user_id)
        .bind(below)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }
}

pub async fn insert(
    connection: &mut MySqlConnection,
    user_id: u64,
    amount: i64,
    currency: &str,
    at: OffsetDateTime,
) -> Result<u64, StoreError> {
    let inserted = sqlx::query("insert into topups (user_id, currency, amount, created_at) values (?, ?, ?, ?)")
        .bind(user_id)
        .bind(currency)
        .bind(amount)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(inserted.last_insert_id())
}

/// The states out of which a top-up may be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// All: money that has arrived is the payer's, whatever was thought of the payment before.
    Any,
    /// Those in which nobody has declined.
    NotRejected,
}

/// Marks the top-up as received; false when it was before, or is in none of these states. The caller credits it in the
/// same transaction.
pub async fn receive(connection: &mut MySqlConnection, id: u64, from: From, at: OffsetDateTime) -> Result<bool, StoreError> {
    let statement = match from {
        From::Any => "update topups set status = 'received', resolved_at = ? where id = ? and status <> 'received'",
        From::NotRejected => "update topups set status = 'received', resolved_at = ? where id = ? and status in ('created', 'outdated')",
    };
    let received = sqlx::query(statement).bind(at).bind(id).execute(connection).await?;
    Ok(received.rows_affected() == 1)
}

/// Marks an undecided top-up as rejected; false when it was decided before.
pub async fn reject(connection: &mut MySqlConnection, id: u64, at: OffsetDateTime) -> Result<bool, StoreError> {
    let rejected = sqlx::query("update topups set status = 'rejected', resolved_at = ? where id = ? and status = 'created'")
        .bind(at)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(rejected.rows_affected() == 1)
}

/// Marks undecided top-ups from before `before` as outdated, the oldest first, at most `limit`; tells how many it were.
pub async fn outdate(connection: &mut MySqlConnection, before: OffsetDateTime, limit: u32, at: OffsetDateTime) -> Result<u64, StoreError> {
    let outdated = sqlx::query(
        "update topups set status = 'outdated', resolved_at = ? where status = 'created' and created_at < ? order by created_at limit ?",
    )
    .bind(at)
    .bind(before)
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(outdated.rows_affected())
}
