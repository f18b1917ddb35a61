//! All SQL, and nothing else: no rule, no Redis, no clock but the caller's. Reads go through the pool; whatever is
//! part of a transaction takes the connection that `flow` began it on.
//!
//! Dropping a query half-way ruins its connection and, after some dozens, the pool. Callers therefore run in tasks
//! that a vanished client cannot cancel (`http` spawns each request), and time is bounded by the server
//! (`max_statement_time`, `innodb_lock_wait_timeout`), never by a timeout around a query.

pub mod accounts;
pub mod applications;
pub mod audit;
pub mod books;
pub mod categories;
pub mod changes;
mod connect;
pub mod deliveries;
mod error;
pub mod history;
pub mod holds;
mod leases;
pub mod mail;
mod names;
pub mod notices;
pub mod operations;
pub mod orders;
pub mod outgoing;
pub mod payouts;
pub mod people;
mod places;
mod rereader;
pub mod resets;
pub mod services;
pub mod sessions;
pub mod settings;
pub mod statistics;
pub mod subscriptions;
pub mod take_lane;
pub mod telegram;
pub mod topups;
mod tx;
pub mod users;

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};

pub use error::StoreError;
pub use places::Places;
pub use rereader::Rereader;
pub use sqlx::MySqlConnection;
pub use tx::Transaction;

/// Whoever waits longer for a connection is told that the database does not answer.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);
/// A connection idle for longer is pinged before it is used again.
const IDLE_UNTESTED: Duration = Duration::from_secs(1);

/// Rows of one statement.
const ROWS_MAX: usize = 128;

/// Parts of a list whose sizes are few (128, 64, … 4, and what is left), so that each connection soon knows every statement:
/// preparing one about thousands of values costs more than sending it in three parts.
fn parts<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = match rest.len() {
            0 => return None,
            few @ 1..4 => few,
            many => ROWS_MAX.min(1 << many.ilog2()),
        };
        let (part, after) = rest.split_at(size);
        rest = after;
        Some(part)
    })
}

/// The rows of a table by their primary keys.
fn by_ids(columns: &str, table: &str, ids: &[u64]) -> sqlx::QueryBuilder<sqlx::MySql> {
    let mut query = sqlx::QueryBuilder::new("select ");
    query.push(columns).push(" from ").push(table).push(" where id in (");
    let mut list = query.separated(", ");
    for id in padded(ids.to_vec()) {
        list.push_bind(id);
    }
    query.push(")");
    query
}

/// The same list, longer by repeats of its last one until its size is common; for conditions, where repeats change nothing.
fn padded<T: Clone>(mut list: Vec<T>) -> Vec<T> {
    if let Some(last) = list.last().cloned() {
        let size = list.len().next_power_of_two();
        list.resize(size, last);
    }
    list
}

/// The pool, the names of people (cached by id), and how to open a connection apart from the pool.
#[derive(Clone)]
pub struct Store {
    pool: MySqlPool,
    options: Arc<MySqlConnectOptions>,
    setup: connect::SessionSetup,
    transactions: tx::Home,
    names: names::Names,
    places: places::Places,
}

impl Store {
    /// Connects, refuses a server that is too old, and prepares every session alike.
    pub async fn connect(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        let options = connect::options(url)?;
        let setup = connect::check_server(&options).await?;
        let pool = MySqlPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_WITHIN)
            // Asking each time costs a third of the throughput; a connection that has just worked works. One that sat
            // idle may have died with its server, and must not cost somebody an answer.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > IDLE_UNTESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| Box::pin(setup.prepare(connection)))
            .connect_with(options.clone())
            .await
            .map_err(StoreError::from)?;
        let options = Arc::new(options);
        Ok(Self {
            pool,
            transactions: tx::Home::new(options.clone(), setup, connections_max),
            options,
            setup,
            names: names::Names::default(),
            places: places::Places::default(),
        })
    }

    /// Brings the schema up to date; safe when several nodes start at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");
        MIGRATIONS.run(&self.pool).await.map_err(|error| StoreError::Migration(Arc::new(error)))
    }

    /// Starts a transaction. Only `flow` calls this.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.transactions.begin().await
    }

    /// Starts a read-only transaction that sees one consistent picture. Only `flow` calls this.
    pub async fn begin_snapshot(connection: &mut MySqlConnection) -> Result<sqlx::Transaction<'_, sqlx::MySql>, StoreError> {
        Ok(connection.begin_with("start transaction with consistent snapshot, read only").await?)
    }

    /// Forgets what it remembers of rows.
    pub fn forget(&self) {
        self.names.forget_all();
        self.places.forget_all();
    }

    /// How many names and accounts are remembered.
    pub fn remembered(&self) -> (u64, u64) {
        (self.names.remembered(), self.places.remembered())
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    pub async fn close(&self) {
        self.transactions.close();
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::{padded, parts};

    #[test]
    fn parts_are_the_whole_list_in_few_sizes() {
        for length in 0..1_000_usize {
            let rows: Vec<usize> = (0..length).collect();
            let sizes: Vec<usize> = parts(&rows).map(<[usize]>::len).collect();
            assert_eq!(parts(&rows).flatten().copied().collect::<Vec<_>>(), rows);
            assert!(sizes.iter().all(|size| *size < 4 || (size.is_power_of_two() && *size <= 128)), "{sizes:?}");
            assert_eq!(padded(rows).len(), if length == 0 { 0 } else { length.next_power_of_two() });
        }
    }
}
