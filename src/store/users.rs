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
    pub language: String,
}

/// What people see and set of themselves.
#[derive(sqlx::FromRow)]
pub struct OwnProfile {
    pub email: String,
    pub name: String,
    pub about: String,
    pub language: String,
    pub sweeps_earnings: bool,
}

/// What is to be different; what is not named stays.
#[derive(Default)]
pub struct ProfileChange {
    pub name: Option<String>,
    pub about: Option<String>,
    pub language: Option<&'static str>,
    pub sweeps_earnings: Option<bool>,
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
        Ok(sqlx::query_as("select id, email, name, password_hash, is_admin, language from users where email = ? and closed_at is null")
            .bind(email)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Whether this user was closed.
    pub(super) async fn is_user_closed(&self, user_id: u64) -> Result<bool, StoreError> {
        let closed: Option<bool> =
            sqlx::query_scalar("select closed_at is not null from users where id = ?").bind(user_id).fetch_optional(&self.pool).await?;
        Ok(closed.unwrap_or(false))
    }

    /// Whether this user's earnings flow on into the wallet.
    pub async fn sweeps_earnings(&self, user_id: u64) -> Result<bool, StoreError> {
        let setting: Option<bool> =
            sqlx::query_scalar("select sweeps_earnings from users where id = ?").bind(user_id).fetch_optional(&self.pool).await?;
        Ok(setting.unwrap_or(false))
    }

    pub async fn own_profile(&self, user_id: u64) -> Result<Option<OwnProfile>, StoreError> {
        Ok(sqlx::query_as("select email, name, about, language, sweeps_earnings from users where id = ?")
            .bind(user_id)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The user's present password hash and address.
    pub async fn user(&self, user_id: u64) -> Result<Option<UserRow>, StoreError> {
        Ok(sqlx::query_as("select id, email, name, password_hash, is_admin, language from users where id = ? and closed_at is null")
            .bind(user_id)
            .fetch_optional(&self.pool)
            .await?)
    }

    pub async fn change_profile(&self, user_id: u64, change: &ProfileChange) -> Result<(), StoreError> {
        sqlx::query(
            "update users set name = coalesce(?, name), about = coalesce(?, about), language = coalesce(?, language), \
             sweeps_earnings = coalesce(?, sweeps_earnings) where id = ?",
        )
        .bind(&change.name)
        .bind(&change.about)
        .bind(change.language)
        .bind(change.sweeps_earnings)
        .bind(user_id)
        .execute(&self.pool)
        .await?;
        if change.name.is_some() {
            self.names.forget(user_id);
        }
        Ok(())
    }
}

/// The user as they are, until the transaction ends: whoever changes how they sign in locks this row first, and whoever opens
/// a session looks at it under this lock.
pub async fn lock(connection: &mut MySqlConnection, user_id: u64) -> Result<Option<UserRow>, StoreError> {
    Ok(sqlx::query_as("select id, email, name, password_hash, is_admin, language from users where id = ? and closed_at is null for update")
        .bind(user_id)
        .fetch_optional(connection)
        .await?)
}

pub async fn set_password_hash(connection: &mut MySqlConnection, user_id: u64, hash: &str) -> Result<(), StoreError> {
    sqlx::query("update users set password_hash = ? where id = ?").bind(hash).bind(user_id).execute(connection).await?;
    Ok(())
}

/// False when the address belongs to somebody else.
pub async fn set_email(connection: &mut MySqlConnection, user_id: u64, email: &str) -> Result<bool, StoreError> {
    let set = sqlx::query("update users set email = ? where id = ?").bind(email).bind(user_id).execute(connection).await;
    match set.map_err(StoreError::from) {
        Ok(_) => Ok(true),
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Closes the user and their accounts; false when there is no such user.
pub async fn close(connection: &mut MySqlConnection, user_id: u64, at: OffsetDateTime) -> Result<bool, StoreError> {
    // Rows are counted as they match, so closing twice finds the user, too, and keeps the first time.
    let closed = sqlx::query("update users set closed_at = coalesce(closed_at, ?) where id = ?")
        .bind(at)
        .bind(user_id)
        .execute(&mut *connection)
        .await?;
    if closed.rows_affected() != 1 {
        return Ok(false);
    }
    let ids: Vec<u64> =
        sqlx::query_scalar("select id from accounts where user_id = ? order by id").bind(user_id).fetch_all(&mut *connection).await?;
    for id in ids {
        sqlx::query("update accounts set is_closed = true where id = ?").bind(id).execute(&mut *connection).await?;
    }
    Ok(true)
}

/// Ends every living session of the user but this one; which they were.
pub async fn end_sessions_but(
    connection: &mut MySqlConnection,
    user_id: u64,
    kept: Option<u64>,
    at: OffsetDateTime,
) -> Result<Vec<u64>, StoreError> {
    let kept = kept.unwrap_or(0);
    let living: Vec<u64> = sqlx::query_scalar("select id from sessions where user_id = ? and ended_at is null and id <> ? for update")
        .bind(user_id)
        .bind(kept)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query("update sessions set ended_at = ? where user_id = ? and ended_at is null and id <> ?")
        .bind(at)
        .bind(user_id)
        .bind(kept)
        .execute(connection)
        .await?;
    Ok(living)
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
