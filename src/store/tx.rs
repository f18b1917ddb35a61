//! Connections for transactions. The pool asks the server twice more for each transaction (BEGIN, and a ping when the
//! connection goes back), which is a fifth of what a short one costs; these have autocommit off, so that the first statement
//! begins, and go back as they are.
//!
//! A transaction that is dropped without its end takes its connection with it: nobody knows what was under way on it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, MySqlConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::SessionSetup;
use super::{ACQUIRE_WITHIN, IDLE_UNTESTED, StoreError};

#[derive(Clone)]
pub(super) struct Home(Arc<Inner>);

struct Inner {
    options: Arc<MySqlConnectOptions>,
    setup: SessionSetup,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// When a connection was last lost: those that were last used before are asked whether they live.
    lost_at: Mutex<Instant>,
}

struct Idle {
    connection: MySqlConnection,
    since: Instant,
}

/// A transaction under way. Ends by `commit` or `rollback`.
pub struct Transaction {
    connection: Option<MySqlConnection>,
    home: Home,
    _place: OwnedSemaphorePermit,
}

impl Home {
    pub(super) fn new(options: Arc<MySqlConnectOptions>, setup: SessionSetup, connections_max: u32) -> Self {
        Self(Arc::new(Inner {
            options,
            setup,
            places: Arc::new(Semaphore::new(usize::try_from(connections_max).unwrap_or(1))),
            idle: Mutex::default(),
            lost_at: Mutex::new(Instant::now()),
        }))
    }

    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        let place = tokio::time::timeout(ACQUIRE_WITHIN, self.0.places.clone().acquire_owned());
        let place = match place.await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(sqlx::Error::PoolClosed.into()),
            Err(_) => {
                metrics::counter!("orderboard_transactions_waited_in_vain_total").increment(1);
                return Err(sqlx::Error::PoolTimedOut.into());
            }
        };
        let connection = match self.take().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Transaction { connection: Some(connection), home: self.clone(), _place: place })
    }

    /// The connection used last, if one is idle and lives.
    async fn take(&self) -> Option<MySqlConnection> {
        loop {
            let Idle { mut connection, since } = lock(&self.0.idle).pop()?;
            if since.elapsed() < IDLE_UNTESTED && since > *lock(&self.0.lost_at) {
                return Some(connection);
            }
            if connection.ping().await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<MySqlConnection, StoreError> {
        let mut connection = self.0.options.connect().await?;
        self.0.setup.prepare(&mut connection).await?;
        connection.execute("set session autocommit = 0").await?;
        Ok(connection)
    }

    pub(super) fn close(&self) {
        self.0.places.close();
        lock(&self.0.idle).clear();
    }
}

impl Transaction {
    pub async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    pub async fn rollback(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), StoreError> {
        self.execute(how).await?;
        if let Some(connection) = self.connection.take()
            && !self.home.0.places.is_closed()
        {
            lock(&self.home.0.idle).push(Idle { connection, since: Instant::now() });
        }
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        // Taken only by `end`, which has the transaction for itself.
        self.connection.as_ref().expect("a transaction has its connection until its end")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.connection.as_mut().expect("a transaction has its connection until its end")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.connection.is_some() {
            *lock(&self.home.0.lost_at) = Instant::now();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
