//! Users: accounts of people, not of money.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};

#[derive(sqlx::FromRow)]
pub struct UserRow {
    pub id: u64,
    pub email: String,
    pub name: String,
    pub password_hash: String,
    pub is_admin: bool,
}

pub struct NewUser<'a> {
    pub email: &'a str,
    pub name: &'a str,
    /// An argon2 PHC string; empty when no password opens this account.
    pub password_hash: &'a str,
    pub is_admin: bool,
}

impl Store {
    pub async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        Ok(sqlx::query_as("select id, email, name, password_hash, is_admin from users where email = ?")
            .bind(email)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Whether this user's earnings flow on into the wallet.
    pub async fn sweeps_earnings(&self, user_id: u64) -> Result<bool, StoreError> {
        let setting: Option<bool> =
            sqlx::query_scalar("select sweeps_earnings from users where id = ?").bind(user_id).fetch_optional(&self.pool).await?;
        Ok(setting.unwrap_or(false))
    }

    pub async fn set_sweeps_earnings(&self, user_id: u64, sweeps: bool) -> Result<(), StoreError> {
        sqlx::query("update users set sweeps_earnings = ? where id = ?").bind(sweeps).bind(user_id).execute(&self.pool).await?;
        Ok(())
    }
}

/// `None` when the e-mail address belongs to somebody already.
pub async fn insert(connection: &mut MySqlConnection, user: &NewUser<'_>, at: OffsetDateTime) -> Result<Option<u64>, StoreError> {
    let inserted = sqlx::query("insert into users (email, name, password_hash, is_admin, created_at) values (?, ?, ?, ?, ?)")
        .bind(user.email)
        .bind(user.name)
        .bind(user.password_hash)
        .bind(user.is_admin)
        .bind(at)
        .execute(connection)
        .await
        .map_err(StoreError::from);
    match inserted {
        Ok(done) => Ok(Some(done.last_insert_id())),
        Err(error) if error.is_duplicate() => Ok(None),
        Err(error) => Err(error),
    }
}
