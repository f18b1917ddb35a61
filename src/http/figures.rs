//! What this node has been doing, for an admin's page: a point every ten seconds of the last hour, the time each route takes,
//! and the last errors of ours. Kept in memory, and each node tells its own: what all nodes do together, and for longer, is
//! what `/metrics` is for. Everything is read off the metrics, so that no request pays for it.

mod errors;
mod series;

use schemars::JsonSchema;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;

pub(super) use self::errors::{Asked, Trouble, is_ours};
use self::errors::{Errors, RecentError};
use self::series::{EVERY, Point, RouteTime, Series, Totals};
use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::source::of_node;
use crate::domain::order::unix_ms;
use crate::domain::refusal::Refusal;
use crate::domain::user::Role;
use crate::live::Live;

/// Of the whole process: several nodes in one share their metrics.
pub(super) type Text = Arc<dyn Fn() -> String + Send + Sync>;

/// This node's memory of itself.
pub struct Figures {
    node: String,
    text: Text,
    live: Live,
    series: Series,
    pub(super) errors: Errors,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Figures")]
pub(super) struct Told<'a> {
    node: &'a str,
    now_ms: i64,
    every_s: u64,
    /// Oldest first; the last one is what has come since, so it is shorter.
    series: Vec<Point>,
    /// Since the process began, those with the most requests first.
    routes: Vec<RouteTime>,
    /// Newest first.
    recent_errors: Vec<RecentError>,
}

impl Figures {
    pub fn new(node: String, text: Text, live: Live) -> Self {
        Self { node, text, live, series: Series::default(), errors: Errors::default() }
    }

    /// Takes a point every ten seconds until the node stops.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        self.series.add(&self.totals(), OffsetDateTime::now_utc(), self.live.sockets());
        let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + EVERY, EVERY);
        loop {
            tokio::select! {
                _ = clock.tick() => {
                    self.series.add(&self.totals(), OffsetDateTime::now_utc(), self.live.sockets());
                }
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }

    fn totals(&self) -> Totals {
        Totals::parse(&(self.text)())
    }
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller) -> Answer {
    if session.actor.role != Role::Admin {
        return Err(Refusal::Forbidden("only admins see what the node is doing").into());
    }
    let figures = &api.figures;
    let (totals, now) = (figures.totals(), OffsetDateTime::now_utc());
    let told = Told {
        node: &figures.node,
        now_ms: unix_ms(now),
        every_s: EVERY.as_secs(),
        series: figures.series.until(&totals, now, figures.live.sockets()),
        routes: totals.routes(),
        recent_errors: figures.errors.newest_first(),
    };
    Ok(of_node(ok(&told)?))
}
