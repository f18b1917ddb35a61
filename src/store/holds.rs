//! Holds: money set aside on an account until it is captured, released, or its time is over. A hold changes only by whoever
//! has locked its account, or the order or payout whose hold it is.

use std::collections::{BTreeMap, HashMap};

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError, padded, parts};
use crate::domain::billing::{HoldEnd, HoldState, NewHold};

/// Ids of billing operations begin so, as they are stored; see `operations`.
const OF_BILLING: &str = "b:";
const OF_USERS: &str = "u:";

#[derive(sqlx::FromRow)]
struct HoldRow {
    id: u64,
    account_id: u64,
    amount: i64,
    state: String,
    expires_at: Option<OffsetDateTime>,
    operation_id: Option<String>,
}

impl Store {
    /// Active holds whose time is over, the oldest first.
    pub async fn expired_holds(&self, at: OffsetDateTime, limit: u32) -> Result<Vec<u64>, StoreError> {
        Ok(sqlx::query_scalar("select id from holds where state = 'active' and expires_at <= ? order by expires_at limit ?")
            .bind(at)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }
}

/// These holds as they are committed now. Whoever has locked their accounts knows that billing's do not change meanwhile.
pub async fn read(connection: &mut MySqlConnection, ids: &[u64]) -> Result<HashMap<u64, HoldState>, StoreError> {
    let mut rows: Vec<HoldRow> = Vec::new();
    for some in parts(&padded(ids.to_vec())) {
        let mut query =
            QueryBuilder::<MySql>::new("select id, account_id, amount, state, expires_at, operation_id from holds where id in (");
        let mut list = query.separated(", ");
        for id in some {
            list.push_bind(*id);
        }
        query.push(")");
        rows.extend(query.build_query_as::<HoldRow>().fetch_all(&mut *connection).await?);
    }
    let state = |row: HoldRow| {
        let is_of_billing = row.operation_id.is_some_and(|id| id.starts_with(OF_BILLING) || id.starts_with(OF_USERS));
        let hold =
            HoldState { account_id: row.account_id, amount: row.amount, state: row.state, expires_at: row.expires_at, is_of_billing };
        (row.id, hold)
    };
    Ok(rows.into_iter().map(state).collect())
}

/// An order's or a payout's hold; answers its number.
pub async fn insert(connection: &mut MySqlConnection, hold: &NewHold, order_id: Option<u64>) -> Result<u64, StoreError> {
    let inserted =
        sqlx::query("insert into holds (account_id, order_id, operation_id, amount, expires_at, created_at) values (?, ?, ?, ?, ?, ?)")
            .bind(hold.account_id)
            .bind(order_id)
            .bind(&hold.operation_id)
            .bind(hold.amount)
            .bind(hold.expires_at)
            .bind(hold.at)
            .execute(connection)
            .await?;
    Ok(inserted.last_insert_id())
}

/// Makes holds; answers their numbers by the operations that made them.
pub async fn insert_all(connection: &mut MySqlConnection, holds: &[NewHold]) -> Result<BTreeMap<String, u64>, StoreError> {
    let Some(first) = holds.first() else { return Ok(BTreeMap::new()) };
    if holds.len() == 1 {
        let id = insert(connection, first, None).await?;
        return Ok(BTreeMap::from([(first.operation_id.clone(), id)]));
    }
    for some in parts(holds) {
        let mut query = QueryBuilder::<MySql>::new("insert into holds (account_id, operation_id, amount, expires_at, created_at) ");
        query.push_values(some, |mut row, hold| {
            row.push_bind(hold.account_id).push_bind(&hold.operation_id).push_bind(hold.amount);
            row.push_bind(hold.expires_at).push_bind(hold.at);
        });
        query.build().execute(&mut *connection).await?;
    }
    // Read back: servers that interleave numbers do not promise that those of one statement follow each other.
    let ids = padded(holds.iter().map(|hold| hold.operation_id.as_str()).collect::<Vec<_>>());
    let mut rows: Vec<(String, u64)> = Vec::new();
    for some in parts(&ids) {
        let mut query = QueryBuilder::<MySql>::new("select operation_id, id from holds where operation_id in (");
        let mut list = query.separated(", ");
        for id in some {
            list.push_bind(*id);
        }
        query.push(")");
        rows.extend(query.build_query_as::<(String, u64)>().fetch_all(&mut *connection).await?);
    }
    Ok(rows.into_iter().collect())
}

/// Ends these active holds; how many it ended.
pub async fn end_all(connection: &mut MySqlConnection, ids: &[u64], end: HoldEnd, at: OffsetDateTime) -> Result<u64, StoreError> {
    let mut ended = 0;
    for some in parts(ids) {
        let mut query = QueryBuilder::<MySql>::new("update holds set state = ");
        query.push_bind(end.as_str()).push(", resolved_at = ").push_bind(at).push(" where state = 'active' and id in (");
        let mut list = query.separated(", ");
        for id in some {
            list.push_bind(*id);
        }
        query.push(")");
        ended += query.build().execute(&mut *connection).await?.rows_affected();
    }
    Ok(ended)
}

/// Ends one active hold; false when it was not active.
pub async fn end(connection: &mut MySqlConnection, id: u64, end: HoldEnd, at: OffsetDateTime) -> Result<bool, StoreError> {
    Ok(end_all(connection, &[id], end, at).await? == 1)
}

/// Moves the amount of the order's active hold, which is `from`; false when it has no such hold.
pub async fn adjust(connection: &mut MySqlConnection, order_id: u64, from: i64, by: i64) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update holds set amount = amount + ?, adjusted = adjusted + ? where order_id = ? and state = 'active' and amount = ?")
            .bind(by)
            .bind(by)
            .bind(order_id)
            .bind(from)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the order's active hold; false when it has none.
pub async fn end_of_order(connection: &mut MySqlConnection, order_id: u64, end: HoldEnd, at: OffsetDateTime) -> Result<bool, StoreError> {
    let ended = sqlx::query("update holds set state = ?, resolved_at = ? where order_id = ? and state = 'active'")
        .bind(end.as_str())
        .bind(at)
        .bind(order_id)
        .execute(connection)
        .await?;
    Ok(ended.rows_affected() == 1)
}
