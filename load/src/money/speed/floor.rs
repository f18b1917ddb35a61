//! The database alone: the statements that the service sends for a credit, sent straight to it over connections held open,
//! with nothing in between. In a transaction of its own each, or so many to a transaction with one statement a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{ConnectOptions, Executor, MySql, QueryBuilder};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::money::dice::Dice;
use crate::report::Latency;

const AMOUNT: i64 = 10;
/// As long as an answer of the service.
const RESULT_BYTES: usize = 190;

pub(super) struct Round {
    pub(super) operations: u64,
    pub(super) took: Duration,
    /// Of a transaction.
    pub(super) latency: Latency,
}

/// Connections that are held open.
pub(super) struct Floor {
    accounts: Arc<Vec<u64>>,
    /// Operations to a transaction.
    batch: u64,
    connections: Vec<MySqlConnection>,
}

impl Floor {
    pub(super) async fn open(url: &str, accounts: Vec<u64>, connections: u64, batch: u64) -> Result<Self, Error> {
        let options = url.parse::<MySqlConnectOptions>()?.ssl_mode(MySqlSslMode::Disabled).disable_statement_logging();
        let mut floor = Self { accounts: Arc::new(accounts), batch, connections: Vec::new() };
        for _ in 0..connections {
            let mut connection = options.connect().await?;
            // As the service does: the first statement begins.
            connection.execute("set session autocommit = 0").await?;
            connection.execute("set session transaction isolation level read committed").await?;
            floor.connections.push(connection);
        }
        Ok(floor)
    }

    /// `count` credits on random ones of the accounts; their ids begin with `tag`.
    pub(super) async fn round(&mut self, count: u64, tag: &str) -> Result<Round, Error> {
        let left = Arc::new(AtomicI64::new(count.try_into().unwrap_or(i64::MAX)));
        let (mut tasks, begun, batch) = (JoinSet::new(), Instant::now(), self.batch);
        for (n, mut connection) in (0_u64..).zip(self.connections.drain(..)) {
            let (left, accounts, tag) = (left.clone(), self.accounts.clone(), format!("{tag}-{n}"));
            tasks.spawn(async move {
                let (mut dice, mut latency, mut done) = (Dice::new(n), Latency::new(), 0);
                while left.fetch_sub(batch as i64, Ordering::Relaxed) > 0 {
                    let credits: Vec<Credit> = (0..batch).filter_map(|_| Credit::new(&accounts, &mut dice, &tag, &mut done)).collect();
                    let sent = Instant::now();
                    transaction(&mut connection, &credits).await?;
                    latency.record(sent.elapsed());
                }
                Ok::<_, Error>((connection, done, latency))
            });
        }
        let mut round = Round { operations: 0, took: Duration::ZERO, latency: Latency::new() };
        while let Some(finished) = tasks.join_next().await {
            let (connection, done, latency) = finished??;
            self.connections.push(connection);
            round.operations += done;
            round.latency.merge(&latency);
        }
        round.took = begun.elapsed();
        Ok(round)
    }
}

impl Round {
    pub(super) fn per_s(&self) -> f64 {
        self.operations as f64 / self.took.as_secs_f64().max(1e-6)
    }
}

struct Credit {
    account: u64,
    id: String,
}

impl Credit {
    fn new(accounts: &[u64], dice: &mut Dice, tag: &str, made: &mut u64) -> Option<Self> {
        *made += 1;
        Some(Self { account: *dice.pick(accounts)?, id: format!("b:{tag}-{made}") })
    }
}

/// As it was read under its lock, and moved on.
#[derive(sqlx::FromRow)]
struct Account {
    id: u64,
    available: i64,
    held: i64,
    version: u64,
}

async fn transaction(transaction: &mut MySqlConnection, credits: &[Credit]) -> Result<(), Error> {
    let is_one = credits.len() == 1;
    let mut ids: Vec<u64> = credits.iter().map(|credit| credit.account).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut lock = QueryBuilder::<MySql>::new(
        "select id, user_id, kind, currency, available, held, version, changed_at, is_closed from accounts force index (primary) where id in (",
    );
    list(&mut lock, &ids);
    lock.push(" order by id for update");
    let read: Vec<Account> = lock.build_query_as().persistent(is_one).fetch_all(&mut *transaction).await?;
    let mut after: Vec<(u64, Account)> = read.into_iter().map(|account| (account.version, account)).collect();

    let mut known = QueryBuilder::<MySql>::new("select id, body_hash, result from operations where id in (");
    let names: Vec<&str> = credits.iter().map(|credit| credit.id.as_str()).collect();
    list(&mut known, &names);
    known.build().persistent(is_one).fetch_all(&mut *transaction).await?;

    let mut rows = Vec::with_capacity(credits.len());
    for credit in credits {
        if let Some((_, account)) = after.iter_mut().find(|(_, account)| account.id == credit.account) {
            account.available += AMOUNT;
            account.version += 1;
            rows.push((credit, account.version, account.available, account.held));
        }
    }
    let mut update = QueryBuilder::<MySql>::new("update accounts force index (primary) set available = ");
    cases(&mut update, &after, |(_, account)| account.available);
    update.push(", held = ");
    cases(&mut update, &after, |(_, account)| account.held);
    update.push(", version = ");
    cases(&mut update, &after, |(_, account)| account.version as i64);
    update.push(", changed_at = greatest(current_timestamp(6), cast(changed_at as datetime(6))) where id in (");
    list(&mut update, &ids);
    update.push(" and version = ");
    cases(&mut update, &after, |(read, _)| *read as i64);
    let moved = update.build().persistent(is_one).execute(&mut *transaction).await?.rows_affected();
    if moved != ids.len() as u64 {
        return Err(Error::Server(format!("floor: {moved} of {} accounts moved", ids.len())));
    }

    let mut entries = QueryBuilder::<MySql>::new(
        "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, \
         order_id, topup_id, hold_id, payout_id, peer_id, created_at) ",
    );
    let none = None::<u64>;
    entries.push_values(&rows, |mut row, (credit, seq, available, held)| {
        row.push_bind(credit.account).push_bind(*seq).push_bind(&credit.id).push_bind("credit").push_bind(AMOUNT).push_bind(0_i64);
        row.push_bind(*available).push_bind(*held).push_bind(none).push_bind(none).push_bind(none).push_bind(none).push_bind(none);
        row.push("now(6)");
    });
    entries.build().persistent(is_one).execute(&mut *transaction).await?;
    let mut lines =
        QueryBuilder::<MySql>::new("insert into system_entries (operation_id, line, account, currency, amount, order_id, created_at) ");
    lines.push_values(&rows, |mut row, (credit, ..)| {
        row.push_bind(&credit.id).push_bind(0_u8).push_bind("gateway").push_bind("RUB").push_bind(-AMOUNT).push_bind(none).push("now(6)");
    });
    lines.build().persistent(is_one).execute(&mut *transaction).await?;
    let (hash, result) = ([7_u8; 32], "r".repeat(RESULT_BYTES));
    let mut operations = QueryBuilder::<MySql>::new("insert into operations (id, kind, body_hash, outcome, result, created_at) ");
    operations.push_values(&rows, |mut row, (credit, ..)| {
        row.push_bind(&credit.id).push_bind("credit").push_bind(hash.as_slice()).push_bind("done").push_bind(&result).push("now(6)");
    });
    operations.build().persistent(is_one).execute(&mut *transaction).await?;
    let mut outgoing = QueryBuilder::<MySql>::new("insert into outgoing (operation_id, created_at) ");
    outgoing.push_values(&rows, |mut row, (credit, ..)| {
        row.push_bind(&credit.id).push("now(6)");
    });
    outgoing.build().persistent(is_one).execute(&mut *transaction).await?;
    transaction.execute("commit").await?;
    Ok(())
}

/// `…?, ?, ?)`.
fn list<T: Clone + Send + for<'q> sqlx::Encode<'q, MySql> + sqlx::Type<MySql>>(query: &mut QueryBuilder<MySql>, items: &[T]) {
    let mut list = query.separated(", ");
    for item in items {
        list.push_bind(item.clone());
    }
    query.push(")");
}

fn cases(query: &mut QueryBuilder<MySql>, accounts: &[(u64, Account)], value: impl Fn(&(u64, Account)) -> i64) {
    query.push("case id");
    for account in accounts {
        query.push(" when ").push_bind(account.1.id).push(" then ").push_bind(value(account));
    }
    query.push(" end");
}
