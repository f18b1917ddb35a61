//! Applications. They change only in transactions that have locked their order.

use std::collections::HashMap;

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError, padded};
use crate::domain::application::{Application, ApplicationStatus, Record};
use crate::domain::commission::Split;
use crate::domain::order::unix_ms;

const COLUMNS: &str = "order_id, executor_id, version, message, price, payout, commission, status, created_at";

#[derive(sqlx::FromRow)]
struct ApplicationRow {
    order_id: u64,
    executor_id: u64,
    version: u64,
    message: String,
    price: i64,
    payout: i64,
    commission: i64,
    status: String,
    created_at: OffsetDateTime,
}

/// An application about to be written.
pub struct NewApplication<'a> {
    pub order_id: u64,
    pub executor_id: u64,
    pub message: &'a str,
    pub split: Split,
    pub at: OffsetDateTime,
}

/// Writes the application under this version of the order, in the place of an earlier one.
pub async fn put(connection: &mut MySqlConnection, new: &NewApplication<'_>, version: u64) -> Result<(), StoreError> {
    let Split { price, payout, commission } = new.split;
    sqlx::query(
        "insert into applications (order_id, executor_id, version, message, price, payout, commission, created_at) \
         values (?, ?, ?, ?, ?, ?, ?, ?) \
         on duplicate key update version = ?, message = ?, price = ?, payout = ?, commission = ?, created_at = ?, status = 'waiting'",
    )
    .bind(new.order_id)
    .bind(new.executor_id)
    .bind(version)
    .bind(new.message)
    .bind(price)
    .bind(payout)
    .bind(commission)
    .bind(new.at)
    .bind(version)
    .bind(new.message)
    .bind(price)
    .bind(payout)
    .bind(commission)
    .bind(new.at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the application that waits, as it was read. False when it does not.
pub async fn end(connection: &mut MySqlConnection, waiting: &Application, to: ApplicationStatus) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update applications set status = ? where order_id = ? and executor_id = ? and status = 'waiting' and version = ?")
            .bind(to.as_str())
            .bind(waiting.order_id)
            .bind(waiting.executor.id)
            .bind(waiting.version)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Whoever still waits for the order waits in vain.
pub async fn decline_all(connection: &mut MySqlConnection, order_id: u64) -> Result<(), StoreError> {
    sqlx::query("update applications set status = 'declined' where order_id = ? and status = 'waiting'")
        .bind(order_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whoever was chosen has given up.
pub async fn withdraw_chosen(connection: &mut MySqlConnection, order_id: u64) -> Result<(), StoreError> {
    sqlx::query("update applications set status = 'withdrawn' where order_id = ? and status = 'chosen'")
        .bind(order_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Those who wait for the order, by number.
pub async fn waiting(connection: &mut MySqlConnection, order_id: u64) -> Result<Vec<u64>, StoreError> {
    Ok(sqlx::query_scalar("select executor_id from applications where order_id = ? and status = 'waiting'")
        .bind(order_id)
        .fetch_all(connection)
        .await?)
}

impl Store {
    pub async fn application(&self, order_id: u64, executor_id: u64) -> Result<Option<Application>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from applications where order_id = ").push_bind(order_id);
        query.push(" and executor_id = ").push_bind(executor_id);
        let rows = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(self.applications(rows).await?.pop())
    }

    /// An order's applications with a version below `below`, the newest first.
    pub async fn applications_of_order(&self, order_id: u64, below: u64, limit: u32) -> Result<Vec<Application>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from applications where order_id = ").push_bind(order_id);
        query.push(" and version < ").push_bind(below).push(" order by version desc limit ").push_bind(limit);
        let rows = query.build_query_as().fetch_all(&self.pool).await?;
        self.applications(rows).await
    }

    /// An executor's applications for orders with a number below `below`, the newest order first.
    pub async fn applications_of_executor(
        &self,
        executor_id: u64,
        status: Option<ApplicationStatus>,
        (below, limit): (u64, u32),
    ) -> Result<Vec<Application>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        // Left alone the server may read all of the executor's and sort them.
        let index = if status.is_some() { "of_executor_in_status" } else { "of_executor" };
        query.push(COLUMNS).push(" from applications force index (").push(index);
        query.push(") where executor_id = ").push_bind(executor_id);
        query.push(" and order_id < ").push_bind(below);
        if let Some(status) = status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        query.push(" order by order_id desc limit ").push_bind(limit);
        let rows = query.build_query_as().fetch_all(&self.pool).await?;
        self.applications(rows).await
    }

    /// What these executors have done so far, in this currency.
    pub async fn records(&self, executor_ids: &[u64], currency: &str) -> Result<HashMap<u64, Record>, StoreError> {
        if executor_ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query: QueryBuilder<MySql> =
            QueryBuilder::new("select executor_id, cast(count(*) as unsigned), cast(coalesce(sum(if(currency = ");
        query.push_bind(currency.to_owned());
        query.push(", payout, 0)), 0) as signed) from orders where status = 'done' and executor_id in (");
        let mut list = query.separated(", ");
        for id in padded(executor_ids.to_vec()) {
            list.push_bind(id);
        }
        query.push(") group by executor_id");
        let rows: Vec<(u64, u64, i64)> = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(id, completed, earned)| (id, Record { completed, earned })).collect())
    }

    async fn applications(&self, rows: Vec<ApplicationRow>) -> Result<Vec<Application>, StoreError> {
        let names = self.names_of(rows.iter().map(|row| row.executor_id).collect()).await?;
        rows.into_iter()
            .map(|row| {
                let status = ApplicationStatus::parse(&row.status)
                    .ok_or_else(|| StoreError::Corrupt(format!("an application for order {} is {}", row.order_id, row.status)))?;
                Ok(Application {
                    order_id: row.order_id,
                    executor: names.party(row.executor_id),
                    message: row.message,
                    price: row.price,
                    payout: row.payout,
                    commission: row.commission,
                    status,
                    version: row.version,
                    created_at: row.created_at,
                    created_ms: unix_ms(row.created_at),
                })
            })
            .collect()
    }
}
