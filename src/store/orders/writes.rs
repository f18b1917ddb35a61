//! Every change of an order but taking it. Each is one conditional UPDATE: the state it needs is in WHERE, the state it
//! makes differs from it, and "0 rows" means that somebody else was first.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use crate::domain::commission::{Policy, Split};
use crate::domain::edit::Edited;
use crate::domain::money::Currency;
use crate::domain::order::{Acceptance, Assignment, Order};
use crate::store::StoreError;

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

/// When the customer made the newest of their orders but for so many newer ones; nothing where they have fewer.
pub async fn newest_but(connection: &mut MySqlConnection, customer_id: u64, newer: u32) -> Result<Option<OffsetDateTime>, StoreError> {
    let made_at = sqlx::query_scalar(
        "select created_at from orders force index (of_customer) where customer_id = ? order by id desc limit 1 offset ?",
    );
    Ok(made_at.bind(customer_id).bind(newer).fetch_optional(connection).await?)
}

/// Writes what an open or frozen order says now. False when it is not as it was read.
pub async fn edit(connection: &mut MySqlConnection, order: &Order, edited: &Edited) -> Result<bool, StoreError> {
    let version = order.version + 1;
    let done = sqlx::query(
        "update orders set title = ?, category = ?, price = ?, payout = ?, commission = ?, version = ?, edited_version = ? \
         where id = ? and customer_id = ? and version = ? and status in ('open', 'frozen')",
    )
    .bind(&edited.title)
    .bind(&edited.category)
    .bind(edited.split.price)
    .bind(edited.split.payout)
    .bind(edited.split.commission)
    .bind(version)
    .bind(version)
    .bind(order.id)
    .bind(order.customer.id)
    .bind(order.version)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("update order_texts set description = ? where order_id = ?")
        .bind(&edited.description)
        .bind(order.id)
        .execute(connection)
        .await?;
    Ok(true)
}

pub async fn freeze(connection: &mut MySqlConnection, order_id: u64, customer_id: u64) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update orders set status = 'frozen', version = version + 1 where id = ? and customer_id = ? and status = 'open'")
            .bind(order_id)
            .bind(customer_id)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn unfreeze(connection: &mut MySqlConnection, order_id: u64, customer_id: u64) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update orders set status = 'open', version = version + 1 where id = ? and customer_id = ? and status = 'frozen'")
            .bind(order_id)
            .bind(customer_id)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// The executor gives up: the order is open again, as if it had not been taken, and says nothing of their work to those who look at it
/// now; its events still do, to its customer.
pub async fn abandon(connection: &mut MySqlConnection, order_id: u64, executor_id: u64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'open', executor_id = null, accepted_at = null, version = version + 1 \
         where id = ? and executor_id = ? and status = 'in_work' and disputed_at is null",
    )
    .bind(order_id)
    .bind(executor_id)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("update order_texts set report = null, reject_reason = null where order_id = ?").bind(order_id).execute(connection).await?;
    Ok(true)
}

/// Work that is handed in, to be confirmed by the customer at the latest at `confirm_by`.
pub struct Submission<'a> {
    pub order_id: u64,
    pub executor_id: u64,
    pub at: OffsetDateTime,
    pub confirm_by: OffsetDateTime,
    pub report: &'a str,
}

pub async fn submit(connection: &mut MySqlConnection, work: &Submission<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'submitted', submitted_at = ?, confirm_by = ?, version = version + 1 \
         where id = ? and executor_id = ? and status = 'in_work' and acceptance = 'confirm' and disputed_at is null",
    )
    .bind(work.at)
    .bind(work.confirm_by)
    .bind(work.order_id)
    .bind(work.executor_id)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("update order_texts set report = ? where order_id = ?").bind(work.report).bind(work.order_id).execute(connection).await?;
    Ok(true)
}

/// The customer sends the work back.
pub async fn reject(connection: &mut MySqlConnection, order_id: u64, customer_id: u64, reason: &str) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'in_work', submitted_at = null, confirm_by = null, version = version + 1 \
         where id = ? and customer_id = ? and status = 'submitted' and disputed_at is null",
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

/// Of the price that was read: an edit in between is seen by its version.
pub async fn cancel(connection: &mut MySqlConnection, order: &Order, at: OffsetDateTime) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'cancelled', finished_at = ?, applicants = 0, version = version + 1 \
         where id = ? and customer_id = ? and edited_version = ? and status in ('open', 'frozen')",
    )
    .bind(at)
    .bind(order.id)
    .bind(order.customer.id)
    .bind(order.edited_version)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The order is done, as it was read (submitted when confirmed, in work when it settles itself): of the price and for the
/// executor that it had then, in dispute or not. Money moves in the same transaction.
pub async fn finish(connection: &mut MySqlConnection, order: &Order, at: OffsetDateTime) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'done', submitted_at = coalesce(submitted_at, ?), finished_at = ?, confirm_by = null, \
         version = version + 1 where id = ? and status = ? and edited_version = ? and executor_id = ? and (disputed_at is null) = ?",
    )
    .bind(at)
    .bind(at)
    .bind(order.id)
    .bind(order.status.as_str())
    .bind(order.edited_version)
    .bind(order.executor.as_ref().map(|executor| executor.id))
    .bind(order.disputed_ms.is_none())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
