//! Reading back rows that have just changed, for their news. The pool asks the server once more whenever a connection goes
//! back, and the news of each change is read on its own or with a few others: that would be half of its way to the screens.
//! So a few connections are kept for this alone.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::mysql::MySqlRow;
use sqlx::{ConnectOptions, FromRow, MySqlConnection};

use super::accounts::AccountRow;
use super::orders::{COLUMNS, OrderRow};
use super::{Store, StoreError, by_ids};
use crate::domain::ledger::AccountNews;
use crate::domain::order::Order;

/// Kept while idle; whoever finds none opens one.
const IDLE_MAX: usize = 4;

/// Cheap to clone; the connections are shared.
#[derive(Clone)]
pub struct Rereader {
    store: Store,
    idle: Arc<Mutex<Vec<MySqlConnection>>>,
}

impl Rereader {
    pub fn new(store: Store) -> Self {
        Self { store, idle: Arc::default() }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The present state of these orders; unknown ids are left out.
    pub async fn orders(&self, ids: &[u64]) -> Result<Vec<Order>, StoreError> {
        let rows: Vec<OrderRow> = self.rows(COLUMNS, "orders", ids).await?;
        self.store.named(rows).await
    }

    /// The present state of these accounts; unknown ids are left out.
    pub async fn accounts(&self, ids: &[u64]) -> Result<Vec<AccountNews>, StoreError> {
        let rows: Vec<AccountRow> = self.rows(AccountRow::COLUMNS, "accounts", ids).await?;
        rows.into_iter().map(AccountRow::news).collect()
    }

    async fn rows<T>(&self, columns: &str, table: &str, ids: &[u64]) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, MySqlRow> + Send + Unpin,
    {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.idle().pop();
        let was_kept = kept.is_some();
        match self.read(kept, columns, table, ids).await {
            // It may have died with its server while it was idle. The others died with it.
            Err(error) if was_kept && error.is_disconnect() => {
                self.idle().clear();
                self.read(None, columns, table, ids).await
            }
            result => result,
        }
    }

    /// A connection on which something went wrong is not kept.
    async fn read<T>(&self, connection: Option<MySqlConnection>, columns: &str, table: &str, ids: &[u64]) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, MySqlRow> + Send + Unpin,
    {
        let mut connection = match connection {
            Some(connection) => connection,
            None => {
                let mut fresh = self.store.options.connect().await?;
                self.store.setup.prepare(&mut fresh).await?;
                fresh
            }
        };
        let rows = by_ids(columns, table, ids).build_query_as().fetch_all(&mut connection).await?;
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(rows)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<MySqlConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
