//! The lane on which orders are taken: a few connections that do nothing else, each held for good by one task.
//! A pooled statement pings the server when its connection goes back, and many tasks queueing for a pool cost more
//! than the statement itself; and beyond a few dozen connections MariaDB spends its time on switching between them.
//! Callers wait in a bounded queue instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{ConnectOptions, MySqlConnection};
use time::OffsetDateTime;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Store, StoreError};

/// The decision. The row goes from open to in work for exactly one caller, whoever else tries at the same moment.
/// `accepted_at` is the caller's clock and not `now(6)`, so that the winner's answer needs no second query.
const TAKE: &str = "update orders set status = 'in_work', executor_id = ?, accepted_at = ?, version = version + 1 \
     where id = ? and status = 'open' and assignment = 'first' and customer_id <> ?";

/// Waiting takers per lane beyond which new ones are told to come back.
const QUEUE_MAX: usize = 10_000;

#[derive(Clone)]
pub struct TakeLane {
    queue: mpsc::Sender<Job>,
    statements: Arc<AtomicU64>,
}

struct Job {
    order_id: u64,
    executor_id: u64,
    at: OffsetDateTime,
    done: oneshot::Sender<Result<bool, StoreError>>,
}

/// Why a lane did not decide.
#[derive(Debug)]
pub enum LaneError {
    /// Too many are waiting.
    Full,
    Store(StoreError),
}

impl TakeLane {
    /// Starts `connections` workers; they connect when first needed and end when the last `TakeLane` is dropped.
    pub fn start(store: &Store, connections: usize) -> Self {
        // Readers of the metrics see 0 before the first taking, not a gap.
        metrics::counter!("orderboard_accept_updates_total").increment(0);
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let statements = Arc::new(AtomicU64::new(0));
        for _ in 0..connections {
            tokio::spawn(work(store.clone(), jobs.clone(), statements.clone()));
        }
        Self { queue, statements }
    }

    /// UPDATE statements sent by this lane since it started.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Tries to take the order; true is the win. Sent at most twice: again only when the connection broke, and then a
    /// row that is the taker's already reads as "not open", which the caller resolves by looking.
    pub async fn take(&self, order_id: u64, executor_id: u64, at: OffsetDateTime) -> Result<bool, LaneError> {
        let (done, answer) = oneshot::channel();
        self.queue.try_send(Job { order_id, executor_id, at, done }).map_err(|_| {
            metrics::counter!("orderboard_take_queue_full_total").increment(1);
            LaneError::Full
        })?;
        match answer.await {
            Ok(result) => result.map_err(LaneError::Store),
            Err(_) => Err(LaneError::Store(StoreError::Unreachable("the node is stopping".into()))),
        }
    }
}

async fn work(store: Store, jobs: Arc<Mutex<mpsc::Receiver<Job>>>, statements: Arc<AtomicU64>) {
    let mut held: Option<MySqlConnection> = None;
    loop {
        let next = jobs.lock().await.recv().await;
        let Some(job) = next else { return };
        let mut result = attempt(&store, &mut held, &job, &statements).await;
        if result.as_ref().is_err_and(|error| error.is_disconnect() || error.is_conflict()) {
            result = attempt(&store, &mut held, &job, &statements).await;
        }
        // A caller that is gone has no use for the answer; the row holds it.
        let _ = job.done.send(result);
    }
}

async fn attempt(store: &Store, held: &mut Option<MySqlConnection>, job: &Job, statements: &AtomicU64) -> Result<bool, StoreError> {
    let connection = match held {
        Some(connection) => connection,
        None => {
            let mut fresh = store.options.connect().await?;
            store.setup.prepare(&mut fresh).await?;
            held.insert(fresh)
        }
    };
    metrics::counter!("orderboard_accept_updates_total").increment(1);
    statements.fetch_add(1, Ordering::Relaxed);
    let sent = sqlx::query(TAKE)
        .bind(job.executor_id)
        .bind(job.at)
        .bind(job.order_id)
        .bind(job.executor_id)
        .execute(connection)
        .await
        .map_err(StoreError::from);
    match sent {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(error) => {
            if error.is_disconnect() {
                *held = None;
            }
            Err(error)
        }
    }
}
