//! How a session with the database begins: the options, the server's version, the settings each session gets.

use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use super::StoreError;

/// What every session runs first. READ COMMITTED because all our writes are conditional UPDATEs; strict mode so that
/// nothing is silently cut; bounds so that no statement outlives its caller's patience.
#[derive(Clone, Copy)]
pub(super) enum SessionSetup {
    MariaDb,
    MySql,
}

impl SessionSetup {
    pub(super) async fn prepare(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        // The variable has two names among the servers we support; the statement has one.
        connection.execute("set session transaction isolation level read committed").await?;
        let variables = match self {
            SessionSetup::MariaDb => {
                "set session innodb_lock_wait_timeout = 5, max_statement_time = 15, \
                 sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'"
            }
            SessionSetup::MySql => {
                "set session innodb_lock_wait_timeout = 5, max_execution_time = 15000, \
                 sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'"
            }
        };
        connection.execute(variables).await.map(|_| ())
    }
}

pub(super) fn options(url: &str) -> Result<MySqlConnectOptions, StoreError> {
    // sqlx would try MySQL's protocol on whatever another scheme names.
    if !url.starts_with("mysql://") && !url.starts_with("mariadb://") {
        return Err(StoreError::Url("it must begin with mysql://, as in mysql://user:password@host/orderboard".into()));
    }
    let options = MySqlConnectOptions::from_str(url).map_err(|error| StoreError::Url(error.to_string()))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(StoreError::Url("it must name a database, as in mysql://user:password@host/orderboard".into()));
    }
    // For whoever watches a request; nothing is said of a statement while nobody listens.
    Ok(options.log_statements(log::LevelFilter::Debug).log_slow_statements(log::LevelFilter::Debug, Duration::MAX))
}

/// Reads the server's version: MariaDB from 10.6, MySQL from 8.0.
pub(super) async fn check_server(options: &MySqlConnectOptions) -> Result<SessionSetup, StoreError> {
    let connecting = tokio::spawn({
        let options = options.clone();
        async move { options.connect().await }
    });
    let connected = tokio::time::timeout(std::time::Duration::from_secs(10), connecting).await;
    let mut connection: MySqlConnection = match connected {
        Ok(Ok(connected)) => connected.map_err(|error| StoreError::Unreachable(first_line(&error)))?,
        Ok(Err(_)) => return Err(StoreError::Unreachable("connecting panicked".into())),
        Err(_) => return Err(StoreError::Unreachable("no answer within 10 s".into())),
    };
    let version: String = sqlx::query_scalar("select version()").fetch_one(&mut connection).await?;
    let setup = judge(&version)?;
    // A setting this server does not know shows here, in one line, rather than in every connection of the pool.
    setup.prepare(&mut connection).await.map_err(|error| StoreError::Version(format!("{version} ({})", first_line(&error))))?;
    connection.close().await?;
    Ok(setup)
}

fn judge(version: &str) -> Result<SessionSetup, StoreError> {
    let is_mariadb = version.to_ascii_lowercase().contains("mariadb");
    // MariaDB behind old replication clients calls itself "5.5.5-10.11.6-MariaDB".
    let plain = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = plain.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match is_mariadb {
        true if found >= (10, 6) => Ok(SessionSetup::MariaDb),
        false if found >= (8, 0) => Ok(SessionSetup::MySql),
        _ => Err(StoreError::Version(version.to_owned())),
    }
}

fn first_line(error: &sqlx::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn servers_that_are_too_old_are_refused_by_name() {
        for good in ["10.11.19-MariaDB-0+deb12u1", "5.5.5-10.6.1-MariaDB", "11.4.2-MariaDB", "8.0.36", "8.4.0", "9.1.0-commercial"] {
            assert!(judge(good).is_ok(), "{good}");
        }
        for old in ["5.7.44-log", "10.5.9-MariaDB", "5.5.5-10.3.39-MariaDB", "nonsense"] {
            assert!(judge(old).is_err(), "{old}");
        }
    }
}
