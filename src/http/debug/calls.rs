//! Hears what the libraries say about each call while a request that is watched runs in this task. `sqlx` and our bus tell
//! every call as a log event; the listener below takes those that happen within [`watch`]. While nobody is watched the events are not
//! even made: asking for that is one look at a number in memory.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

const CALLS_MAX: usize = 100;
const CALL_CHARS_MAX: usize = 1_000;
/// What `sqlx` says of each statement.
const SQLX: &str = concat!("sqlx", "::query");
/// What we say of each command to Redis, and of statements that several requests share.
const OURS: &str = "orderboard::call";

/// Requests that are watched now. The listener is the process's, as all logging is, so this is, too.
static WATCHED: AtomicUsize = AtomicUsize::new(0);

tokio::task_local! {
    static CALLS: Arc<Calls>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CallKind")]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Mysql,
    Redis,
}

/// A statement or a command, without its values.
#[derive(Serialize, JsonSchema)]
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) call: String,
    pub(super) took_us: u64,
    rows: u64,
}

/// What one request has asked for so far.
#[derive(Default)]
pub(in crate::http) struct Calls(Mutex<(Vec<Call>, usize)>);

impl Calls {
    fn note(&self, call: Call) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match calls.0.len() < CALLS_MAX {
            true => calls.0.push(call),
            false => calls.1 += 1,
        }
    }

    /// The calls, and how many more there were.
    pub(super) fn take(&self) -> (Vec<Call>, usize) {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts as watched until it is dropped.
struct Watching;

impl Watching {
    fn begin() -> Self {
        WATCHED.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        WATCHED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs the work and tells what it has asked for. What it leaves to other tasks is not heard.
pub(in crate::http) async fn watch<T>(work: impl Future<Output = T>) -> (Arc<Calls>, T) {
    let _watching = Watching::begin();
    let calls = Arc::new(Calls::default());
    let done = CALLS.scope(calls.clone(), work).await;
    (calls, done)
}

/// The listener, to be put beside the log.
pub fn listener<S>() -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let is_call = |metadata: &Metadata<'_>| [SQLX, OURS].contains(&metadata.target());
    let filter = dynamic_filter_fn(move |metadata, _| is_call(metadata) && WATCHED.load(Ordering::Relaxed) > 0)
        .with_max_level_hint(LevelFilter::DEBUG)
        .with_callsite_filter(move |metadata| if is_call(metadata) { Interest::sometimes() } else { Interest::never() });
    Listener.with_filter(filter)
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // An event outside of any request that is watched is nobody's.
        let _ = CALLS.try_with(|calls| {
            let mut heard = Heard::default();
            event.record(&mut heard);
            calls.note(heard.call());
        });
    }
}

/// The fields of an event.
#[derive(Default)]
struct Heard {
    redis: Option<String>,
    summary: String,
    statement: String,
    took_us: u64,
    rows: u64,
}

impl Heard {
    fn call(self) -> Call {
        let statement = if self.statement.trim().is_empty() { self.summary } else { self.statement };
        let (kind, text) = match self.redis {
            Some(command) => (Kind::Redis, command),
            None => (Kind::Mysql, statement),
        };
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Call { kind, call: words.chars().take(CALL_CHARS_MAX).collect(), took_us: self.took_us, rows: self.rows }
    }
}

impl Visit for Heard {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "redis" => self.redis = Some(value.to_owned()),
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" | "statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "elapsed_us" => self.took_us = value,
            "rows_affected" | "rows_returned" => self.rows = self.rows.max(value),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.took_us = (value * 1e6) as u64;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn say() {
        tracing::debug!(target: SQLX, summary = "select 1 …", db.statement = "\n\nselect 1\n  from t\n", rows_returned = 3_u64, elapsed_secs = 0.002);
        tracing::debug!(target: OURS, redis = "EVAL attempts", elapsed_us = 7_u64);
        tracing::debug!(target: "somebody", statement = "else");
    }

    #[tokio::test]
    async fn only_what_happens_within_a_watched_request_is_heard() {
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(listener()));
        say();
        let (calls, ()) = watch(async { say() }).await;
        say();
        let (calls, left_out) = calls.take();
        let told: Vec<_> = calls.iter().map(|call| (call.kind, call.call.as_str(), call.took_us, call.rows)).collect();
        assert_eq!(told, [(Kind::Mysql, "select 1 from t", 2_000, 3), (Kind::Redis, "EVAL attempts", 7, 0)]);
        assert_eq!(left_out, 0);
    }

    #[tokio::test]
    async fn more_calls_than_are_kept_are_counted() {
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(listener()));
        let many = async { (0..80).for_each(|_| say()) };
        let (calls, ()) = watch(many).await;
        let (calls, left_out) = calls.take();
        assert_eq!((calls.len(), left_out), (CALLS_MAX, 60));
    }
}
