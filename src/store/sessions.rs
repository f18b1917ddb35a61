//! Sessions: who holds which token, hashed. A session is never deleted by signing out, it is ended, so that the
//! sweep can still carry the news of its end.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::domain::user::{Actor, Party, Role};

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// A living session and its user.
#[derive(Clone, Debug)]
pub struct Session {
    pub actor: Actor,
    pub email: String,
    pub expires_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct LivingRow {
    id: u64,
    user_id: u64,
    role: String,
    expires_at: OffsetDateTime,
    email: String,
    name: String,
}

pub struct NewSession<'a> {
    pub token_hash: TokenHash,
    pub user_id: u64,
    pub role: Role,
    pub device: &'a str,
    pub address: &'a str,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// A session as its owner reads it in the list of sessions.
#[derive(sqlx::FromRow)]
pub struct SessionRow {
    pub id: u64,
    pub role: String,
    pub device: String,
    pub address: String,
    pub created_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

impl Store {
    /// The living session of a token, with its user, or nothing.
    pub async fn session_by_token(&self, hash: &TokenHash, now: OffsetDateTime) -> Result<Option<Session>, StoreError> {
        let row: Option<LivingRow> = sqlx::query_as(
            "select s.id, s.user_id, s.role, s.expires_at, u.email, u.name from sessions s join users u on u.id = s.user_id \
             where s.token_hash = ? and s.ended_at is null and s.expires_at > ? and u.closed_at is null",
        )
        .bind(hash.as_slice())
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let role = Role::parse(&row.role).ok_or_else(|| StoreError::Corrupt(format!("session {} has role {}", row.id, row.role)))?;
            let actor = Actor { user: Party { id: row.user_id, name: row.name }, role, session_id: row.id };
            Ok(Session { actor, email: row.email, expires_at: row.expires_at })
        })
        .transpose()
    }

    /// The user's living sessions, newest first.
    pub async fn sessions_of(&self, user_id: u64, now: OffsetDateTime) -> Result<Vec<SessionRow>, StoreError> {
        Ok(sqlx::query_as(
            "select id, role, device, address, created_at, last_seen_at, expires_at from sessions \
             where user_id = ? and ended_at is null and expires_at > ? order by id desc limit 100",
        )
        .bind(user_id)
        .bind(now)
        .fetch_all(&self.pool)
        .await?)
    }

    pub async fn insert_session(&self, session: &NewSession<'_>) -> Result<u64, StoreError> {
        insert(&mut *self.pool.acquire().await?, session).await
    }

    /// Ends a living session of this user; false when there is none.
    pub async fn end_session(&self, user_id: u64, session_id: u64, now: OffsetDateTime) -> Result<bool, StoreError> {
        let ended = sqlx::query("update sessions set ended_at = ? where id = ? and user_id = ? and ended_at is null")
            .bind(now)
            .bind(session_id)
            .bind(user_id)
            .execute(&self.pool)
            .await?;
        Ok(ended.rows_affected() == 1)
    }

    /// Notes that a session was used; called at most once a minute for each.
    pub async fn touch_session(&self, session_id: u64, now: OffsetDateTime) -> Result<(), StoreError> {
        sqlx::query("update sessions set last_seen_at = ? where id = ?").bind(now).bind(session_id).execute(&self.pool).await?;
        Ok(())
    }
}

pub async fn insert(connection: &mut MySqlConnection, session: &NewSession<'_>) -> Result<u64, StoreError> {
    let inserted = sqlx::query(
        "insert into sessions (token_hash, user_id, role, device, address, created_at, last_seen_at, expires_at) \
         values (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(session.token_hash.as_slice())
    .bind(session.user_id)
    .bind(session.role.as_str())
    .bind(session.device)
    .bind(session.address)
    .bind(session.created_at)
    .bind(session.created_at)
    .bind(session.expires_at)
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_id())
}
