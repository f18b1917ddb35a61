//! The lane on which orders are taken: a few connections that do nothing else, each held for good by one task.
//! A pooled statement pings the server when its connection goes back, and many tasks queueing for a pool cost more
//! than the statement itself; and beyond a few dozen connections MariaDB spends its time on switching between them.
//! Callers wait in a bounded queue instead.
//!
//! A connection that becomes free takes everything that waits, up to a bound, and has one UPDATE decide it all: a
//! statement and its flush cost many times what a row costs. Nobody waits for a batch to fill: who comes when nothing is
//! under way has a statement to himself, and what comes while one is under way is the next batch. The next connection
//! steps in when that one takes long: several at once would share out what had better go together, but a row that
//! somebody has locked must not keep everybody waiting.
//!
//! # Why each answer is true
//!
//! - A batch names an order once, so a row that it changes has one possible new executor.
//! - When as many rows were changed as were named, all of them are won. Otherwise the rows are read back, on the same
//!   connection and by their primary key, and whoever a row names as its executor has it, whether by this statement,
//!   by one whose answer was lost with its connection, or by an earlier call of his: "yours" is true of all three. Everybody else
//!   gets the row that says what stands against him. Nothing is concluded from what a statement may have done.
//! - A statement whose connection broke is sent again. The rows that the first one changed are not open any more; if it
//!   is still running, it holds the locks of these rows, and the second one waits for its end.
//! - Batches lock rows in ascending order of their ids, so they cannot wait for each other in a circle; what still ends as
//!   a deadlock was rolled back as a whole and is sent again. A row that somebody keeps locked, or one that the database
//!   refuses to change, must not fail its neighbours: then each order of the batch gets a statement of its own.

mod statements;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Executor, MySqlConnection};
use time::OffsetDateTime;
use tokio::sync::{Mutex, mpsc, oneshot};

use self::statements::{ORDERS_MAX, read_back, take_all, take_one};
use super::orders::OrderRow;
use super::{Store, StoreError};

/// Waiting takers per lane beyond which new ones are told to come back.
const QUEUE_MAX: usize = 10_000;
/// Sendings of one statement: again when its connection broke, or when it met another in a circle.
const ATTEMPTS_MAX: u32 = 3;
/// How long one statement has the lane to itself.
const TURN: Duration = Duration::from_millis(1);
/// A locked row keeps its whole batch waiting.
const SETUP: &str = "set session innodb_lock_wait_timeout = 2";

/// How many connections a lane holds, and how many takers one statement may decide.
#[derive(Clone, Copy, Debug)]
pub struct LaneSize {
    pub connections: usize,
    pub batch: usize,
}

#[derive(Clone)]
pub struct TakeLane {
    queue: mpsc::Sender<Job>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    statements: AtomicU64,
    decided: AtomicU64,
}

struct Job {
    order_id: u64,
    executor_id: u64,
    /// The version that the taker has seen; an order that was edited after it, or has never had it, is not theirs. Nothing takes it as it is.
    seen: Option<u64>,
    at: OffsetDateTime,
    done: oneshot::Sender<Result<Taking, StoreError>>,
}

/// What became of a try.
#[derive(Debug)]
pub enum Taking {
    /// The order is the taker's since then.
    Won(OffsetDateTime),
    /// The row as it stood a moment later; nothing when there is no such order.
    Lost(Option<Box<OrderRow>>),
}

/// Why a lane did not decide.
#[derive(Debug)]
pub enum LaneError {
    /// Too many are waiting.
    Full,
    Store(StoreError),
}

impl TakeLane {
    /// Starts the workers; they connect when first needed and end when the last `TakeLane` is dropped.
    pub fn start(store: &Store, size: LaneSize) -> Self {
        // Readers of the metrics see 0 before the first taking, not a gap.
        metrics::counter!("orderboard_accept_updates_total").increment(0);
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let counts = Arc::new(Counts::default());
        for _ in 0..size.connections {
            let worker = Worker {
                store: store.clone(),
                held: None,
                counts: counts.clone(),
                updates: metrics::counter!("orderboard_accept_updates_total"),
                batch_sizes: metrics::histogram!("orderboard_accept_batch_size"),
            };
            tokio::spawn(worker.work(jobs.clone(), size.batch.clamp(1, ORDERS_MAX)));
        }
        Self { queue, counts }
    }

    /// UPDATE statements sent by this lane since it started.
    pub fn statements(&self) -> u64 {
        self.counts.statements.load(Ordering::Relaxed)
    }

    /// Tries that it has decided, one way or the other.
    pub fn decided(&self) -> u64 {
        self.counts.decided.load(Ordering::Relaxed)
    }

    /// Takers who wait for a connection to become free.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Tries to take the order, as of `at` or of a moment later that another taker of the same batch brought along; one that was
    /// edited after the version `seen` is lost.
    pub async fn take(&self, order_id: u64, executor_id: u64, seen: Option<u64>, at: OffsetDateTime) -> Result<Taking, LaneError> {
        let (done, answer) = oneshot::channel();
        self.queue.try_send(Job { order_id, executor_id, seen, at, done }).map_err(|_| {
            metrics::counter!("orderboard_take_queue_full_total").increment(1);
            LaneError::Full
        })?;
        let asked = Instant::now();
        let answer = answer.await;
        let elapsed_us = asked.elapsed().as_micros() as u64;
        tracing::debug!(target: "orderboard::call", statement = "take open orders, with other takers", elapsed_us);
        match answer {
            Ok(result) => result.map_err(LaneError::Store),
            Err(_) => Err(LaneError::Store(StoreError::Unreachable("the node is stopping".into()))),
        }
    }
}

/// One connection and the task that holds it.
struct Worker {
    store: Store,
    held: Option<MySqlConnection>,
    counts: Arc<Counts>,
    updates: metrics::Counter,
    batch_sizes: metrics::Histogram,
}

impl Worker {
    async fn work(mut self, jobs: Arc<Mutex<mpsc::Receiver<Job>>>, batch_max: usize) {
        let mut waiting = Vec::with_capacity(batch_max);
        loop {
            let mut turn = jobs.lock().await;
            if turn.recv_many(&mut waiting, batch_max).await == 0 {
                return;
            }
            let mut deciding = pin!(async {
                while !waiting.is_empty() {
                    let batch = next_batch(&mut waiting);
                    self.decide(batch).await;
                }
            });
            let is_done = tokio::time::timeout(TURN, deciding.as_mut()).await.is_ok();
            drop(turn);
            if !is_done {
                deciding.await;
            }
        }
    }

    async fn decide(&mut self, batch: Vec<Job>) {
        self.counts.decided.fetch_add(batch.len() as u64, Ordering::Relaxed);
        match self.settle(&batch).await {
            Err(error) if batch.len() > 1 && !error.is_disconnect() => {
                metrics::counter!("orderboard_accept_batches_split_total").increment(1);
                tracing::warn!(%error, orders = batch.len(), "a batch of takers could not be decided at once");
                for job in batch {
                    let alone = self.settle(std::slice::from_ref(&job)).await.map(|mut one| one.remove(0));
                    answer(job, alone);
                }
            }
            Err(error) => batch.into_iter().for_each(|job| answer(job, Err(error.clone()))),
            Ok(takings) => batch.into_iter().zip(takings).for_each(|(job, taking)| answer(job, Ok(taking))),
        }
    }

    /// What became of each job, in their order.
    async fn settle(&mut self, batch: &[Job]) -> Result<Vec<Taking>, StoreError> {
        let mut attempts = 1;
        loop {
            let result = self.attempt(batch).await;
            let Err(error) = &result else { return result };
            if error.is_disconnect() {
                self.held = None;
            }
            let is_worth_it = error.is_disconnect() || (error.is_conflict() && (batch.len() == 1 || !error.is_lock_wait()));
            if attempts == ATTEMPTS_MAX || !is_worth_it {
                return result;
            }
            attempts += 1;
        }
    }

    async fn attempt(&mut self, batch: &[Job]) -> Result<Vec<Taking>, StoreError> {
        let connection = match &mut self.held {
            Some(connection) => connection,
            None => {
                let mut fresh = self.store.options.connect().await?;
                self.store.setup.prepare(&mut fresh).await?;
                fresh.execute(SETUP).await?;
                self.held.insert(fresh)
            }
        };
        self.updates.increment(1);
        self.batch_sizes.record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        self.counts.statements.fetch_add(1, Ordering::Relaxed);
        let (won, at) = match batch {
            [one] => (take_one(connection, one).await?, one.at),
            many => take_all(connection, many).await?,
        };
        if won == batch.len() as u64 {
            return Ok(batch.iter().map(|_| Taking::Won(at)).collect());
        }
        let mut rows = read_back(connection, batch).await?;
        let takings = batch.iter().map(|job| match rows.remove(&job.order_id) {
            Some(row) if row.is_taken_by(job.executor_id, at) => Taking::Won(at),
            row => Taking::Lost(row.map(Box::new)),
        });
        Ok(takings.collect())
    }
}

/// All that waits, in ascending order of the orders' ids; of several who want the same order, the others stay.
fn next_batch(waiting: &mut Vec<Job>) -> Vec<Job> {
    let mut named = HashSet::with_capacity(waiting.len());
    let mut batch: Vec<Job> = waiting.extract_if(.., |job| named.insert(job.order_id)).collect();
    batch.sort_unstable_by_key(|job| job.order_id);
    batch
}

/// A caller that is gone has no use for the answer; the row holds it.
fn answer(job: Job, result: Result<Taking, StoreError>) {
    drop(job.done.send(result));
}

#[cfg(test)]
mod tests {
    use super::{Job, next_batch};

    fn jobs(orders: &[u64]) -> Vec<Job> {
        let job = |(executor_id, &order_id): (u64, &u64)| Job {
            order_id,
            executor_id,
            seen: None,
            at: time::OffsetDateTime::UNIX_EPOCH,
            done: tokio::sync::oneshot::channel().0,
        };
        (0..).zip(orders).map(job).collect()
    }

    #[test]
    fn a_batch_names_an_order_once_and_locks_in_ascending_order() {
        let mut waiting = jobs(&[7, 3, 7, 9, 3, 7]);
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            let batch = next_batch(&mut waiting);
            batches.push(batch.iter().map(|job| (job.order_id, job.executor_id)).collect::<Vec<_>>());
        }
        assert_eq!(batches, [vec![(3, 1), (7, 0), (9, 3)], vec![(3, 4), (7, 2)], vec![(7, 5)]]);
    }
}
