//! Changes made as customers make them: orders created over HTTP when they are due, and cancelled again a little later,
//! so that the board stays as long as it was. For a server whose Redis is not ours to write to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::inject::Injected;
use super::marker::{Marker, now_us};
use crate::check::Problems;
use crate::error::Error;
use crate::http::Client;
use crate::market;
use crate::server::Server;

/// Orders of a customer that are open at once.
const OPEN_MAX: usize = 8;

pub(crate) struct Customers {
    clients: Vec<Client>,
}

impl Customers {
    pub(crate) async fn new(server: &Server, count: u64, orders: u64) -> Result<Self, Error> {
        let tokens = market::customers(server, count, orders).await?;
        Ok(Self { clients: tokens.iter().map(|token| server.client(Some(token))).collect() })
    }

    /// An order that could not be created is no change; it is told of and not waited for.
    pub(crate) async fn inject(&mut self, rate: f64, seconds: f64, stop: &CancellationToken) -> Result<Injected, Error> {
        let shared = Arc::new(Shared { next: AtomicU64::new(0), total: (rate * seconds).round() as u64, rate, begun: now_us() });
        let mut tasks = JoinSet::new();
        for client in self.clients.drain(..) {
            let (shared, stop) = (shared.clone(), stop.clone());
            tasks.spawn(async move { customer(client, &shared, &stop).await });
        }
        let (mut injected, mut problems) = (Injected::default(), Problems::default());
        while let Some(done) = tasks.join_next().await {
            let (client, some, troubles) = done?;
            self.clients.push(client);
            injected.count += some.count;
            injected.late_max = injected.late_max.max(some.late_max);
            problems.merge(troubles);
        }
        if problems.count > 0 {
            eprintln!("customers: {} calls failed: {:?}", problems.count, problems.examples);
        }
        Ok(injected)
    }
}

struct Shared {
    next: AtomicU64,
    total: u64,
    rate: f64,
    begun: u64,
}

async fn customer(mut client: Client, shared: &Shared, stop: &CancellationToken) -> (Client, Injected, Problems) {
    let (mut injected, mut problems, mut open) = (Injected::default(), Problems::default(), VecDeque::new());
    while !stop.is_cancelled() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.total {
            break;
        }
        let due_us = shared.begun + (number as f64 * 1e6 / shared.rate) as u64;
        tokio::time::sleep(Duration::from_micros(due_us.saturating_sub(now_us()))).await;
        injected.late_max = injected.late_max.max(Duration::from_micros(now_us().saturating_sub(due_us)));
        match create(&mut client, Marker { due_us, number }).await {
            Ok(id) => {
                injected.count += 1;
                open.push_back(id);
            }
            Err(words) => problems.add(|| words),
        }
        if open.len() > OPEN_MAX {
            cancel(&mut client, open.pop_front(), &mut problems).await;
        }
    }
    while !open.is_empty() {
        cancel(&mut client, open.pop_front(), &mut problems).await;
    }
    (client, injected, problems)
}

async fn create(client: &mut Client, marker: Marker) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Order {
        id: u64,
    }
    let title = marker.text();
    let body = format!(r#"{{"title":"{title} deliver two boxes of documents","description":"Made by a load test.","price":15000}}"#);
    let answer = client.post("/api/orders", Some(&body)).await.map_err(|error| error.to_string())?;
    if answer.status != 201 {
        return Err(format!("creating an order: {}", answer.status));
    }
    serde_json::from_slice::<Order>(answer.body).map(|order| order.id).map_err(|error| error.to_string())
}

async fn cancel(client: &mut Client, id: Option<u64>, problems: &mut Problems) {
    let Some(id) = id else { return };
    match client.post(&format!("/api/orders/{id}/cancel"), None).await {
        // Somebody may have taken it.
        Ok(answer) if matches!(answer.status, 200 | 409) => {}
        Ok(answer) => problems.add(|| format!("cancelling order {id}: {}", answer.status)),
        Err(error) => problems.add(|| error.to_string()),
    }
}
