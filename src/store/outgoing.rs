//! Results that the queue's other side may not have yet: written with their operations, deleted once they were sent.

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError, parts};

/// Writes that these operations' results are to be sent. Those that are noted already stay noted.
pub async fn insert_all(connection: &mut MySqlConnection, ids: &[&str], at: OffsetDateTime) -> Result<(), StoreError> {
    for some in parts(ids) {
        let mut query = QueryBuilder::<MySql>::new("insert into outgoing (operation_id, created_at) ");
        query.push_values(some, |mut row, id| {
            row.push_bind(*id).push_bind(at);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

impl Store {
    /// The results were sent. By the primary key and by force: a scan would wait for every result that is being committed.
    pub async fn sent(&self, ids: &[String]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::<MySql>::new("delete outgoing from outgoing force index (primary) where operation_id in (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id);
        }
        query.push(")");
        query.build().persistent(false).execute(&self.pool).await?;
        Ok(())
    }

    /// Results older than `before` that were not seen to be sent, as (operation id, answer), the oldest first.
    pub async fn unsent(&self, before: OffsetDateTime, limit: u32) -> Result<Vec<(String, String)>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar("select operation_id from outgoing where created_at < ? order by created_at limit ?")
            .bind(before)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<MySql>::new("select id, result from operations where result is not null and id in (");
        let mut list = query.separated(", ");
        for id in &ids {
            list.push_bind(id);
        }
        query.push(")");
        Ok(query.build_query_as().persistent(false).fetch_all(&self.pool).await?)
    }
}
