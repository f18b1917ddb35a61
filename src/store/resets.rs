//! Links that set a new password: known by the hash of their token, used once.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::sessions::TokenHash;
use super::{Store, StoreError};

/// A link about to be sent to `address`.
pub struct NewReset<'a> {
    pub token_hash: TokenHash,
    pub user_id: u64,
    pub address: &'a str,
    pub at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

impl Store {
    /// False when the address is no longer this user's, or the user is closed: then nothing is made.
    pub async fn insert_reset(&self, new: &NewReset<'_>) -> Result<bool, StoreError> {
        let inserted = sqlx::query(
            "insert into password_resets (token_hash, user_id, created_at, expires_at) \
             select ?, id, ?, ? from users where id = ? and email = ? and closed_at is null",
        )
        .bind(new.token_hash.as_slice())
        .bind(new.at)
        .bind(new.expires_at)
        .bind(new.user_id)
        .bind(new.address)
        .execute(&self.pool)
        .await?;
        Ok(inserted.rows_affected() == 1)
    }

    /// Whose link this is, while it is good.
    pub async fn user_of_reset(&self, hash: &TokenHash, now: OffsetDateTime) -> Result<Option<u64>, StoreError> {
        Ok(sqlx::query_scalar("select user_id from password_resets where token_hash = ? and used_at is null and expires_at > ?")
            .bind(hash.as_slice())
            .bind(now)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Links that were over by then are forgotten, at most `limit`.
    pub async fn forget_resets(&self, before: OffsetDateTime, limit: u32) -> Result<(), StoreError> {
        sqlx::query("delete from password_resets where expires_at < ? limit ?").bind(before).bind(limit).execute(&self.pool).await?;
        Ok(())
    }
}

/// Uses the link; false when it was used before, or is too old.
pub async fn spend(connection: &mut MySqlConnection, hash: &TokenHash, now: OffsetDateTime) -> Result<bool, StoreError> {
    let spent = sqlx::query("update password_resets set used_at = ? where token_hash = ? and used_at is null and expires_at > ?")
        .bind(now)
        .bind(hash.as_slice())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(spent.rows_affected() == 1)
}

/// Every link of this user is over.
pub async fn void_all(connection: &mut MySqlConnection, user_id: u64, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("update password_resets set used_at = ? where user_id = ? and used_at is null")
        .bind(now)
        .bind(user_id)
        .execute(connection)
        .await?;
    Ok(())
}
