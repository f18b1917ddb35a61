//! The composition root: builds one node, spawns what runs in it, and stops everything in order. Several nodes may live in
//! one process (tests do that); nothing here is global but the metrics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bus::{Bus, BusConfig, BusError, Queue};
use crate::config::descriptors::PLAIN_CONNECTIONS;
use crate::domain::news::Item;
use crate::domain::order::Order;
use crate::domain::payout::PayoutRules;
use crate::flow::{Attempts, Flow, FlowError, Outbox};
use crate::http::{
    Api, Bound, Debug, Description, Doors, Exports, Figures, Gate, Mode, Port, Proxies, Sandbox, Server, ServerConfig, Stage,
    for_operators, router,
};
use crate::jobs::deliver::Carrier;
use crate::jobs::sweep::Carried;
use crate::jobs::{archive, auto_confirm, billing, deliver, demo, expire_holds, mail, notices, outdate_topups, publish, sweep, telegram};
use crate::live::{Catalog, Drain, Live, LiveConfig};
use crate::store::{Store, StoreError};
use crate::{config, flow, telemetry};

/// How long requests in hand may take when the node stops.
const FINISH_WITHIN: Duration = Duration::from_secs(10);
/// How long sockets that were to leave by themselves may take to be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(3);
/// How long a node that shares its port waits for its boards before it takes its share of the connections.
const BOARDS_WITHIN: Duration = Duration::from_secs(10);

/// What one node is made with.
#[derive(Clone, Debug)]
pub struct AppConfig {
    pub listen: SocketAddr,
    pub port: Port,
    /// Where the figures are served besides, and nothing else.
    pub metrics_listen: Option<SocketAddr>,
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
    /// What one caller may ask.
    pub callers: config::LimitArgs,
    pub payouts: config::PayoutArgs,
    pub gateway: config::Gateway,
    pub mail: config::MailArgs,
    pub telegram: config::TelegramArgs,
}

/// Why a node did not start; each reads as one clear line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {0}: {1}. Is another program using it? Choose another with ORDERBOARD_LISTEN")]
    Listen(SocketAddr, std::io::Error),
    #[error("cannot listen on {0} for the metrics: {1}. Choose another with ORDERBOARD_METRICS_LISTEN")]
    Figures(SocketAddr, std::io::Error),
    #[error("{0}")]
    Descriptors(String),
    #[error("{0}")]
    Gateway(String),
    #[error("{0}")]
    Mail(String),
    #[error("{0}")]
    Telegram(String),
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

/// How a node takes its leave.
#[derive(Clone, Copy, Debug)]
pub struct Farewell {
    /// Not ready, and otherwise as ever: balancers need this long to see it.
    pub notice: Duration,
    /// Over which clients spread their leaving.
    pub spread: Duration,
}

/// A running node.
pub struct App {
    pub flow: Flow,
    pub store: Store,
    pub bus: Bus,
    pub live: Live,
    server: Option<Server>,
    figures_server: Option<Server>,
    jobs: JoinSet<()>,
    stopping: watch::Sender<bool>,
    api: Api,
    port: Port,
}

impl App {
    /// Starts a node. The port is taken first: a second start fails before it touches anything.
    pub async fn start(config: AppConfig) -> Result<Self, StartError> {
        let (postbox, bot, flow_config) = ways_out(&config)?;
        let cannot_listen = |error| StartError::Listen(config.listen, error);
        let bound = match config.is_web {
            true => Some(Bound::new(config.listen, config.port).map_err(cannot_listen)?),
            false => None,
        };
        let bound_for_figures = match config.metrics_listen {
            Some(address) => Some(Bound::new(address, Port::Own).map_err(|error| StartError::Figures(address, error))?),
            None => None,
        };
        let metrics = telemetry::metrics();
        let store = Store::connect(&config.database_url, config.limits.database_connections).await?;
        store.migrate().await?;
        let (bus, feed) = Bus::connect(BusConfig { url: config.redis_url.clone(), prefix: config.redis_prefix.clone() }).await?;
        let (outbox, unsent) = Outbox::new();
        let queue = Queue::connect(&config.redis_url, &config.billing_streams).await?;
        let flow = Flow::start(store.clone(), outbox, Some(queue.clone()), flow_config).await?;
        if flow.gateway().is_some_and(|gateway| gateway.stage == flow::Stage::Test) {
            tracing::warn!("the payment gateway is in its test mode: wallets are topped up with no money behind it");
        }
        let node = flow::node_name();
        let carried = Arc::new(Carried::default());
        let (ear, heard) = notices::Ear::new();
        let live_config = LiveConfig {
            node: node.clone(),
            sockets_max: config.limits.sockets_max,
            messages_s: config.callers.limit_messages_s,
            categories: flow.watch_categories(),
            hash_token: flow::hash_token,
            users: bus.users().clone(),
        };
        let catalog = Catalog::start(store.clone());
        let live = Live::start(store.clone(), feed, live_config, observer(&flow, &carried, &catalog, ear));
        tokio::spawn(forget_when_told(flow.watch_caches(), live.clone(), catalog.clone()));
        let (stopping, stopped) = watch::channel(false);
        let mut jobs = JoinSet::new();
        jobs.spawn(publish::run(store.clone(), bus.clone(), unsent, stopped.clone()));
        jobs.spawn(sweep::run(store.clone(), bus.clone(), flow.clone(), carried, stopped.clone()));
        if config.is_worker {
            let work = Work {
                flow: flow.clone(),
                store: store.clone(),
                node: node.clone(),
                heard,
                postbox,
                bot,
                delivery: config.mail.settings(),
                archive_after: config.limits.archive_after(),
            };
            work.begin(&mut jobs, &stopped);
        }
        // Every node measures the queue, for its metrics, and sends what was left unsent; workers also work.
        let settings = config.limits.billing(node.clone(), config.is_worker);
        jobs.spawn(billing::run(flow.clone(), store.clone(), queue, settings, stopped.clone()));
        let metrics: Arc<dyn Fn() -> String + Send + Sync> = Arc::new(move || telemetry::render(&metrics));
        let figures = Arc::new(Figures::new(node.clone(), metrics.clone(), live.clone()));
        jobs.spawn(figures.clone().run(stopped.clone()));
        if config.is_demo {
            jobs.spawn(demo::run(flow.clone(), store.clone(), stopped));
        }
        let api = Arc::new(Doors {
            flow: flow.clone(),
            store: store.clone(),
            live: live.clone(),
            catalog,
            redis_is_up: {
                let bus = bus.clone();
                Box::new(move || bus.is_up())
            },
            mode: config.mode,
            payout_rules: PayoutRules { min: config.payouts.payout_min, methods: config.payouts.payout_methods },
            sandbox: Sandbox::new(&flow, bound.as_ref().and_then(|bound| bound.address().ok())),
            origins: config.origins,
            metrics,
            figures,
            debug: Debug::new(node),
            gate: Gate::default(),
            attempts: Attempts::new(bus.clone()),
            proxies: Proxies(config.callers.trusted_proxies),
            stopping: AtomicBool::new(false),
            exports: Exports::default(),
            description: Description::default(),
        });
        let server_config = ServerConfig { connections_max: config.limits.sockets_max + PLAIN_CONNECTIONS };
        let server = match bound {
            Some(bound) => {
                if config.port == Port::Shared {
                    boards_loaded(&live).await;
                }
                Some(Server::start(bound, router(api.clone()), live.clone(), server_config).map_err(cannot_listen)?)
            }
            None => None,
        };
        let figures_server = match bound_for_figures {
            Some(bound) => Some(Server::start(bound, for_operators(api.clone()), live.clone(), server_config).map_err(cannot_listen)?),
            None => None,
        };
        Ok(Self { flow, store, bus, live, server, figures_server, jobs, stopping, api, port: config.port })
    }

    /// Where this node serves; nothing for a node without the web role.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    /// Takes its leave so that nothing which reached this node is lost:
    ///
    /// 1. `/readyz` says 503, and everything is served as ever for as long as balancers need to see it (`notice`).
    /// 2. Each websocket is told to come back elsewhere at a random moment of `spread`; new ones are refused. Each HTTP answer
    ///    is its connection's last (`Connection: close`). New connections are still taken, for those who know no other node;
    ///    unless the port is shared with other processes, which take them from here on.
    /// 3. When everybody has left, or the time is over, the port is closed: no more handshakes, then what the kernel has
    ///    queued is served, then the socket goes.
    /// 4. Requests in hand are answered. A connection on which nothing comes for a second is ended, half by half.
    /// 5. The jobs finish, what has changed is published, the bus and the pool are closed.
    ///
    /// Dropping this future cuts it short.
    pub async fn stop(mut self, farewell: Farewell) {
        self.api.stopping.store(true, Ordering::Release);
        if self.server.is_some() {
            tokio::time::sleep(farewell.notice).await;
        }
        if let Some(server) = &self.server {
            server.enter(if self.port == Port::Shared { Stage::Unreachable } else { Stage::Parting });
        }
        self.live.drain(Drain { after: Duration::ZERO, spread: farewell.spread });
        self.everybody_left(farewell.spread).await;
        if let Some(server) = self.server.take() {
            server.stop(FINISH_WITHIN).await;
        }
        self.stopping.send_replace(true);
        while self.jobs.join_next().await.is_some() {}
        if let Some(server) = self.figures_server.take() {
            server.stop(FINISH_WITHIN).await;
        }
        self.bus.close().await;
        self.store.close().await;
    }

    /// Returns when no connection is open, or when those that are had their time.
    async fn everybody_left(&self, spread: Duration) {
        let told_at = Instant::now();
        loop {
            let connections = self.server.as_ref().map_or(0, Server::connections);
            let gone = self.live.sockets() == 0 || told_at.elapsed() >= spread + CLOSED_WITHIN;
            if gone && (connections == 0 || told_at.elapsed() >= spread) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The ways out of the house (mail, Telegram, the payment gateway), and what the use cases need to know of them.
fn ways_out(config: &AppConfig) -> Result<(Option<mail::Postbox>, Option<telegram::Bot>, flow::FlowConfig), StartError> {
    let topups = config.gateway.topups(config.mode).map_err(StartError::Gateway)?;
    let (postbox, public_url) = config.mail.postbox(config.mode, config.listen).map_err(StartError::Mail)?.unzip();
    let board = public_url.as_deref().or(config.mail.public_url.as_deref());
    let (bot, telegram) = config.telegram.bot(board).map_err(StartError::Telegram)?.unzip();
    let mut limits = config.callers.in_force();
    if config.is_demo {
        // The few customers of the demo market are the whole market.
        limits.orders_day = 0;
    }
    Ok((postbox, bot, flow::FlowConfig { topups, public_url, telegram, limits, ..config.limits.flow() }))
}

/// Who else wants to know of the news besides the boards.
fn observer(
    flow: &Flow,
    carried: &Arc<Carried>,
    catalog: &Catalog,
    ear: notices::Ear,
) -> impl Fn(&Item, Option<&Order>, Option<u64>) + Send + 'static {
    let (flow, carried, catalog) = (flow.clone(), carried.clone(), catalog.clone());
    move |item, order, seq| {
        // News of one user's concerns this node alone, whichever way it came.
        if seq.is_some() || item.audience.is_some() {
            carried.note(item.subject(), item.version);
        }
        if let Some(order) = order {
            flow.remember_order(order);
            ear.hear(order);
        }
        catalog.note(order, seq);
    }
}

/// Forgets what the live part remembers whenever an admin wants that; ends with the use cases.
async fn forget_when_told(mut cleared: watch::Receiver<u64>, live: Live, catalog: Catalog) {
    while cleared.changed().await.is_ok() {
        live.sessions().forget_all();
        catalog.read_again();
    }
}

/// What only nodes with the role `worker` do, besides their share of the billing queue.
struct Work {
    flow: Flow,
    store: Store,
    node: String,
    heard: notices::Heard,
    postbox: Option<mail::Postbox>,
    bot: Option<telegram::Bot>,
    delivery: deliver::Settings,
    archive_after: Option<Duration>,
}

impl Work {
    fn begin(self, jobs: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
        let Self { flow, store, node, heard, postbox, bot, delivery, archive_after } = self;
        jobs.spawn(auto_confirm::run(flow.clone(), stopped.clone()));
        jobs.spawn(outdate_topups::run(flow.clone(), stopped.clone()));
        jobs.spawn(expire_holds::run(flow.clone(), stopped.clone()));
        if let Some(after) = archive_after {
            jobs.spawn(archive::run(flow.clone(), store.clone(), node.clone(), after, stopped.clone()));
        }
        jobs.spawn(notices::run(flow.clone(), store.clone(), node.clone(), heard, stopped.clone()));
        if let Some(postbox) = postbox {
            jobs.spawn(deliver::run(flow.clone(), Carrier::Mail(postbox), delivery, stopped.clone()));
        }
        if let Some(bot) = bot {
            jobs.spawn(telegram::listen::run(flow.clone(), store, bot.clone(), node, stopped.clone()));
            jobs.spawn(deliver::run(flow, Carrier::Telegram(bot), delivery, stopped.clone()));
        }
    }
}

/// Returns when the boards are loaded, or have taken too long to be waited for; `/readyz` tells.
async fn boards_loaded(live: &Live) {
    let give_up = Instant::now() + BOARDS_WITHIN;
    while !live.is_synced() && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
