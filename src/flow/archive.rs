//! Old orders make room: what an order says and what happened to it moves to the archive some time after it was finished. Nobody
//! notices but by the size of the tables: every read finds it there. A batch is one transaction, so a crash leaves each order's
//! texts in one place, and doing a batch twice moves nothing twice.

use time::OffsetDateTime;

use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::store::MySqlConnection;
use crate::store::orders;

/// Orders looked at for one batch.
const BATCH: u32 = 200;

/// How far a walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archived {
    pub orders: u64,
    /// Where to go on; nothing when everything that is old enough was looked at.
    pub next: Option<u64>,
}

impl Flow {
    /// Archives what was finished before this moment, among the next orders above `after`.
    ///
    /// Orders are older the smaller their number, and none is finished before it was made: the walk ends at the first order that
    /// is too young. What is left below are orders that still live, or took long to be finished.
    pub async fn archive_orders(&self, after: u64, before: OffsetDateTime) -> Result<Archived, FlowError> {
        let some = self.store.unarchived_above(after, BATCH).await?;
        let is_last = some.len() < BATCH as usize || some.last().is_some_and(|order| order.created_at >= before);
        let next = some.last().filter(|_| !is_last).map(|order| order.id);
        let old = some.iter().filter(|order| order.finished_at.is_some_and(|at| at < before));
        let ids: Vec<u64> = old.map(|order| order.id).collect();
        let orders = match ids.is_empty() {
            true => 0,
            false => transaction!(self.store, |connection| move_texts(connection, &ids).await)?,
        };
        metrics::counter!("orderboard_orders_archived_total").increment(orders);
        Ok(Archived { orders, next })
    }
}

async fn move_texts(connection: &mut MySqlConnection, ids: &[u64]) -> Result<u64, FlowError> {
    Ok(orders::archive(connection, ids, now()).await?)
}
