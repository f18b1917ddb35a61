//! What has happened to an order. Whoever changes one writes the event in the same transaction; but for taking, which writes
//! nothing besides its one UPDATE, and is read from the order's own row.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use crate::domain::event::{Event, EventKind, Facts, NewEvent};
use crate::store::{Store, StoreError};

#[derive(sqlx::FromRow)]
struct EventRow {
    event: String,
    actor_id: Option<u64>,
    at: OffsetDateTime,
    facts: Option<String>,
}

/// Writes the event under the version that the order has now; the caller has changed and so locked the order.
pub async fn record(connection: &mut MySqlConnection, event: &NewEvent) -> Result<(), StoreError> {
    let facts = (!event.facts.is_empty()).then(|| serde_json::Value::Object(event.facts.clone()).to_string());
    sqlx::query(
        "insert into order_events (order_id, version, event, actor_id, at, facts) select id, version, ?, ?, ?, ? from orders where id = ?",
    )
    .bind(event.kind.as_str())
    .bind(event.actor_id)
    .bind(event.at)
    .bind(facts)
    .bind(event.order_id)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// The newest `limit` events of the order, in the order in which they happened.
    pub async fn order_events(&self, order_id: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        // An old order's lie in the archive, and what happened to it since beside the others'.
        let newest = sqlx::query_as(
            "(select version, event, actor_id, at, facts from order_events where order_id = ? order by version desc limit ?) union all \
             (select version, event, actor_id, at, facts from order_events_archive where order_id = ? order by version desc limit ?) \
             order by version desc limit ?",
        );
        let newest = newest.bind(order_id).bind(limit).bind(order_id).bind(limit).bind(limit);
        let mut rows: Vec<EventRow> = newest.fetch_all(&self.pool).await?;
        rows.reverse();
        let names = self.names_of(rows.iter().filter_map(|row| row.actor_id).collect()).await?;
        rows.into_iter()
            .map(|row| {
                let kind = EventKind::parse(&row.event)
                    .ok_or_else(|| StoreError::Corrupt(format!("order {order_id} has an event `{}`", row.event)))?;
                let event = Event::new(kind, row.actor_id.map(|id| names.party(id)), row.at);
                Ok(Event { facts: facts(row.facts.as_deref(), order_id)?, ..event })
            })
            .collect()
    }

    /// What edits after `version` have changed, the oldest first.
    pub async fn edits_since(&self, order_id: u64, version: u64) -> Result<Vec<Facts>, StoreError> {
        let rows: Vec<Option<String>> = sqlx::query_scalar(
            "select facts from order_events where order_id = ? and version > ? and event in ('edited', 'chosen') order by version",
        )
        .bind(order_id)
        .bind(version)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| facts(row.as_deref(), order_id)).collect()
    }
}

fn facts(text: Option<&str>, order_id: u64) -> Result<Facts, StoreError> {
    let Some(text) = text else { return Ok(Facts::new()) };
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("an event of order {order_id} cannot be read: {error}")))
}
