//! Customers who create orders over HTTP: at a rate for a race, as fast as it goes beforehand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;

use crate::Run;
use crate::check::Problems;
use crate::error::Error;
use crate::http::Client;
use crate::progress::Progress;
use crate::races::{Created, News};
use crate::report::Latency;
use crate::server::{Server, Token};

/// Kopecks. Prices differ so that a sum that came out right by accident would be noticed.
const PRICE_MIN: i64 = 10_000;
const PRICE_STEP: i64 = 137;
const PRICES: u64 = 500;
const PRICE_MAX: i64 = PRICE_MIN + PRICE_STEP * PRICES as i64;

/// How many orders, and how fast. The label tells the phase, also in the orders' titles.
pub(crate) struct Wanted {
    pub(crate) label: &'static str,
    pub(crate) count: u64,
    /// None: as fast as the customers get their answers.
    pub(crate) per_s: Option<f64>,
    /// No further order is begun after so long.
    pub(crate) within: Duration,
}

impl Wanted {
    /// Begins the title of each of these orders, and of no other order.
    pub(crate) fn tag(&self, run: &Run) -> String {
        format!("{} {}", run.tag, self.label)
    }
}

pub(crate) struct Produced {
    pub(crate) created: Vec<Created>,
    /// At a rate: since each was due. As fast as it goes: since it was sent.
    pub(crate) latency: Latency,
    pub(crate) problems: Problems,
    /// How late an order was begun, at most: when it is much, the rate was not kept.
    pub(crate) behind_max: Duration,
}

/// Customers, each rich enough to create all the orders alone.
pub(crate) async fn customers(server: &Server, count: u64, orders: u64) -> Result<Vec<Token>, Error> {
    let credit = i64::try_from(orders).unwrap_or(i64::MAX).saturating_mul(PRICE_MAX);
    server.tokens(count, "customer", credit).await
}

struct Shared {
    tag: String,
    next: AtomicU64,
    count: u64,
    per_s: Option<f64>,
    begun: Instant,
    deadline: Instant,
    progress: Progress,
    news: Option<Arc<News>>,
}

/// Creates the orders; what could not be created is told in `problems`.
pub(crate) async fn produce(
    server: &Server,
    run: &Run,
    customers: &[Token],
    wanted: &Wanted,
    news: Option<Arc<News>>,
) -> Result<Produced, Error> {
    let begun = Instant::now();
    let shared = Arc::new(Shared {
        tag: wanted.tag(run),
        next: AtomicU64::new(0),
        count: wanted.count,
        per_s: wanted.per_s,
        begun,
        deadline: begun + wanted.within,
        progress: Progress::new(wanted.label, wanted.count),
        news,
    });
    let mut tasks = JoinSet::new();
    for customer in customers {
        let (client, shared, stop) = (server.client(Some(customer)), shared.clone(), run.stop.clone());
        tasks.spawn(async move {
            // Between two orders, so that no order is left with an unknown answer.
            let mut produced = Produced::new();
            let mut client = client;
            while !stop.is_cancelled() && create_next(&mut client, &shared, &mut produced).await {}
            produced
        });
    }
    let mut all = Produced::new();
    while let Some(some) = tasks.join_next().await {
        all.merge(some?);
    }
    all.created.sort_unstable_by_key(|order| order.id);
    Ok(all)
}

/// False when there is nothing more to create.
async fn create_next(client: &mut Client, shared: &Shared, produced: &mut Produced) -> bool {
    let n = shared.next.fetch_add(1, Ordering::Relaxed);
    if n >= shared.count || Instant::now() > shared.deadline {
        return false;
    }
    // An order that is sent late because the answers before it were late is measured from when it was due.
    let due = match shared.per_s {
        Some(per_s) => {
            let due = shared.begun + Duration::from_secs_f64(n as f64 / per_s);
            tokio::time::sleep_until(due.into()).await;
            produced.behind_max = produced.behind_max.max(due.elapsed());
            due
        }
        None => Instant::now(),
    };
    let (price, body) = draft(&shared.tag, n);
    match create(client, &body).await {
        Ok(order) => {
            produced.latency.record(due.elapsed());
            if let Some(news) = &shared.news {
                news.was_created(order.id);
            }
            if order.price != price {
                let got = order.price;
                produced.problems.add(|| format!("order {}: price {got}, not {price}", order.id));
            }
            produced.created.push(order);
        }
        Err(words) => produced.problems.add(|| words),
    }
    shared.progress.step();
    true
}

/// The price and the request for the order of this number.
pub(crate) fn draft(tag: &str, n: u64) -> (i64, String) {
    let price = PRICE_MIN + PRICE_STEP * (n % PRICES) as i64;
    let body = format!(r#"{{"title":"{tag} {n}: deliver two boxes of documents","description":"Made by a load test.","price":{price}}}"#);
    (price, body)
}

/// One order; in words why not.
pub(crate) async fn create(client: &mut Client, body: &str) -> Result<Created, String> {
    #[derive(Deserialize)]
    struct Order {
        id: u64,
        price: i64,
    }
    let answer = client.post("/api/orders", Some(body)).await.map_err(|error| error.to_string())?;
    let text = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]).into_owned();
    if answer.status != 201 {
        return Err(format!("{} with {}", answer.status, text()));
    }
    match serde_json::from_slice::<Order>(answer.body) {
        Ok(Order { id, price }) => Ok(Created { id, price }),
        Err(error) => Err(format!("201 with {}: {error}", text())),
    }
}

impl Produced {
    fn new() -> Self {
        Self { created: Vec::new(), latency: Latency::new(), problems: Problems::default(), behind_max: Duration::ZERO }
    }

    fn merge(&mut self, other: Self) {
        self.created.extend(other.created);
        self.latency.merge(&other.latency);
        self.problems.merge(other.problems);
        self.behind_max = self.behind_max.max(other.behind_max);
    }
}
