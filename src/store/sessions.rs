//! Sessions: who holds which token, hashed. A session is never deleted by signing out, it is ended, so that the
//! sweep can still carry the news of its end.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::{Store, StoreError, parts};
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
    token_hash: Vec<u8>,
    id: u64,
    user_id: u64,
    role: String,
    expires_at: OffsetDateTime,
    email: String,
    name: String,
}

impl LivingRow {
    fn session(self) -> Result<(TokenHash, Session), StoreError> {
        let corrupt = |what: String| StoreError::Corrupt(format!("session {} has {what}", self.id));
        let role = Role::parse(&self.role).ok_or_else(|| corrupt(format!("role {}", self.role)))?;
        let hash = TokenHash::try_from(&*self.token_hash).map_err(|_| corrupt("a token hash of another length".into()))?;
        let actor = Actor { user: Party { id: self.user_id, name: self.name }, role, session_id: self.id };
        Ok((hash, Session { actor, email: self.email, expires_at: self.expires_at }))
    }
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
    /// The living sessions of these tokens, each with its user.
    pub async fn sessions_by_token(&self, hashes: &[TokenHash], now: OffsetDateTime) -> Result<Vec<(TokenHash, Session)>, StoreError> {
        let mut found = Vec::with_capacity(hashes.len());
        for some in parts(hashes) {
            let mut query = sqlx::QueryBuilder::new(
                "select s.token_hash, s.id, s.user_id, s.role, s.expires_at, u.email, u.name from sessions s \
                 join users u on u.id = s.user_id where s.token_hash in (",
            );
            let mut list = query.separated(", ");
            for hash in some {
                list.push_bind(hash.as_slice());
            }
            query.push(") and s.ended_at is null and s.expires_at > ").push_bind(now).push(" and u.closed_at is null");
            let rows: Vec<LivingRow> = query.build_query_as().fetch_all(&self.pool).await?;
            for row in rows {
                found.push(row.session()?);
            }
        }
        Ok(found)
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

    /// Notes that these sessions were used; called at most twice a minute for each. In ascending order, so that two nodes
    /// cannot wait for each other.
    pub async fn touch_sessions(&self, mut ids: Vec<u64>, now: OffsetDateTime) -> Result<(), StoreError> {
        ids.sort_unstable();
        for some in parts(&ids) {
            let mut query = sqlx::QueryBuilder::new("update sessions set last_seen_at = ");
            query.push_bind(now).push(" where id in (");
            let mut list = query.separated(", ");
            for id in some {
                list.push_bind(*id);
            }
            query.push(")");
            query.build().execute(&self.pool).await?;
        }
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
