//! All SQL, and nothing else: no rule, no Redis, no clock but the caller's. Reads go through the pool; whatever is
//! part of a transaction takes the connection that `flow` began it on.
//!
//! Dropping a query half-way ruins its connection and, after some dozens, the pool. Callers therefore run in tasks
//! that a vanished client cannot cancel (`http` spawns each request), and time is bounded by the server
//! (`max_statement_time`, `innodb_lock_wait_timeout`), never by a timeout around a query.

pub mod accounts;
pub mod audit;
pub mod changes;
mod connect;
mod error;
mod names;
pub mod operations;
pub mod orders;
pub mod sessions;
pub mod settings;
pub mod take_lane;
pub mod topups;
pub mod users;

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{Connection as _, MySql, Transaction};

pub use error::StoreError;
pub use sqlx::MySqlConnection;

/// Whoever waits longer for a connection is told that the database does not answer.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);
/// A connection idle for longer is pinged before it is used again.
const IDLE_UNTESTED: Duration = Duration::from_secs(1);

/// The pool, the names of people (cached by id), and how to open a connection apart from the pool.
#[derive(Clone)]
pub struct Store {
    pool: MySqlPool,
    options: Arc<MySqlConnectOptions>,
    setup: connect::SessionSetup,
    names: names::Names,
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
        Ok(Self { pool, options: Arc::new(options), setup, names: names::Names::default() })
    }

    /// Brings the schema up to date; safe when several nodes start at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");
        MIGRATIONS.run(&self.pool).await.map_err(|error| StoreError::Migration(Arc::new(error)))
    }

    /// Starts a transaction. Only `flow` calls this.
    pub async fn begin(&self) -> Result<Transaction<'static, MySql>, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// Starts a read-only transaction that sees one consistent picture. Only `flow` calls this.
    pub async fn begin_snapshot(connection: &mut MySqlConnection) -> Result<Transaction<'_, MySql>, StoreError> {
        Ok(connection.begin_with("start transaction with consistent snapshot, read only").await?)
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}
