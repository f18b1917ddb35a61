//! Orders whose customer chooses among applicants: what an application, and a choice, change in the order's row.

use sqlx::MySqlConnection;

use crate::domain::order::Order;
use crate::store::StoreError;

/// Locks an order that can be applied for, of the price that was read, and gives it a new version, which is answered. Applicants
/// wait for each other here.
pub async fn open_for_applicant(connection: &mut MySqlConnection, order: &Order) -> Result<Option<u64>, StoreError> {
    let done = sqlx::query(
        "update orders set version = version + 1 where id = ? and status = 'open' and assignment = 'chosen' and edited_version = ?",
    )
    .bind(order.id)
    .bind(order.edited_version)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("select version from orders where id = ?").bind(order.id).fetch_optional(connection).await?)
}

/// The same for an application that is taken back.
pub async fn touch_for_applicant(connection: &mut MySqlConnection, order_id: u64) -> Result<bool, StoreError> {
    let done = sqlx::query("update orders set version = version + 1 where id = ? and status in ('open', 'frozen')")
        .bind(order_id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many wait, in an order that is locked and has its new version.
pub async fn count_applicants(connection: &mut MySqlConnection, order_id: u64, applicants: u64) -> Result<(), StoreError> {
    sqlx::query("update orders set applicants = ? where id = ?").bind(applicants).bind(order_id).execute(connection).await?;
    Ok(())
}

/// The order is in work for its customer's choice, at the price that was agreed. False when it is not as it was read.
pub async fn choose(connection: &mut MySqlConnection, before: &Order, after: &Order) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update orders set status = 'in_work', executor_id = ?, accepted_at = ?, price = ?, payout = ?, commission = ?, applicants = 0, \
         version = ?, edited_version = ? where id = ? and customer_id = ? and version = ? and status = 'open' and assignment = 'chosen'",
    )
    .bind(after.executor.as_ref().map(|executor| executor.id))
    .bind(after.accepted_at)
    .bind(after.price)
    .bind(after.payout)
    .bind(after.commission)
    .bind(after.version)
    .bind(after.edited_version)
    .bind(before.id)
    .bind(before.customer.id)
    .bind(before.version)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
