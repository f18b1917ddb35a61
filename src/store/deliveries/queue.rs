//! The queue that every channel's outbox is: written with its reason by whoever sends something, taken by workers for a while, and
//! ended once. Whoever has a delivery has its `claim`; a worker that dies loses it when the time it was taken for is over.

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::Channel;
use crate::store::{Store, StoreError, padded};

/// Something to be sent that a worker has taken.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Delivery {
    pub id: u64,
    pub user_id: u64,
    /// Which letter, or of which event.
    pub what: String,
    pub facts: String,
    /// Where a letter goes and in which language. A message finds its chat when it is sent.
    pub address: Option<String>,
    pub language: Option<String>,
    /// This one included.
    pub attempts: u16,
    pub deadline: OffsetDateTime,
    pub created_at: OffsetDateTime,
    pub claim: u64,
}

/// How a worker's hold on a delivery ends.
#[derive(Debug)]
pub enum Fate {
    Sent,
    /// To be tried again from this moment.
    Again(OffsetDateTime, String),
    Dead(String),
}

/// What a worker takes: those due at `at`, at most `limit`, until `until`, under the number `claim`.
pub struct Taking {
    pub claim: u64,
    pub at: OffsetDateTime,
    pub until: OffsetDateTime,
    pub limit: u32,
}

/// Takes what is due, the most urgent first. What another worker is about to take or to end is passed over instead of being
/// waited for.
pub async fn take(connection: &mut MySqlConnection, channel: Channel, taking: &Taking) -> Result<Vec<Delivery>, StoreError> {
    let mut due = QueryBuilder::<MySql>::new("select id from ");
    due.push(channel.table()).push(" where state = 'waiting' and due_at <= ").push_bind(taking.at);
    due.push(" order by priority, due_at limit ").push_bind(taking.limit).push(" for update skip locked");
    let ids: Vec<u64> = due.build_query_scalar().fetch_all(&mut *connection).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut claim = QueryBuilder::<MySql>::new("update ");
    claim.push(channel.table()).push(" set attempts = attempts + 1, claim = ").push_bind(taking.claim);
    claim.push(", due_at = ").push_bind(taking.until).push(" where id in (");
    let mut list = claim.separated(", ");
    for id in padded(ids) {
        list.push_bind(id);
    }
    claim.push(")");
    claim.build().execute(&mut *connection).await?;
    let mut taken = QueryBuilder::<MySql>::new("select id, user_id, ");
    taken.push(channel.what()).push(" as what, facts, ").push(channel.reader());
    taken.push(", attempts, deadline, created_at, claim from ").push(channel.table());
    taken.push(" where claim = ").push_bind(taking.claim).push(" order by priority, id");
    Ok(taken.build_query_as().fetch_all(connection).await?)
}

/// Ends a worker's hold; false when it had lost it.
pub async fn end(
    connection: &mut MySqlConnection,
    channel: Channel,
    delivery: &Delivery,
    fate: &Fate,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let (state, due_at, error, done_at) = match fate {
        Fate::Sent => ("sent", at, None, Some(at)),
        Fate::Again(due_at, error) => ("waiting", *due_at, Some(error), None),
        Fate::Dead(error) => ("dead", at, Some(error), Some(at)),
    };
    let mut query = QueryBuilder::<MySql>::new("update ");
    query.push(channel.table()).push(" set state = ").push_bind(state).push(", due_at = ").push_bind(due_at);
    query.push(", last_error = coalesce(").push_bind(error).push(", last_error), done_at = ").push_bind(done_at);
    query.push(", claim = null where id = ").push_bind(delivery.id).push(" and claim = ").push_bind(delivery.claim);
    query.push(" and state = 'waiting'");
    Ok(query.build().execute(connection).await?.rows_affected() == 1)
}

impl Store {
    /// What ended before `before` is forgotten, at most `limit` of it.
    pub async fn forget_deliveries(&self, channel: Channel, before: OffsetDateTime, limit: u32) -> Result<(), StoreError> {
        let mut query = QueryBuilder::<MySql>::new("delete from ");
        query.push(channel.table()).push(" where done_at < ").push_bind(before).push(" limit ").push_bind(limit);
        query.build().execute(&self.pool).await?;
        Ok(())
    }
}
