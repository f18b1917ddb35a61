//! Orders that are created at a rate and taken at once, while something else happens: what do those who work notice of it?
//! It runs on a thread of its own, so that ten thousand sockets of the same process do not stand in its way more than
//! those of another process would.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::seat::Hall;
use crate::check::{Check, Problems};
use crate::error::Error;
use crate::http::Client;
use crate::market::{self, create, draft};
use crate::races::{Tally, accept, locked};
use crate::report::Latency;
use crate::server::{Server, Token};

/// Orders under way at once. When all wait, the next ones are late, which is measured.
const HANDS: u64 = 16;
const CREDIT_FOR: u64 = 100_000;
/// Before the first order.
const LEAD: Duration = Duration::from_millis(200);

pub(crate) struct Pressure {
    shared: Arc<Shared>,
    hands: Vec<Hand>,
}

struct Shared {
    hall: Arc<Hall>,
    tag: String,
    begun: OnceLock<Instant>,
    per_s: f64,
    next: AtomicU64,
    stop: CancellationToken,
    /// By phase of the hall.
    phases: Vec<Mutex<Phase>>,
    problems: Mutex<Problems>,
}

pub(crate) struct Phase {
    pub(crate) create: Latency,
    pub(crate) accepts: Tally,
}

/// A customer, and two executors who both want what it orders.
struct Hand {
    customer: Client,
    executors: [(u64, Client); 2],
}

pub(crate) struct Pressing {
    shared: Arc<Shared>,
    task: JoinHandle<Result<(), Error>>,
}

impl Pressure {
    pub(crate) async fn new(server: &Server, hall: &Arc<Hall>, tag: &str, per_s: f64, phases: usize) -> Result<Self, Error> {
        let customers = market::customers(server, HANDS, CREDIT_FOR).await?;
        let executors = server.tokens(2 * HANDS, "executor", 0).await?;
        let executor = |token: &Token| (token.user_id, server.client(Some(token)));
        let hand = |(customer, pair): (&Token, &[Token])| Hand {
            customer: server.client(Some(customer)),
            executors: [executor(&pair[0]), executor(&pair[1])],
        };
        let hands = customers.iter().zip(executors.chunks_exact(2)).map(hand).collect();
        let shared = Arc::new(Shared {
            hall: hall.clone(),
            tag: tag.to_owned(),
            begun: OnceLock::new(),
            per_s,
            next: AtomicU64::new(0),
            stop: CancellationToken::new(),
            phases: (0..phases).map(|_| Mutex::new(Phase::empty())).collect(),
            problems: Mutex::default(),
        });
        Ok(Self { shared, hands })
    }

    /// Orders are due from now on.
    pub(crate) fn begin(self) -> Result<Pressing, Error> {
        let begun = *self.shared.begun.get_or_init(|| Instant::now() + LEAD);
        self.shared.hall.schedule(begun, self.shared.per_s);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (shared, hands) = (self.shared.clone(), self.hands);
        let task = tokio::task::spawn_blocking(move || {
            runtime.block_on(async move {
                let mut tasks = JoinSet::new();
                hands.into_iter().for_each(|hand| _ = tasks.spawn(hand.work(shared.clone())));
                while let Some(ended) = tasks.join_next().await {
                    ended?;
                }
                Ok(())
            })
        });
        Ok(Pressing { shared: self.shared, task })
    }
}

impl Hand {
    async fn work(mut self, shared: Arc<Shared>) {
        let Some(&begun) = shared.begun.get() else { return };
        loop {
            let n = shared.next.fetch_add(1, Ordering::Relaxed);
            let due = begun + Duration::from_secs_f64(n as f64 / shared.per_s);
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => return,
                () = tokio::time::sleep_until(due.into()) => {}
            }
            let (_, body) = draft(&shared.tag, n);
            let created = create(&mut self.customer, &body).await;
            let took = due.elapsed();
            let order = match created {
                Ok(order) => order.id,
                Err(words) => {
                    locked(&shared.problems).add(|| words);
                    continue;
                }
            };
            let [(one, first), (other, second)] = &mut self.executors;
            let answers = tokio::join!(accept(first, *one, order), accept(second, *other, order));
            let Some(phase) = shared.phases.get(shared.hall.phase()) else { continue };
            let mut phase = locked(phase);
            phase.create.record(took);
            phase.accepts.add(*one, order, &answers.0.0, answers.0.1);
            phase.accepts.add(*other, order, &answers.1.0, answers.1.1);
        }
    }
}

impl Phase {
    pub(crate) fn empty() -> Self {
        Self { create: Latency::new(), accepts: Tally::new() }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.create.merge(&other.create);
        self.accepts.merge(other.accepts);
    }

    /// Of winners and refused: both have been answered.
    pub(crate) fn accept(&self) -> Latency {
        let mut all = Latency::new();
        all.merge(&self.accepts.won);
        all.merge(&self.accepts.refused);
        all
    }
}

impl Pressing {
    /// What each phase has seen, and whether each order was created and won once.
    pub(crate) async fn end(self) -> Result<(Vec<Phase>, Check), Error> {
        self.shared.stop.cancel();
        self.task.await??;
        let phases: Vec<Phase> = self.shared.phases.iter().map(|phase| std::mem::replace(&mut *locked(phase), Phase::empty())).collect();
        let mut check = Check::new("each order was created, won by exactly one of its takers, and refused to the other");
        check.problems = locked(&self.shared.problems).clone();
        for phase in &phases {
            let (created, won, named) = (phase.create.count(), phase.accepts.wins.len() as u64, phase.accepts.named.len() as u64);
            check.seen += created;
            check.problems.merge(phase.accepts.unanswered.clone());
            if (won, named) != (created, created) {
                check.problems.add(|| format!("{created} orders, {won} winners, {named} refused"));
            }
        }
        Ok((phases, check))
    }
}
