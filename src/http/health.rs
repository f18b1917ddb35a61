//! For balancers and operators: alive, ready, and the figures.

use std::sync::atomic::Ordering;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::error::{Answer, Problem, ok, typed_ok};

pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4";

#[derive(Serialize, JsonSchema)]
pub(super) struct Alive {
    status: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Ready {
    status: &'static str,
    /// `up`, or `down`: everything works without it, only slower.
    redis: &'static str,
}

/// The process answers.
pub(super) async fn alive() -> Answer {
    ok(&Alive { status: "alive" })
}

/// This node should get traffic: it is not stopping, MySQL answers, the boards are loaded. Redis being away is told but
/// does not count: everything works without it, only slower.
pub(super) async fn ready(State(api): State<Api>) -> Answer {
    if api.stopping.load(Ordering::Acquire) {
        return Err(Problem::unavailable("this node is stopping"));
    }
    if !api.live.is_synced() {
        return Err(Problem::unavailable("the boards are being loaded"));
    }
    api.store.ping().await?;
    ok(&Ready { status: "ready", redis: if (api.redis_is_up)() { "up" } else { "down" } })
}

/// Prometheus text format.
pub(super) async fn metrics(State(api): State<Api>) -> Answer {
    metrics::gauge!("orderboard_sockets").set(api.live.sockets() as f64);
    let text = tokio::task::spawn_blocking(move || (api.metrics)()).await.map_err(|_| Problem::internal())?;
    Ok(typed_ok(PROMETHEUS, text))
}
