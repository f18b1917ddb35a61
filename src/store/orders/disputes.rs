//! Disputes: the changes of a contract's row that they make.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use crate::domain::order::Order;
use crate::store::StoreError;

/// A contract of the executor that was read waits for a verdict from now on, and is not confirmed by time.
pub async fn dispute(connection: &mut MySqlConnection, order: &Order, at: OffsetDateTime, reason: &str) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set disputed_at = ?, confirm_by = null, version = version + 1 \
         where id = ? and executor_id = ? and status in ('in_work', 'submitted') and disputed_at is null",
    )
    .bind(at)
    .bind(order.id)
    .bind(order.executor.as_ref().map(|executor| executor.id))
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query("update order_texts set dispute_reason = ? where order_id = ?").bind(reason).bind(order.id).execute(connection).await?;
    Ok(true)
}

/// A disputed contract is over without pay, as it was read. Its money goes back in the same transaction.
pub async fn fail(connection: &mut MySqlConnection, order: &Order, at: OffsetDateTime) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'failed', finished_at = ?, confirm_by = null, version = version + 1 \
         where id = ? and status = ? and executor_id = ? and edited_version = ? and disputed_at is not null",
    )
    .bind(at)
    .bind(order.id)
    .bind(order.status.as_str())
    .bind(order.executor.as_ref().map(|executor| executor.id))
    .bind(order.edited_version)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
