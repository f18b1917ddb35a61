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
            "select id, user_id, currency, amount, status, created_at from topups where user_id = ? and id < ? order by id desc limit ?",
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

/// Decides a top-up that is still undecided; false when it was decided before.
pub async fn resolve(connection: &mut MySqlConnection, id: u64, status: &str, at: OffsetDateTime) -> Result<bool, StoreError> {
    let resolved = sqlx::query("update topups set status = ?, resolved_at = ? where id = ? and status = 'created'")
        .bind(status)
        .bind(at)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(resolved.rows_affected() == 1)
}
