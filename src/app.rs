//! The composition root: builds one node, spawns what runs in it, and stops everything in order. Several nodes may live in
//! one process (tests do that); nothing here is global but the metrics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bus::{Bus, BusConfig, BusError, Queue};
use crate::domain::news::NewsKind;
use crate::domain::payout::PayoutRules;
use crate::flow::{Flow, FlowError, Outbox};
use crate::http::{Api, Doors, Exports, Mode, Sandbox, Server, ServerConfig, router};
use crate::jobs::sweep::Carried;
use crate::jobs::{auto_confirm, billing, demo, expire_holds, outdate_topups, publish, sweep};
use crate::live::{Drain, Live, LiveConfig};
use crate::store::{Store, StoreError};
use crate::{config, flow, telemetry};

/// Connections beyond the websockets.
const PLAIN_CONNECTIONS: usize = 900;
/// How long requests in hand may take when the node stops.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// What one node is made with.
#[derive(Clone, Debug)]
pub struct AppConfig {
    pub listen: SocketAddr,
    pub mode: Mode,
    pub database_url: String,
    pub redis_url: String,
    pub redis_prefix: String,
    /// What the billing streams' names begin with.
    pub billing_streams: String,
    pub origins: Vec<String>,
    pub is_web: bool,
    pub is_worker: bool,
    pub is_demo: bool,
    pub limits: config::Limits,
    pub payouts: config::PayoutArgs,
    pub gateway: config::Gateway,
}

/// Why a node did not start; each reads as one clear line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {0}: {1}. Is another program using it? Choose another with ORDERBOARD_LISTEN")]
    Listen(SocketAddr, std::io::Error),
    #[error("{0}")]
    Gateway(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("the use cases cannot start: {0}")]
    Flow(String),
}

impl From<FlowError> for StartError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Store(error) => StartError::Store(error),
            other => StartError::Flow(format!("{other:?}")),
        }
    }
}

/// A running node.
pub struct App {
    pub flow: Flow,
    pub store: Store,
    pub bus: Bus,
    pub live: Live,
    server: Option<Server>,
    jobs: JoinSet<()>,
    stopping: watch::Sender<bool>,
    api: Api,
}

impl App {
    /// Starts a node. The port is taken first: a second start fails before it touches anything.
    pub async fn start(config: AppConfig) -> Result<Self, StartError> {
        let topups = config.gateway.topups(config.mode).map_err(StartError::Gateway)?;
        let listener = match config.is_web {
            true => Some(TcpListener::bind(config.listen).await.map_err(|error| StartError::Listen(config.listen, error))?),
            false => None,
        };
        let metrics = telemetry::metrics();
        let store = Store::connect(&config.database_url, config.limits.database_connections).await?;
        store.migrate().await?;
        let (bus, feed) = Bus::connect(BusConfig { url: config.redis_url.clone(), prefix: config.redis_prefix.clone() }).await?;
        let (outbox, unsent) = Outbox::new();
        let queue = Queue::connect(&config.redis_url, &config.billing_streams).await?;
        let flow = Flow::start(store.clone(), outbox, Some(queue.clone()), flow::FlowConfig { topups, ..config.limits.flow() }).await?;
        if flow.gateway().is_some_and(|gateway| gateway.stage == flow::Stage::Test) {
            tracing::warn!("the payment gateway is in its test mode: wallets are topped up with no money behind it");
        }
        let node = flow::node_name();
        let carried = Arc::new(Carried::default());
        let live_config = LiveConfig {
            node: node.clone(),
            sockets_max: config.limits.sockets_max,
            categories: flow.categories().iter().map(|category| category.slug.clone()).collect(),
            hash_token: flow::hash_token,
            users: bus.users().clone(),
        };
        let live = {
            let (flow, carried) = (flow.clone(), carried.clone());
            Live::start(store.clone(), feed, live_config, move |item, order, seq| {
                // An account's news concerns this node alone, whichever way it came.
                if seq.is_some() || item.kind == NewsKind::Account {
                    carried.note(item.subject(), item.version);
                }
                if let Some(order) = order {
                    flow.remember_order(order);
                }
            })
        };
        let (stopping, stopped) = watch::channel(false);
        let mut jobs = JoinSet::new();
        jobs.spawn(publish::run(store.clone(), bus.clone(), unsent, stopped.clone()));
        jobs.spawn(sweep::run(store.clone(), bus.clone(), flow.clone(), carried, stopped.clone()));
        if config.is_worker {
            jobs.spawn(auto_confirm::run(flow.clone(), stopped.clone()));
            jobs.spawn(outdate_topups::run(flow.clone(), stopped.clone()));
            jobs.spawn(expire_holds::run(flow.clone(), stopped.clone()));
        }
        // Every node measures the queue, for its metrics, and sends what was left unsent; workers also work.
        let settings = config.limits.billing(node, config.is_worker);
        jobs.spawn(billing::run(flow.clone(), store.clone(), queue, settings, stopped.clone()));
        if config.is_demo {
            jobs.spawn(demo::run(flow.clone(), store.clone(), stopped));
        }
        let api = Arc::new(Doors {
            flow: flow.clone(),
            store: store.clone(),
            live: live.clone(),
            redis_is_up: {
                let bus = bus.clone();
                Box::new(move || bus.is_up())
            },
            mode: config.mode,
            payout_rules: PayoutRules { min: config.payouts.payout_min, methods: config.payouts.payout_methods },
            sandbox: Sandbox::new(&flow, listener.as_ref().and_then(|listener| listener.local_addr().ok())),
            origins: config.origins,
            metrics,
            stopping: AtomicBool::new(false),
            exports: Exports::default(),
        });
        let server_config = ServerConfig { connections_max: config.limits.sockets_max + PLAIN_CONNECTIONS };
        let server = match listener {
            Some(listener) => Some(
                Server::start(listener, router(api.clone()), server_config).map_err(|error| StartError::Listen(config.listen, error))?,
            ),
            None => None,
        };
        Ok(Self { flow, store, bus, live, server, jobs, stopping, api })
    }

    /// Where this node serves; nothing for a node without the web role.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    /// Not ready any more; clients are told to go elsewhere and given the time; then the requests in hand, the jobs, the
    /// bus, the pool.
    pub async fn stop(mut self, drain: Duration) {
        self.api.stopping.store(true, Ordering::Release);
        self.live.drain(Drain { after: Duration::ZERO, spread: drain });
        let deadline = tokio::time::Instant::now() + drain + Duration::from_secs(3);
        while self.live.sockets() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(server) = self.server.take() {
            server.stop(FINISH_WITHIN).await;
        }
        self.stopping.send_replace(true);
        while self.jobs.join_next().await.is_some() {}
        self.bus.close().await;
        self.store.close().await;
    }
}
