//! What changed lately, for the sweep: addresses and versions only, read from narrow indexes.

use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::domain::news::Subject;

/// A watched row and the version it has.
pub type Changed = (Subject, u64);

/// An order's place among all changes of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub changed_at: OffsetDateTime,
    pub version: u64,
    pub id: u64,
}

impl Change {
    /// Before every change of this moment.
    pub fn at(changed_at: OffsetDateTime) -> Self {
        Self { changed_at, version: 0, id: 0 }
    }
}

/// What a node needs to know of a session that ended.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct EndedSession {
    pub session_id: u64,
    pub user_id: u64,
}

impl Store {
    /// The database's own clock: `changed_at` is written by it.
    pub async fn now(&self) -> Result<OffsetDateTime, StoreError> {
        Ok(sqlx::query_scalar("select now(6)").fetch_one(&self.pool).await?)
    }

    /// Orders, accounts and inboxes changed, and sessions ended, since `since`; at most `limit` of each.
    pub async fn changed_since(&self, since: OffsetDateTime, limit: u32) -> Result<Vec<Changed>, StoreError> {
        let orders: Vec<(u64, u64)> = sqlx::query_as("select id, version from orders where changed_at >= ? order by changed_at limit ?")
            .bind(since)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        let accounts: Vec<(u64, u64)> =
            sqlx::query_as("select id, version from accounts where changed_at >= ? order by changed_at limit ?")
                .bind(since)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        let inboxes: Vec<(u64, u64)> =
            sqlx::query_as("select user_id, version from inboxes where changed_at >= ? order by changed_at limit ?")
                .bind(since)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        let sessions: Vec<u64> = sqlx::query_scalar("select id from sessions where ended_at >= ? order by ended_at limit ?")
            .bind(since)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        let orders = orders.into_iter().map(|(id, version)| (Subject::order(id), version));
        let accounts = accounts.into_iter().map(|(id, version)| (Subject::account(id), version));
        let sessions = sessions.into_iter().map(|id| (Subject::session(id), 1));
        let inboxes = inboxes.into_iter().map(|(user_id, version)| (Subject::inbox(user_id), version));
        Ok(orders.chain(accounts).chain(inboxes).chain(sessions).collect())
    }

    /// Orders changed since `after` and before `before`, in the order of their changes: addresses and places, to go on from
    /// the last one.
    pub async fn orders_changed_after(&self, after: Change, before: OffsetDateTime, limit: u32) -> Result<Vec<Change>, StoreError> {
        let rows: Vec<(OffsetDateTime, u64, u64)> = sqlx::query_as(
            "select changed_at, version, id from orders where changed_at >= ? and changed_at < ? \
             and (changed_at > ? or version > ? or (version = ? and id > ?)) order by changed_at, version, id limit ?",
        )
        .bind(after.changed_at)
        .bind(before)
        .bind(after.changed_at)
        .bind(after.version)
        .bind(after.version)
        .bind(after.id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(changed_at, version, id)| Change { changed_at, version, id }).collect())
    }

    pub async fn ended_sessions(&self, ids: &[u64]) -> Result<Vec<EndedSession>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = sqlx::QueryBuilder::new("select id, user_id from sessions where ended_at is not null and id in (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(*id);
        }
        query.push(")");
        let rows: Vec<(u64, u64)> = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(session_id, user_id)| EndedSession { session_id, user_id }).collect())
    }
}
