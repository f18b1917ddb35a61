//! The books while everything happens: about every second a consistent snapshot, over a connection of its own that
//! nobody cuts.

use std::time::Duration;

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;
use tokio_util::sync::CancellationToken;

use crate::check::Check;

const EVERY: Duration = Duration::from_secs(1);

/// Each tells in words what is wrong, one row a fault.
const RULES: [&str; 3] = [
    "select cast(concat(currency, ': ', sum(amount), ' too much') as char)
       from (select currency, sum(available) + sum(held) as amount from accounts group by currency
              union all
             select currency, sum(amount) as amount from system_entries group by currency) all_money
      group by currency having sum(amount) <> 0 limit 100",
    "select cast(concat('account ', a.id, ' holds ', a.held, ', its active holds sum to ', coalesce(h.amount, 0)) as char)
       from accounts a
       left join (select account_id, sum(amount) as amount from holds where state = 'active' group by account_id) h
         on h.account_id = a.id
      where a.held <> coalesce(h.amount, 0) limit 100",
    "select cast(concat('account ', id, ' has ', available, ' + ', held) as char)
       from accounts where available < 0 or held < 0 limit 100",
];

/// Until `over`. While MariaDB is dead there is nothing to see.
pub(super) async fn snapshots(database_url: String, over: CancellationToken) -> Check {
    let mut check = Check::new("each snapshot taken during the run was in balance");
    while !over.is_cancelled() {
        if let Ok(found) = snapshot(&database_url).await {
            check.seen += 1;
            found.into_iter().for_each(|words| check.problems.add(|| words));
        }
        tokio::select! {
            () = over.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    check
}

async fn snapshot(database_url: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut connection = MySqlConnection::connect(database_url).await?;
    sqlx::raw_sql("set transaction isolation level repeatable read").execute(&mut connection).await?;
    sqlx::raw_sql("start transaction with consistent snapshot, read only").execute(&mut connection).await?;
    let mut found = Vec::new();
    for rule in RULES {
        found.extend(sqlx::query_scalar::<_, String>(rule).fetch_all(&mut connection).await?);
    }
    connection.close().await?;
    Ok(found)
}
