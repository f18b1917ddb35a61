//! The fast path of news: rows whose change was announced are read back from MySQL, a burst at a time, and published.
//! News carries what the database holds, never what a handler thinks.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::Stopping;
use crate::bus::Bus;
use crate::domain::news::{Item, NewsKind, Subject};
use crate::flow::{Burst, Unsent, now};
use crate::store::{Rereader, Store, StoreError};

/// A burst of this many rows says that more are on their way: they are given a moment to gather, because a statement and
/// a script cost nearly the same for one row as for thirty.
const BUSY_FROM: usize = 12;
const GATHER_FOR: Duration = Duration::from_millis(3);
/// When so many come at once, the node has more to do than to be quick with each.
const FLOODED_FROM: usize = 32;
const GATHER_A_FLOOD_FOR: Duration = Duration::from_millis(8);
/// Rows read and published at once.
pub(super) const BURST_MAX: usize = 256;
/// Bursts on their way: what changes while one is being read back does not wait for its end. News is state with a version, so
/// they may overtake each other.
const BURSTS_AT_ONCE: u32 = 3;

/// Publishes until told to stop, and then what is left. While Redis is away the rows go straight to this node's own boards; the
/// sweep publishes them to the others later.
pub async fn run(store: Store, bus: Bus, mut unsent: Unsent, mut stopping: Stopping) {
    let (rereader, places) = (Rereader::new(store), Arc::new(Semaphore::new(BURSTS_AT_ONCE as usize)));
    loop {
        // Closed by nobody.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let burst = tokio::select! {
            biased;
            burst = unsent.burst(BURST_MAX) => burst,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        if burst.subjects.is_empty() {
            break;
        }
        let pause = match burst.subjects.len() {
            ..BUSY_FROM => None,
            BUSY_FROM..FLOODED_FROM => Some(GATHER_FOR),
            FLOODED_FROM.. => Some(GATHER_A_FLOOD_FOR),
        };
        let span = tracing::debug_span!("publish", rows = burst.subjects.len());
        for cause in &burst.causes {
            span.follows_from(cause);
        }
        let (rereader, bus) = (rereader.clone(), bus.clone());
        let publishing = async move {
            publish(&rereader, &bus, burst).await;
            drop(place);
        };
        tokio::spawn(publishing.instrument(span));
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    // Until the last burst is out.
    drop(places.acquire_many(BURSTS_AT_ONCE).await);
}

/// The spans of what caused the changes end here, with what became of their news. A board's news does not wait for that of an
/// account which changed at the same time.
async fn publish(rereader: &Rereader, bus: &Bus, burst: Burst) {
    let (of_orders, of_others): (Vec<Subject>, Vec<Subject>) =
        burst.subjects.iter().copied().partition(|subject| subject.kind == NewsKind::Order);
    let (orders, others) = tokio::join!(carry(rereader, bus, &burst, of_orders), carry(rereader, bus, &burst, of_others));
    let sent = orders.max(others);
    for cause in burst.causes {
        cause.record("news", tracing::field::debug(sent));
        tracing::debug!(parent: &cause, ?sent, "news sent");
    }
}

async fn carry(rereader: &Rereader, bus: &Bus, burst: &Burst, subjects: Vec<Subject>) -> Sent {
    if subjects.is_empty() {
        return Sent::ByBus;
    }
    match read_back(rereader, &subjects).await {
        Ok(mut items) => {
            items.iter_mut().for_each(|item| item.committed_us = burst.committed_us.get(&item.subject()).copied());
            send(bus, items).await
        }
        // Not lost: the sweep finds these rows by `changed_at` when the database is back.
        Err(error) => {
            tracing::warn!(%error, rows = subjects.len(), "changed rows could not be read back");
            Sent::Dropped
        }
    }
}

/// How rows went on their way, the best way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sent {
    ByBus,
    /// To this node's own boards alone.
    Directly,
    /// Nowhere: the boards are behind. The sweep must find these rows again.
    Dropped,
}

/// Sends rows the way that works now.
pub(super) async fn send(bus: &Bus, items: Vec<Item>) -> Sent {
    if bus.is_up() && bus.publish(&items).await.is_ok() {
        metrics::counter!("orderboard_news_published_total").increment(items.len() as u64);
        return Sent::ByBus;
    }
    if bus.deliver_directly(items) { Sent::Directly } else { Sent::Dropped }
}

/// The present state of these rows as news.
pub(super) async fn read_back(rereader: &Rereader, subjects: &[Subject]) -> Result<Vec<Item>, StoreError> {
    let ids = |kind: NewsKind| subjects.iter().filter(|subject| subject.kind == kind).map(|subject| subject.id).collect::<Vec<_>>();
    let mut items = Vec::with_capacity(subjects.len());
    for order in rereader.orders(&ids(NewsKind::Order)).await? {
        items.push(item(Subject::order(order.id), order.version, None, &order)?);
    }
    for news in rereader.accounts(&ids(NewsKind::Account)).await? {
        items.push(item(Subject::account(news.account.id), news.account.version, Some(news.user_id), &news)?);
    }
    let inboxes = ids(NewsKind::Inbox);
    if !inboxes.is_empty() {
        for news in rereader.store().inboxes_by_user(&inboxes, now()).await? {
            let user_id = news.inbox.user_id;
            items.push(item(Subject::inbox(user_id), news.inbox.version, Some(user_id), &news)?);
        }
    }
    // To every node: each of them may remember the session's token.
    for ended in rereader.store().ended_sessions(&ids(NewsKind::Session)).await? {
        items.push(item(Subject::session(ended.session_id), 1, None, &ended)?);
    }
    Ok(items)
}

fn item(subject: Subject, version: u64, audience: Option<u64>, row: &impl Serialize) -> Result<Item, StoreError> {
    let row = to_raw_value(row).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Item { kind: subject.kind, id: subject.id, version, audience, committed_us: None, row })
}
