//! What can go wrong between us and the database, sorted by what the caller can do about it.

use std::sync::Arc;

/// A technical failure. Refusals of the rules are never errors here: "0 rows updated" is an answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("DATABASE_URL cannot be used: {0}")]
    Url(String),
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    #[error("the database is {0}; MariaDB 10.6 or MySQL 8.0 or newer is needed")]
    Version(String),
    #[error("the schema cannot be brought up to date: {0}")]
    Migration(Arc<sqlx::migrate::MigrateError>),
    #[error("a row holds what it never should: {0}")]
    Corrupt(String),
    #[error(transparent)]
    Sql(Arc<sqlx::Error>),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Sql(Arc::new(error))
    }
}

impl StoreError {
    /// Deadlock, lock wait timeout, record changed since last read: the whole transaction may simply run again.
    pub fn is_conflict(&self) -> bool {
        matches!(self.number(), Some(1213 | 1205 | 1020))
    }

    /// Somebody kept a row locked for longer than is waited for one.
    pub fn is_lock_wait(&self) -> bool {
        self.number() == Some(1205)
    }

    /// The connection is gone or none was free: what was sent may or may not have happened.
    pub fn is_disconnect(&self) -> bool {
        match self {
            StoreError::Unreachable(_) => true,
            StoreError::Sql(error) => {
                matches!(
                    **error,
                    sqlx::Error::Io(_)
                        | sqlx::Error::Tls(_)
                        | sqlx::Error::Protocol(_)
                        | sqlx::Error::PoolTimedOut
                        | sqlx::Error::PoolClosed
                        | sqlx::Error::WorkerCrashed
                ) || matches!(self.number(), Some(1053 | 1927 | 3024 | 1969 | 1040 | 1290 | 1836 | 2006 | 2013))
            }
            _ => false,
        }
    }

    /// No connection was to be had within the time that is waited for one: to wait again would only double it.
    pub fn is_wait_over(&self) -> bool {
        matches!(self, StoreError::Sql(error) if matches!(**error, sqlx::Error::PoolTimedOut))
    }

    /// A unique key was met.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, StoreError::Sql(error) if error.as_database_error().is_some_and(|db| db.is_unique_violation()))
    }

    fn number(&self) -> Option<u16> {
        let StoreError::Sql(error) = self else { return None };
        Some(error.as_database_error()?.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?.number())
    }
}
