//! Further servers beside the first one, on the same MariaDB and Redis, each with an address of its own. They end before the
//! first does, which may own both.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::error::Error;
use crate::money::workers::{Program, Worker};
use crate::server::Server;

const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Dropping them kills them; `stop` ends them in good order.
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    /// The one that was started last; the first server when there is none besides.
    pub(crate) last: Arc<str>,
}

struct Node {
    program: Program,
    log: PathBuf,
    worker: Worker,
}

/// Where the first server keeps what they share.
#[derive(Deserialize)]
struct Shared {
    redis_url: Option<String>,
    redis_prefix: String,
    billing_streams: String,
    mode: String,
}

/// What lets processes listen at one port.
pub(crate) const REUSE_PORT: &str = "ORDERBOARD_REUSE_PORT";

/// The executable with the settings that put it beside `server`, and where it may write.
async fn like(server: &Server) -> Result<(Program, PathBuf), Error> {
    let Some(directory) = server.directory() else {
        return Err(Error::Usage("further servers are started beside one of the load test's own: leave --url out".into()));
    };
    let shared: Shared = serde_json::from_str(&server.ask(&["config"]).await?)?;
    // The configuration tells urls without their passwords; what the environment says goes to every node as it is.
    let redis_url = std::env::var("REDIS_URL").ok().or(shared.redis_url);
    let redis_url = redis_url.ok_or_else(|| Error::Usage("several servers: give REDIS_URL together with --database-url".into()))?;
    let program = Program::new(server.executable()?, &server.database_url().await?, &redis_url)
        .with("ORDERBOARD_REDIS_PREFIX", &shared.redis_prefix)
        .with("ORDERBOARD_BILLING_STREAMS", &shared.billing_streams)
        .with("ORDERBOARD_MODE", &shared.mode)
        .with("ORDERBOARD_NOTICE_MS", &0);
    Ok((program, directory.to_owned()))
}

impl Nodes {
    /// As many as make `nodes` together with `server`.
    pub(crate) async fn beside(server: &Server, nodes: u64) -> Result<Self, Error> {
        let mut all = Self { nodes: Vec::new(), last: server.authority.clone() };
        if nodes <= 1 {
            return Ok(all);
        }
        let (program, directory) = like(server).await?;
        for n in 2..=nodes {
            // Free now; nobody else is expected to take it before the node does.
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
            let (program, log) = (program.with("ORDERBOARD_LISTEN", &address), directory.join(format!("node-{n}.log")));
            let mut worker = Worker::spawn(&program, &log)?;
            eprintln!("server: node {n} on {address}");
            all.last = address.into();
            all.wait_until_ready(server, n, &mut worker).await?;
            all.nodes.push(Node { program, log, worker });
        }
        Ok(all)
    }

    /// As many as make `processes` together with `server`, which shares its port with them.
    pub(crate) async fn on_its_port(server: &Server, processes: u64) -> Result<Self, Error> {
        let mut all = Self { nodes: Vec::new(), last: server.authority.clone() };
        if processes <= 1 {
            return Ok(all);
        }
        let (program, directory) = like(server).await?;
        let program = program.with("ORDERBOARD_LISTEN", &server.authority).with(REUSE_PORT, &true);
        for n in 2..=processes {
            let log = directory.join(format!("process-{n}.log"));
            let mut worker = Worker::spawn(&program, &log)?;
            worker.until_ready().await?;
            all.nodes.push(Node { program: program.clone(), log, worker });
        }
        eprintln!("server: {processes} processes on {}", server.authority);
        Ok(all)
    }

    async fn wait_until_ready(&self, server: &Server, n: u64, worker: &mut Worker) -> Result<(), Error> {
        let mut client = server.client_of(self.last.clone());
        let give_up = Instant::now() + READY_WITHIN;
        while !client.get("/readyz").await.is_ok_and(|answer| answer.status == 200) {
            if worker.ended()?.is_some() || Instant::now() > give_up {
                return Err(Error::Server(format!("node {n} is not ready:\n{}", worker.last_words())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// kill -9, and a start at the same address; returns once it is ready again.
    pub(crate) async fn restart_last(&mut self, server: &Server) -> Result<(), Error> {
        let number = self.nodes.len() as u64 + 1;
        let Some(Node { program, log, worker }) = self.nodes.pop() else {
            return Err(Error::Usage("there is no node besides the first".into()));
        };
        worker.kill().await?;
        let mut worker = Worker::spawn(&program, &log)?;
        self.wait_until_ready(server, number, &mut worker).await?;
        self.nodes.push(Node { program, log, worker });
        Ok(())
    }

    /// Of each one besides the first.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().filter_map(|node| node.worker.pid())
    }

    /// None may have ended by itself.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        for Node { mut worker, .. } in self.nodes {
            if let Some(status) = worker.ended()? {
                return Err(Error::Server(format!("a node has ended by itself ({status}):\n{}", worker.last_words())));
            }
            worker.stop().await?;
        }
        Ok(())
    }
}
