//! Commands that somebody's request waits for tell how long they took, as `sqlx` does of statements; who listens decides
//! what becomes of it. Never their values.

use std::time::Instant;

pub(super) async fn timed<T>(command: &'static str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let done = work.await;
    tracing::debug!(target: "orderboard::call", redis = command, elapsed_us = started.elapsed().as_micros() as u64);
    done
}
