//! What must hold between the tables, as queries that find where it does not. Each names the subject of a violation and
//! the figures; none changes anything.

use sqlx::{ConnectOptions, Executor, MySqlConnection};

use super::{Store, StoreError};

mod checks;

pub use checks::{CHECKS, Check};

/// Violations of one kind that are told; more are only counted as "more".
pub const TOLD_MAX: usize = 50;

/// One place where an invariant does not hold.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Violation {
    pub subject: String,
    pub detail: String,
}

impl Store {
    /// A connection of its own for long reads: no time limit, and what it sees stands still from its transaction's first
    /// statement on.
    pub async fn open_for_audit(&self) -> Result<MySqlConnection, StoreError> {
        let mut connection = self.options.connect().await?;
        connection.execute("set session transaction isolation level repeatable read").await?;
        Ok(connection)
    }
}

/// The first violations of this kind, at most one more than [`TOLD_MAX`].
pub async fn run(connection: &mut MySqlConnection, check: &Check) -> Result<Vec<Violation>, StoreError> {
    Ok(sqlx::query_as(check.sql).fetch_all(connection).await?)
}
