//! What a lane says to the database.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::Job;
use crate::store::orders::{COLUMNS, OrderRow};
use crate::store::{StoreError, by_ids, padded};

/// The decision. The row goes from open to in work for exactly one caller, whoever else tries at the same moment.
/// `accepted_at` is the caller's clock and not `now(6)`, so that the winner's answer needs no second query.
const TAKE: &str = "update orders set status = 'in_work', executor_id = ?, accepted_at = ?, version = version + 1 \
     where id = ? and status = 'open' and assignment = 'first' and customer_id <> ?";

/// The same for a taker who says which version they have seen: the row has had it, and has not been edited since.
const TAKE_SEEN: &str = "update orders set status = 'in_work', executor_id = ?, accepted_at = ?, version = version + 1 \
     where id = ? and status = 'open' and assignment = 'first' and customer_id <> ? and ? between edited_version and version";

/// The same for 2, 4, 8, … 1024 orders, each with a taker of its own. Of all the ways to say this, CASE costs the server
/// least (per row at 32 orders: CASE 21 µs, JSON_TABLE 23, a union to join with 24, ELT 29; alone 57). The index is named because by another
/// one the server would lock in another order than whoever comes by the primary key.
static TAKE_ALL: LazyLock<[String; 10]> = LazyLock::new(|| std::array::from_fn(|power| take_all_of(2 << power)));

/// The same where at least one of the takers says which version they have seen: nobody else pays for comparing it. Who does not say
/// so takes the order as it is.
static TAKE_ALL_SEEN: LazyLock<[String; 10]> = LazyLock::new(|| {
    std::array::from_fn(|power| {
        let orders = 2 << power;
        let seen = format!("coalesce(case id {}end, version)", "when ? then ? ".repeat(orders));
        format!("{} and {seen} between edited_version and version", take_all_of(orders))
    })
});

fn take_all_of(orders: usize) -> String {
    let takers = "when ? then ? ".repeat(orders);
    let ids = vec!["?"; orders].join(", ");
    format!(
        "update orders force index (primary) set executor_id = case id {takers}end, status = 'in_work', accepted_at = ?, \
         version = version + 1 where id in ({ids}) and status = 'open' and assignment = 'first' \
         and customer_id <> case id {takers}end"
    )
}

/// As many as [`TAKE_ALL`] has a statement for.
pub(super) const ORDERS_MAX: usize = 1_024;

pub(super) async fn take_one(connection: &mut MySqlConnection, job: &Job) -> Result<u64, StoreError> {
    let statement = if job.seen.is_some() { TAKE_SEEN } else { TAKE };
    let mut sent = sqlx::query(statement).bind(job.executor_id).bind(job.at).bind(job.order_id).bind(job.executor_id);
    if let Some(seen) = job.seen {
        sent = sent.bind(seen);
    }
    Ok(sent.execute(connection).await?.rows_affected())
}

/// How many rows were won, and since when: the latest moment that a taker brought along, so that nobody has his order before
/// he asked for it.
pub(super) async fn take_all(connection: &mut MySqlConnection, batch: &[Job]) -> Result<(u64, OffsetDateTime), StoreError> {
    let at = batch.iter().map(|job| job.at).max().unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // A repeat of the last one changes nothing: CASE takes the first that fits.
    let tries = padded(batch.iter().map(|job| (job.order_id, job.executor_id, job.seen)).collect());
    let says_seen = tries.iter().any(|(_, _, seen)| seen.is_some());
    let statements = if says_seen { &TAKE_ALL_SEEN } else { &TAKE_ALL };
    let Some(statement) = statements.get(tries.len().ilog2() as usize - 1) else {
        return Err(StoreError::Corrupt(format!("{} takers are too many for one statement", batch.len())));
    };
    let mut query = sqlx::query(statement.as_str());
    for (order_id, executor_id, _) in &tries {
        query = query.bind(*order_id).bind(*executor_id);
    }
    query = query.bind(at);
    for (order_id, ..) in &tries {
        query = query.bind(*order_id);
    }
    for (order_id, executor_id, _) in &tries {
        query = query.bind(*order_id).bind(*executor_id);
    }
    for (order_id, _, seen) in tries.iter().filter(|_| says_seen) {
        query = query.bind(*order_id).bind(*seen);
    }
    Ok((query.execute(connection).await?.rows_affected(), at))
}

/// The rows as they stand, by id.
pub(super) async fn read_back(connection: &mut MySqlConnection, batch: &[Job]) -> Result<HashMap<u64, OrderRow>, StoreError> {
    let ids: Vec<u64> = batch.iter().map(|job| job.order_id).collect();
    let rows: Vec<OrderRow> = by_ids(COLUMNS, "orders", &ids).build_query_as().fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
