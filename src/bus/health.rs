//! Whether the bus is up, and the pulse that finds out. Anybody may report a failure; only the reader, after it
//! has recovered, may say that the bus is up again. One line in the log for each change.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use super::client::{Ask, Link};
use super::keys::Keys;
use super::metric;
use crate::domain::news::Position;

/// Together with the 500 ms that an answer may take, a silent Redis is noticed within a second.
const PULSE_EVERY: Duration = Duration::from_millis(300);

pub(super) struct Health {
    up: AtomicBool,
    record: Mutex<Record>,
    failed: Notify,
}

struct Record {
    failures: u64,
    down_since: Option<Instant>,
}

impl Health {
    /// Down, as a bus that has not read its position is.
    pub(super) fn new() -> Self {
        Self { up: AtomicBool::new(false), record: Mutex::new(Record { failures: 0, down_since: None }), failed: Notify::new() }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// How many failures were reported; to be read before a recovery and given to [`Health::rise`] after it.
    pub(super) fn failures(&self) -> u64 {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).failures
    }

    /// Takes the bus down, and wakes the reader if it was up.
    pub(super) fn fail(&self, doing: &str, error: &dyn Display) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.failures += 1;
        if self.up.swap(false, Ordering::AcqRel) {
            record.down_since = Some(Instant::now());
            metrics::gauge!(metric::UP).set(0.0);
            tracing::warn!(doing, %error, "bus down: news goes by the sweep");
            self.failed.notify_one();
        }
    }

    /// Takes the bus up, unless something failed since `failures` was read.
    pub(super) fn rise(&self, failures: u64) -> bool {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.failures != failures {
            return false;
        }
        if !self.up.swap(true, Ordering::AcqRel) {
            let down_ms = record.down_since.take().map(|since| since.elapsed().as_millis() as u64);
            metrics::gauge!(metric::UP).set(1.0);
            tracing::info!(down_ms, "bus up");
        }
        true
    }

    /// Waits until the bus goes down. Cancel-safe.
    pub(super) async fn failed(&self) {
        self.failed.notified().await;
    }
}

/// Reads the position again and again on the subscriber connection and tells the reader what it found.
pub(super) struct Pulse {
    pub(super) link: Arc<Link>,
    pub(super) keys: Arc<Keys>,
    pub(super) health: Arc<Health>,
    pub(super) observed: watch::Sender<Option<Position>>,
}

impl Pulse {
    pub(super) async fn run(self) {
        let mut ticks = tokio::time::interval(PULSE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let asked = Instant::now();
            match self.link.position(&self.keys, Ask::Position).await {
                Ok(now) => {
                    metrics::gauge!(metric::PULSE_SECONDS).set(asked.elapsed().as_secs_f64());
                    self.observe(now).await;
                }
                Err(error) => self.health.fail("reading the position", &error),
            }
        }
    }

    /// A position that went back within its epoch means that the server lost messages without restarting: its
    /// data was replaced. The epoch is over.
    async fn observe(&self, now: Position) {
        let before = self.observed.borrow().clone();
        let now = match before {
            Some(before) if before.epoch == now.epoch && now.seq < before.seq => {
                match self.link.position(&self.keys, Ask::Replace(&now.epoch)).await {
                    Ok(replaced) => replaced,
                    Err(error) => return self.health.fail("replacing a broken epoch", &error),
                }
            }
            _ => now,
        };
        self.observed.send_replace(Some(now));
    }
}
