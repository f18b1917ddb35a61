//! Filling a database by the database itself: rows are made out of a table of numbers, a chunk at a time, so that a million
//! rows cost seconds and no traffic. For servers that were started for the purpose.

use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{AssertSqlSafe, Executor};

use crate::error::Error;

/// Rows of one INSERT.
pub(crate) const CHUNK: u64 = 10_000;
/// The table of the numbers from 0 to below [`CHUNK`], in a column `n`.
pub(crate) const NUMBERS: &str = "orderboard_load_numbers";

pub(crate) async fn make_numbers(database: &MySqlPool) -> Result<(), Error> {
    let mut connection = database.acquire().await?;
    run_sql(&mut connection, format!("drop table if exists {NUMBERS}")).await?;
    run_sql(&mut connection, format!("create table {NUMBERS} (n bigint unsigned not null primary key)")).await?;
    run_sql(&mut connection, format!("insert into {NUMBERS} values (0)")).await?;
    let mut have = 1;
    while have < CHUNK {
        let copy = format!("insert into {NUMBERS} select n + {have} from {NUMBERS} where n + {have} < {CHUNK}");
        run_sql(&mut connection, copy).await?;
        have *= 2;
    }
    Ok(())
}

/// Takes the numbers away, and has the database look at what it has now, as it would by itself in time.
pub(crate) async fn done(database: &MySqlPool, tables: &[&str]) -> Result<(), Error> {
    let mut connection = database.acquire().await?;
    run_sql(&mut connection, format!("drop table {NUMBERS}")).await?;
    for table in tables {
        // It answers with rows.
        connection.fetch_all(AssertSqlSafe(format!("analyze table {table}"))).await?;
    }
    Ok(())
}

/// Every part of it is a number or a name of ours.
pub(crate) async fn run_sql(connection: &mut MySqlConnection, sql: String) -> Result<(), Error> {
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}
