//! The servers, and what becomes of them: two nodes over one MariaDB and one Redis, killed by kill -9 and started again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::incidents::{Cause, Incidents};
use super::lossy::Proxy;
use crate::check::Check;
use crate::error::Error;
use crate::http::Client;
use crate::money::services::Services;
use crate::money::workers::{Program, Worker};
use crate::money::{Dice, Strikes};

pub(super) const NODES: usize = 2;
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const STRIKE_EVERY_MS: (u64, u64) = (2_000, 4_000);
/// How long what was killed stays away.
const AWAY_MS: (u64, u64) = (300, 1_500);
const CUT_EVERY_MS: (u64, u64) = (800, 3_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    Redis,
    RedisEmptied,
    Node,
}

const KINDS: [Strike; 3] = [Strike::Redis, Strike::RedisEmptied, Strike::Node];

#[derive(Default, Clone, Copy)]
pub(super) struct Kills {
    pub(super) redis: u64,
    pub(super) redis_emptied: u64,
    pub(super) nodes: u64,
}

struct Node {
    program: Program,
    log: PathBuf,
    authority: Arc<str>,
    worker: Option<Worker>,
}

pub(super) struct Site {
    pub(super) services: Services,
    pub(super) proxies: Vec<Proxy>,
    incidents: Arc<Incidents>,
    nodes: Vec<Node>,
    pub(super) kills: Kills,
    pub(super) stayed: Check,
}

impl Site {
    pub(super) async fn start(services: Services, program: PathBuf, seed: u64, incidents: Arc<Incidents>) -> Result<Self, Error> {
        let socket = services.redis_url.strip_prefix("redis+unix://").map(PathBuf::from);
        let socket = socket.ok_or_else(|| Error::Server("the private Redis has no socket".into()))?;
        let (mut proxies, mut nodes) = (Vec::new(), Vec::new());
        for n in 0..NODES {
            let proxy = Proxy::start(n, socket.clone(), seed.wrapping_add(n as u64), incidents.clone()).await?;
            // Free now; nobody else is expected to take it before the node does.
            let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let redis_url = format!("redis://127.0.0.1:{}", proxy.port);
            let program = Program::new(program.clone(), &services.database_url, &redis_url)
                .with("ORDERBOARD_LISTEN", &address)
                .with("ORDERBOARD_DATABASE_CONNECTIONS", &8)
                .with("ORDERBOARD_TAKE_CONNECTIONS", &2);
            let log = services.directory().join(format!("node-{n}.log"));
            nodes.push(Node { program, log, authority: address.to_string().into(), worker: None });
            proxies.push(proxy);
        }
        let stayed = Check::new("no node ended by itself");
        let mut site = Self { services, proxies, incidents, nodes, kills: Kills::default(), stayed };
        for n in 0..NODES {
            site.start_node(n).await?;
        }
        Ok(site)
    }

    pub(super) fn authorities(&self) -> Vec<Arc<str>> {
        self.nodes.iter().map(|node| node.authority.clone()).collect()
    }

    async fn start_node(&mut self, n: usize) -> Result<(), Error> {
        let node = &mut self.nodes[n];
        let mut worker = Worker::spawn(&node.program, &node.log)?;
        let mut client = Client::new(node.authority.clone(), None, READY_WITHIN);
        let give_up = Instant::now() + READY_WITHIN;
        while !client.get("/readyz").await.is_ok_and(|answer| answer.status == 200) {
            if Instant::now() > give_up {
                return Err(Error::Server(format!("node {n} is not ready:\n{}", worker.last_words())));
            }
            // Before it is ready it may give up when Redis is slow to answer.
            if worker.ended()?.is_some() {
                worker = Worker::spawn(&node.program, &node.log)?;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        node.worker = Some(worker);
        self.stayed.seen += 1;
        Ok(())
    }

    /// None may end whom nobody has killed.
    fn look_after(&mut self) -> Result<(), Error> {
        for (n, node) in self.nodes.iter_mut().enumerate() {
            if let Some(worker) = &mut node.worker
                && let Some(status) = worker.ended()?
            {
                let words = worker.last_words();
                self.stayed.problems.add(|| format!("node {n}: {status}: {words}"));
                return Err(Error::Server(format!("node {n} has ended by itself ({status}):\n{words}")));
            }
        }
        Ok(())
    }

    /// Strikes every few seconds until it is over and each kind has happened, and leaves everything running.
    pub(super) async fn suffer(&mut self, seed: u64, over: &CancellationToken, stop: &CancellationToken) -> Result<(), Error> {
        let mut strikes = Strikes::new(seed, &KINDS, STRIKE_EVERY_MS);
        let mut next_cuts: Vec<Instant> = (0..NODES).map(|_| strikes.dice.soon(CUT_EVERY_MS)).collect();
        let mut struck = 0;
        while !stop.is_cancelled() && (struck < KINDS.len() || !over.is_cancelled()) {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look_after()?;
            for (proxy, next_cut) in self.proxies.iter().zip(&mut next_cuts) {
                if Instant::now() >= *next_cut {
                    proxy.cut();
                    *next_cut = strikes.dice.soon(CUT_EVERY_MS);
                }
            }
            if let Some(strike) = strikes.due() {
                let begun = Instant::now();
                self.strike(strike, &mut strikes.dice).await?;
                eprintln!("feed: kill -9: {strike:?}, there again after {:.1} s", begun.elapsed().as_secs_f64());
                struck += 1;
                strikes.pause();
            }
        }
        Ok(())
    }

    async fn strike(&mut self, strike: Strike, dice: &mut Dice) -> Result<(), Error> {
        let away = Duration::from_millis(dice.between(AWAY_MS.0, AWAY_MS.1));
        if strike == Strike::Node {
            let n = dice.below(NODES as u64) as usize;
            let incident = self.incidents.begin(Cause::NodeAway, Some(n));
            if let Some(worker) = self.nodes[n].worker.take() {
                worker.kill().await?;
            }
            self.kills.nodes += 1;
            tokio::time::sleep(away).await;
            self.start_node(n).await?;
            self.incidents.end(incident);
            return Ok(());
        }
        let incident = self.incidents.begin(Cause::RedisAway, None);
        self.services.kill_redis().await;
        if strike == Strike::RedisEmptied {
            std::fs::remove_dir_all(self.services.directory().join("redis"))?;
            self.kills.redis_emptied += 1;
        } else {
            self.kills.redis += 1;
        }
        tokio::time::sleep(away).await;
        self.services.start_again().await?;
        self.incidents.end(incident);
        Ok(())
    }

    pub(super) async fn dismiss(&mut self) -> Result<(), Error> {
        self.look_after()?;
        for node in &mut self.nodes {
            if let Some(worker) = node.worker.take() {
                worker.stop().await?;
            }
        }
        Ok(())
    }
}
