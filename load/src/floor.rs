//! The database alone: the UPDATE that takes an order, sent straight to it over connections held
//! open, with nothing in between. No server can take orders faster than this.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{Connection, Executor};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Run;
use crate::check::{Check, Problems};
use crate::cli::Floor;
use crate::error::Error;
use crate::market::{self, Wanted};
use crate::procfs::Spent;
use crate::progress::Progress;
use crate::report::{Latency, Report, median, rounded};
use crate::server::Server;

const TABLE: &str = "orderboard_load_floor";
const TAKE: &str = "update orderboard_load_floor
    set status = 'in_work', executor_id = ?, accepted_at = now(6), version = version + 1
  where id = ? and status = 'open' and assignment = 'first' and customer_id <> ?";
const ROUND_WITHIN: Duration = Duration::from_secs(120);
/// An executor who is nobody's customer.
const EXECUTOR: u64 = 1 << 52;
/// Rows copied by one statement: a larger transaction would still be flushed while the round runs.
const COPY_MAX: u64 = 5_000;

/// What one round took.
pub(crate) struct Round {
    pub(crate) per_s: f64,
    /// Of server, load test and machine, for each order.
    pub(crate) cpu_us: [f64; 3],
    pub(crate) latency: Latency,
    pub(crate) problems: Problems,
}

/// A table of the same shape and indexes as `orders`, beside it.
pub(crate) struct Scratch {
    options: MySqlConnectOptions,
    admin: MySqlConnection,
    /// All columns but the id, quoted.
    columns: String,
    connections: Vec<MySqlConnection>,
}

pub(crate) async fn run(server: &Server, options: &Floor, run: &Run) -> Result<Report, Error> {
    let mut scratch = Scratch::make(server, run, options.connections).await?;
    let rounds = all_rounds(&mut scratch, options, run).await;
    scratch.remove().await?;
    let (mut rates, mut latency, mut check) = (Vec::new(), Latency::new(), Check::new(CHECK));
    for round in rounds? {
        rates.push(round.per_s);
        check.seen += round.latency.count();
        latency.merge(&round.latency);
        check.problems.merge(round.problems);
    }
    let mut report =
        Report::new(format!("floor: {} connections straight to the database, {} orders a round", options.connections, options.orders));
    report.figure("orders taken per s (median)", rounded(median(&rates)));
    report.figure("rounds per s", rates.iter().map(|&r| rounded(r)).collect::<Vec<_>>());
    report.closed_loop("UPDATE", latency);
    report.verdict.add([check]);
    Ok(report)
}

pub(crate) const CHECK: &str = "floor: each UPDATE took exactly one order";

async fn all_rounds(scratch: &mut Scratch, options: &Floor, run: &Run) -> Result<Vec<Round>, Error> {
    let progress = Progress::new("floor: rounds", options.rounds);
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        if run.stop.is_cancelled() {
            break;
        }
        rounds.push(scratch.round(options.connections, options.orders, &run.stop).await?);
        progress.step();
    }
    Ok(rounds)
}

impl Scratch {
    /// Copies one real order, made through the server, so that the rows are what rows are.
    pub(crate) async fn make(server: &Server, run: &Run, connections: u64) -> Result<Self, Error> {
        let customers = market::customers(server, 1, 1).await?;
        let within = Duration::from_secs(30);
        let wanted = Wanted { label: "floor: model order", count: 1, per_s: None, within };
        let produced = market::produce(server, run, &customers, &wanted, None).await?;
        let model = produced.created.first().ok_or_else(|| Error::Server(format!("no order to copy: {:?}", produced.problems.examples)))?;
        let url = server.database_url().await?;
        // The server may be on the other end of a network; the floor is measured without TLS.
        let options = url.parse::<MySqlConnectOptions>()?.ssl_mode(MySqlSslMode::Disabled);
        let mut admin = MySqlConnection::connect_with(&options).await?;
        admin.execute(AssertSqlSafe(format!("drop table if exists {TABLE}"))).await?;
        admin.execute(AssertSqlSafe(format!("create table {TABLE} like orders"))).await?;
        admin.execute(AssertSqlSafe(format!("insert into {TABLE} select * from orders where id = {}", model.id))).await?;
        let names: Vec<String> = sqlx::query_scalar(
            "select cast(column_name as char) from information_schema.columns
              where table_schema = database() and table_name = ? and column_name <> 'id'",
        )
        .bind(TABLE)
        .fetch_all(&mut admin)
        .await?;
        let columns = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut scratch = Self { options, admin, columns, connections: Vec::new() };
        scratch.connect(connections).await?;
        Ok(scratch)
    }

    /// Opened, and the statement prepared on each, before anything is timed.
    async fn connect(&mut self, count: u64) -> Result<(), Error> {
        for _ in 0..count {
            let mut connection = MySqlConnection::connect_with(&self.options).await?;
            take(&mut connection, 0).await?;
            self.connections.push(connection);
        }
        Ok(())
    }

    /// Fresh open orders with ids from 1 to `orders`, all copies of the row that is there.
    async fn fill(&mut self, orders: u64) -> Result<(), Error> {
        let columns = &self.columns;
        let model = format!("create temporary table model select * from {TABLE} order by id limit 1");
        let reopen = "update model set id = 1, status = 'open', executor_id = null, accepted_at = null, version = 1";
        self.admin.execute(AssertSqlSafe(model)).await?;
        self.admin.execute(reopen).await?;
        self.admin.execute(AssertSqlSafe(format!("truncate table {TABLE}"))).await?;
        self.admin.execute(AssertSqlSafe(format!("insert into {TABLE} select * from model"))).await?;
        self.admin.execute("drop temporary table model").await?;
        let mut have = 1;
        while have < orders {
            let more = have.min(orders - have).min(COPY_MAX);
            let copy = format!("insert into {TABLE} (id, {columns}) select id + {have}, {columns} from {TABLE} where id <= {more}");
            self.admin.execute(AssertSqlSafe(copy)).await?;
            have += more;
        }
        Ok(())
    }

    /// Over the first `connections` of those that are open; the others stand idle.
    pub(crate) async fn round(&mut self, connections: u64, orders: u64, stop: &CancellationToken) -> Result<Round, Error> {
        self.fill(orders).await?;
        // What filling has left to be flushed and purged must not be the round's burden.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let spent = Spent::begin(None);
        let (next, begun) = (Arc::new(AtomicU64::new(1)), Instant::now());
        let mut tasks = JoinSet::new();
        let busy = self.connections.len().min(usize::try_from(connections).unwrap_or(usize::MAX));
        for mut connection in self.connections.drain(..busy) {
            let (next, stop) = (next.clone(), stop.clone());
            tasks.spawn(async move {
                let (mut latency, mut problems) = (Latency::new(), Problems::default());
                while !stop.is_cancelled() && begun.elapsed() < ROUND_WITHIN {
                    let order = next.fetch_add(1, Ordering::Relaxed);
                    if order > orders {
                        break;
                    }
                    let sent = Instant::now();
                    match take(&mut connection, order).await {
                        Ok(1) => latency.record(sent.elapsed()),
                        Ok(rows) => problems.add(|| format!("order {order}: {rows} rows")),
                        Err(error) => problems.add(|| format!("order {order}: {error}")),
                    }
                }
                (connection, latency, problems)
            });
        }
        let (mut latency, mut problems) = (Latency::new(), Problems::default());
        while let Some(done) = tasks.join_next().await {
            let (connection, some_latency, some_problems) = done?;
            self.connections.push(connection);
            latency.merge(&some_latency);
            problems.merge(some_problems);
        }
        let per_s = latency.count() as f64 / begun.elapsed().as_secs_f64();
        let cpu_us = spent.seconds().map(|s| s * 1e6 / latency.count().max(1) as f64);
        Ok(Round { per_s, cpu_us, latency, problems })
    }

    pub(crate) async fn remove(mut self) -> Result<(), Error> {
        self.admin.execute(AssertSqlSafe(format!("drop table if exists {TABLE}"))).await?;
        for connection in self.connections {
            connection.close().await?;
        }
        Ok(self.admin.close().await?)
    }
}

async fn take(connection: &mut MySqlConnection, order: u64) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(TAKE).bind(EXECUTOR).bind(order).bind(EXECUTOR);
    Ok(query.execute(connection).await?.rows_affected())
}
