//! Where the texts and histories of old orders lie. Reads look in both places; only the archive job moves rows, and none comes
//! back.

use sqlx::{MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use crate::store::{Store, StoreError, padded};

/// An order whose texts are not archived.
#[derive(sqlx::FromRow)]
pub struct Unarchived {
    pub id: u64,
    pub created_at: OffsetDateTime,
    pub finished_at: Option<OffsetDateTime>,
}

impl Store {
    /// Orders above this id whose texts are not archived, the oldest first.
    pub async fn unarchived_above(&self, id: u64, limit: u32) -> Result<Vec<Unarchived>, StoreError> {
        let orders = sqlx::query_as(
            "select o.id, o.created_at, if(o.status in ('done', 'failed', 'cancelled'), o.finished_at, null) finished_at \
             from (select order_id from order_texts where order_id > ? order by order_id limit ?) t \
             join orders o on o.id = t.order_id order by o.id",
        );
        Ok(orders.bind(id).bind(limit).fetch_all(&self.pool).await?)
    }
}

/// Moves the texts and the history of these orders, which are finished for good. What was moved already stays as it is.
pub async fn archive(connection: &mut MySqlConnection, ids: &[u64], at: OffsetDateTime) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let mut texts = QueryBuilder::new(
        "insert ignore into order_texts_archive (order_id, description, report, reject_reason, dispute_reason, archived_at) \
         select order_id, description, report, reject_reason, dispute_reason, ",
    );
    texts.push_bind(at).push(" from order_texts where order_id in ");
    let mut events = QueryBuilder::new(
        "insert ignore into order_events_archive (order_id, version, event, actor_id, at, facts) \
         select order_id, version, event, actor_id, at, facts from order_events where order_id in ",
    );
    let mut old_events = QueryBuilder::new("delete from order_events where order_id in ");
    let mut old_texts = QueryBuilder::new("delete from order_texts where order_id in ");
    let mut moved = 0;
    for statement in [&mut texts, &mut events, &mut old_events, &mut old_texts] {
        statement.push("(");
        let mut list = statement.separated(", ");
        for id in padded(ids.to_vec()) {
            list.push_bind(id);
        }
        statement.push(")");
        moved = statement.build().execute(&mut *connection).await?.rows_affected();
    }
    Ok(moved)
}
