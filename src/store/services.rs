//! Other systems that may command billing operations, known by their tokens.

use time::OffsetDateTime;

use super::{Store, StoreError};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Service {
    pub id: u64,
    pub name: String,
}

impl Store {
    /// The living service that has this token.
    pub async fn service(&self, token_hash: [u8; 32]) -> Result<Option<Service>, StoreError> {
        Ok(sqlx::query_as("select id, name from services where token_hash = ? and ended_at is null")
            .bind(token_hash.as_slice())
            .fetch_optional(&self.pool)
            .await?)
    }

    pub async fn insert_service(&self, name: &str, token_hash: [u8; 32], at: OffsetDateTime) -> Result<u64, StoreError> {
        let inserted = sqlx::query("insert into services (name, token_hash, created_at) values (?, ?, ?)")
            .bind(name)
            .bind(token_hash.as_slice())
            .bind(at)
            .execute(&self.pool)
            .await?;
        Ok(inserted.last_insert_id())
    }

    /// Ends every token of the service; how many lived.
    pub async fn end_services(&self, name: &str, at: OffsetDateTime) -> Result<u64, StoreError> {
        let ended = sqlx::query("update services set ended_at = ? where name = ? and ended_at is null")
            .bind(at)
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(ended.rows_affected())
    }
}
