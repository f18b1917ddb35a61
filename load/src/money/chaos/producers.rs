//! Producers as an at-least-once world has them: each message is published three times or more, now and then twice in
//! one breath (as a client does whose connection broke after the command was sent), and again when no answer comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::book::{Book, DELIVERIES_MIN, Which};
use super::whims;
use crate::error::Error;
use crate::money::dice::Dice;
use crate::money::queue::{Reader, Streams};
use crate::money::redis::Redis;

pub(super) const PRODUCERS: u64 = 3;
/// Operations without an answer beyond which nobody asks for more.
const UNANSWERED_MAX: u64 = 200;
const TICK: Duration = Duration::from_millis(5);
const IN_ONE_BREATH_MAX: usize = 200;
/// A duplicate comes within this time of the first.
const DUPLICATE_WITHIN_MS: u64 = 1_500;
/// After this long without an answer a message is published again.
const PATIENCE: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What all producers share.
pub(super) struct Market {
    pub(super) book: Book,
    pub(super) streams: Streams,
    pub(super) redis_url: String,
    pub(super) users: Vec<u64>,
    /// Operations a second, of all producers.
    pub(super) rate: u64,
    /// Nothing new any more; what lacks answers is still sent again.
    pub(super) closing: AtomicBool,
    pub(super) doubled: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) poisoned: AtomicU64,
}

struct Producer {
    market: Arc<Market>,
    number: u64,
    dice: Dice,
    redis: Option<Redis>,
    due: BinaryHeap<Reverse<(Instant, u64, Which)>>,
    begun: Instant,
    asked: u64,
    last_look: Instant,
}

/// Until `stop`.
pub(super) async fn produce(market: Arc<Market>, number: u64, seed: u64, stop: CancellationToken) {
    let (dice, begun) = (Dice::new(seed ^ (number + 1) << 32), Instant::now());
    let mut producer = Producer { market, number, dice, redis: None, due: BinaryHeap::new(), begun, asked: 0, last_look: begun };
    while !stop.is_cancelled() {
        if !producer.market.closing.load(Ordering::Relaxed) {
            producer.think();
        }
        producer.look_after();
        if producer.publish().await.is_err() {
            // Redis is away.
            producer.redis = None;
            tokio::time::sleep(TICK * 10).await;
        }
        tokio::time::sleep(TICK).await;
    }
}

impl Producer {
    fn think(&mut self) {
        let due = self.begun.elapsed().as_millis() as u64 * self.market.rate / PRODUCERS / 1000;
        while self.asked < due {
            self.asked += 1;
            // What cannot be asked for now is not made up for later.
            if self.market.book.state().unanswered >= UNANSWERED_MAX {
                continue;
            }
            let (market, dice) = (&self.market, &mut self.dice);
            let Some(number) = market.book.ask(|id, state| whims::operation(id, &market.users, state, dice)) else { continue };
            self.schedule(number);
            if self.dice.permille(15)
                && let Some(number) = self.market.book.contradict(&mut self.dice)
            {
                self.due.push(Reverse((Instant::now(), number, Which::Other)));
            }
        }
    }

    fn schedule(&mut self, number: u64) {
        let now = Instant::now();
        let mut deliveries = DELIVERIES_MIN + if self.dice.permille(200) { self.dice.between(1, 2) } else { 0 };
        self.due.push(Reverse((now, number, Which::Body)));
        deliveries -= 1;
        if self.dice.permille(300) {
            self.due.push(Reverse((now, number, Which::Body)));
            self.market.doubled.fetch_add(1, Ordering::Relaxed);
            deliveries -= 1;
        }
        for _ in 0..deliveries {
            let later = Duration::from_millis(self.dice.below(DUPLICATE_WITHIN_MS));
            self.due.push(Reverse((now + later, number, Which::Body)));
        }
    }

    fn look_after(&mut self) {
        if self.last_look.elapsed() < LOOK_EVERY {
            return;
        }
        self.last_look = Instant::now();
        let answers = if self.market.closing.load(Ordering::Relaxed) { DELIVERIES_MIN } else { 1 };
        let number = self.number;
        for (overdue, which) in self.market.book.overdue(answers, PATIENCE, |n| n % PRODUCERS == number) {
            self.market.repeated.fetch_add(1, Ordering::Relaxed);
            self.due.push(Reverse((self.last_look, overdue, which)));
        }
    }

    async fn publish(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let mut breath = Vec::new();
        while breath.len() < IN_ONE_BREATH_MAX && self.due.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            breath.extend(self.due.pop().map(|Reverse((_, number, which))| (number, which)));
        }
        if breath.is_empty() {
            return Ok(());
        }
        let sent = self.send(&breath).await;
        let done = sent.as_deref().unwrap_or_default();
        for (n, &(number, which)) in breath.iter().enumerate() {
            match done.get(n) {
                Some(true) => self.market.book.delivered(number, which),
                // Nobody knows whether Redis has it: once more.
                _ => self.due.push(Reverse((now + TICK * 20, number, which))),
            }
        }
        sent.map(drop)
    }

    async fn send(&mut self, breath: &[(u64, Which)]) -> Result<Vec<bool>, Error> {
        let redis = match &mut self.redis {
            Some(redis) => redis,
            none => none.insert(Redis::connect(&self.market.redis_url).await?),
        };
        for &(number, which) in breath {
            let body = self.market.book.body(number, which).unwrap_or_default();
            self.market.streams.push(redis, &body);
        }
        let is_poison = self.dice.permille(10) && !self.market.closing.load(Ordering::Relaxed);
        if is_poison {
            let n = self.market.poisoned.fetch_add(1, Ordering::Relaxed);
            self.market.streams.push(redis, &whims::poison(n));
        }
        redis.flush().await?;
        redis.settle().await
    }
}

/// Reads every answer as it comes, until `stop`, and then what is left.
pub(super) async fn collect(market: Arc<Market>, stop: CancellationToken) {
    let mut reader = Reader::from_start(&market.streams.responses);
    while !stop.is_cancelled() {
        let Ok(mut redis) = Redis::connect(&market.redis_url).await else {
            tokio::time::sleep(TICK * 10).await;
            continue;
        };
        loop {
            let is_over = stop.is_cancelled();
            if reader.page(&mut redis, 200, |text| market.book.answered(text)).await.is_err() {
                break;
            }
            if is_over && reader.is_at_end(&mut redis).await.unwrap_or(true) {
                return;
            }
        }
    }
}
