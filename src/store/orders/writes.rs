//! Every change of an order but taking it. Each is one conditional UPDATE: the state it needs is in WHERE, the state it
//! makes differs from it, and "0 rows" means that somebody else was first.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use crate::domain::commission::{Policy, Split};
use crate::domain::money::Currency;
use crate::domain::order::{Acceptance, Assignment, Status};
use crate::store::{Store, StoreError};

pub struct NewOrder<'a> {
    pub customer_id: u64,
    pub title: &'a str,
    pub description: &'a str,
    pub category: Option<&'a str>,
    pub currency: Currency,
    pub assignment: Assignment,
    pub acceptance: Acceptance,
    pub split: Split,
    pub policy: Policy,
    pub created_at: OffsetDateTime,
}

pub async fn insert(connection: &mut MySqlConnection, order: &NewOrder<'_>) -> Result<u64, StoreError> {
    let inserted = sqlx::query(
        "insert into orders (assignment, acceptance, customer_id, category, title, currency, price, payout, commission, \
         rate_bp, floor_bp, commission_mode, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(order.assignment.as_str())
    .bind(order.acceptance.as_str())
    .bind(order.customer_id)
    .bind(order.category)
    .bind(order.title)
    .bind(order.currency.code())
    .bind(order.split.price)
    .bind(order.split.payout)
    .bind(order.split.commission)
    .bind(order.policy.rate_bp())
    .bind(order.policy.floor_bp())
    .bind(order.policy.mode().as_str())
    .bind(order.created_at)
    .execute(&mut *connection)
    .await?;
    let id = inserted.last_insert_id();
    sqlx::query("insert into order_texts (order_id, description) values (?, ?)")
        .bind(id)
        .bind(order.description)
        .execute(connection)
        .await?;
    Ok(id)
}

pub async fn freeze(store: &Store, order_id: u64, customer_id: u64) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update orders set status = 'frozen', version = version + 1 where id = ? and customer_id = ? and status = 'open'")
            .bind(order_id)
            .bind(customer_id)
            .execute(&store.pool)
            .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn unfreeze(store: &Store, order_id: u64, customer_id: u64) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update orders set status = 'open', version = version + 1 where id = ? and customer_id = ? and status = 'frozen'")
            .bind(order_id)
            .bind(customer_id)
            .execute(&store.pool)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// The executor gives up: the order is open again, as if it had not been taken.
pub async fn abandon(store: &Store, order_id: u64, executor_id: u64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'open', executor_id = null, accepted_at = null, version = version + 1 \
         where id = ? and executor_id = ? and status = 'in_work'",
    )
    .bind(order_id)
    .bind(executor_id)
    .execute(&store.pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Hands in work that the customer confirms, at the latest by `confirm_by`. Within a transaction with its report.
pub async fn submit(
    connection: &mut MySqlConnection,
    order_id: u64,
    executor_id: u64,
    at: OffsetDateTime,
    confirm_by: OffsetDateTime,
    report: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'submitted', submitted_at = ?, confirm_by = ?, version = version + 1 \
         where id = ? and executor_id = ? and status = 'in_work' and acceptance = 'confirm'",
    )
    .bind(at)
    .bind(confirm_by)
    .bind(order_id)
    .bind(executor_id)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("update order_texts set report = ? where order_id = ?").bind(report).bind(order_id).execute(connection).await?;
    Ok(true)
}

/// The customer sends the work back.
pub async fn reject(connection: &mut MySqlConnection, order_id: u64, customer_id: u64, reason: &str) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'in_work', submitted_at = null, confirm_by = null, version = version + 1 \
         where id = ? and customer_id = ? and status = 'submitted'",
    )
    .bind(order_id)
    .bind(customer_id)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("update order_texts set reject_reason = ? where order_id = ?").bind(reason).bind(order_id).execute(connection).await?;
    Ok(true)
}

pub async fn cancel(connection: &mut MySqlConnection, order_id: u64, customer_id: u64, at: OffsetDateTime) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'cancelled', finished_at = ?, version = version + 1 \
         where id = ? and customer_id = ? and status in ('open', 'frozen')",
    )
    .bind(at)
    .bind(order_id)
    .bind(customer_id)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The order is done, from `from` (submitted when confirmed, in work when it settles itself). Money moves in the same
/// transaction.
pub async fn finish(connection: &mut MySqlConnection, order_id: u64, from: Status, at: OffsetDateTime) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'done', submitted_at = coalesce(submitted_at, ?), finished_at = ?, confirm_by = null, \
         version = version + 1 where id = ? and status = ?",
    )
    .bind(at)
    .bind(at)
    .bind(order_id)
    .bind(from.as_str())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
