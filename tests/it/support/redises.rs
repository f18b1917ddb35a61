//! Redis as several servers on free ports of this machine: a primary with replicas and sentinels, or a cluster. Real
//! processes, to be killed, stopped and started again; they die with the test.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{OwnDirectory, until_within};

const UP_WITHIN: Duration = Duration::from_secs(30);
/// Sentinels and cluster nodes take a server for gone after this.
const GONE_AFTER_MS: &str = "1000";
const CLUSTER_NODES: usize = 6;
pub(crate) const SERVICE: &str = "board";

/// One process on a port of its own, which it keeps when it is started again.
pub(crate) struct RedisProcess {
    pub(crate) port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
    directory: OwnDirectory,
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

impl RedisProcess {
    async fn start(port: u16, arguments: &[&str]) -> Self {
        let directory = OwnDirectory::new("redis-tcp");
        let port_text = port.to_string();
        let own = ["--port", &port_text, "--bind", "127.0.0.1", "--dir", directory.path(), "--save", "", "--appendonly", "no"];
        let arguments = own.iter().chain(arguments).map(ToString::to_string).collect();
        let mut process = Self { port, arguments, child: None, directory };
        process.start_again().await;
        process
    }

    /// A sentinel keeps what it learns in its configuration's file.
    async fn sentinel(port: u16, primary: u16) -> Self {
        let directory = OwnDirectory::new("sentinel");
        let file = directory.0.join("sentinel.conf");
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {SERVICE} {GONE_AFTER_MS}\nsentinel failover-timeout {SERVICE} 6000\n",
            directory.path()
        );
        std::fs::write(&file, settings).unwrap();
        let arguments = vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()];
        let mut process = Self { port, arguments, child: None, directory };
        process.start_again().await;
        process
    }

    pub(crate) async fn start_again(&mut self) {
        // Killed with whoever started it, also when that is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "redis-server"]).args(&self.arguments);
        let log = std::fs::File::create(self.directory.0.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).kill_on_drop(true);
        self.child = Some(command.spawn().unwrap());
        until_within("Redis answers", UP_WITHIN, async || self.try_tell("PING").await.is_some()).await;
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().unwrap().id().unwrap();
        rustix::process::kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
    }

    /// Sends one command the way `telnet` would. The answer's parts, one a line.
    pub(crate) async fn tell(&self, command: &str) -> String {
        let answer = self.try_tell(command).await.unwrap_or_else(|| panic!("{command}: no answer"));
        assert!(!answer.starts_with('-'), "{command}: {answer}");
        answer
    }

    async fn try_tell(&self, command: &str) -> Option<String> {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await.ok()?);
        stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
        let (mut parts, mut due) = (Vec::new(), 1);
        while due > 0 {
            due -= 1;
            let mut line = String::new();
            stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
            let line = line.trim_end();
            match line.split_at_checked(1)? {
                ("*", count) => due += count.parse::<usize>().ok()?,
                ("$", "-1") => parts.push(String::new()),
                ("$", length) => {
                    let mut bytes = vec![0; length.parse::<usize>().ok()? + 2];
                    stream.read_exact(&mut bytes).await.ok()?;
                    parts.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
                }
                ("-", _) => parts.push(line.to_owned()),
                (_, text) => parts.push(text.to_owned()),
            }
        }
        Some(parts.join("\n"))
    }
}

/// A primary, two replicas and three sentinels of which two decide.
pub(crate) struct Sentinels {
    pub(crate) servers: Vec<RedisProcess>,
    sentinels: Vec<RedisProcess>,
}

impl Sentinels {
    pub(crate) async fn start() -> Self {
        let [primary, one, two, a, b, c] = free_ports();
        let primary_text = primary.to_string();
        let mut servers = vec![RedisProcess::start(primary, &[]).await];
        for port in [one, two] {
            servers.push(RedisProcess::start(port, &["--replicaof", "127.0.0.1", &primary_text]).await);
        }
        let mut rig = Self { servers, sentinels: Vec::new() };
        rig.until_replicated(2).await;
        for port in [a, b, c] {
            rig.sentinels.push(RedisProcess::sentinel(port, primary).await);
        }
        until_within("the sentinels know everybody", UP_WITHIN, async || {
            for sentinel in &rig.sentinels {
                let told = sentinel.tell(&format!("SENTINEL MASTER {SERVICE}")).await;
                let told: Vec<&str> = told.lines().collect();
                let number = |name: &str| told.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].to_owned());
                if number("num-slaves").as_deref() != Some("2") || number("num-other-sentinels").as_deref() != Some("2") {
                    return false;
                }
            }
            true
        })
        .await;
        rig
    }

    pub(crate) fn url(&self) -> String {
        let ports: Vec<u16> = self.sentinels.iter().map(|sentinel| sentinel.port).collect();
        let [a, b, c] = ports[..] else { panic!("three sentinels") };
        format!("redis-sentinel://127.0.0.1:{a}?sentinelServiceName={SERVICE}&node=127.0.0.1:{b}&node=127.0.0.1:{c}")
    }

    /// The place of the primary in `servers`, as most sentinels see it.
    pub(crate) async fn primary(&self) -> usize {
        let mut votes = vec![0; self.servers.len()];
        for sentinel in &self.sentinels {
            let told = sentinel.tell(&format!("SENTINEL GET-MASTER-ADDR-BY-NAME {SERVICE}")).await;
            let port: u16 = told.lines().nth(1).unwrap().parse().unwrap();
            votes[self.servers.iter().position(|server| server.port == port).unwrap()] += 1;
        }
        (0..votes.len()).max_by_key(|place| votes[*place]).unwrap()
    }

    /// Waits for another primary than this one.
    pub(crate) async fn promoted(&self, before: usize) -> usize {
        until_within("a replica is promoted", UP_WITHIN, async || self.primary().await != before).await;
        self.primary().await
    }

    /// Waits until so many replicas follow the primary.
    pub(crate) async fn until_replicated(&self, count: usize) {
        until_within("the replicas follow", UP_WITHIN, async || {
            let place = if self.sentinels.is_empty() { 0 } else { self.primary().await };
            let told = self.servers[place].tell("INFO replication").await;
            told.contains("role:master") && told.matches("state=online").count() == count
        })
        .await;
    }
}

/// Three masters with a replica each, which share the slots.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<RedisProcess>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let ports: [u16; 2 * CLUSTER_NODES] = free_ports();
        let mut nodes = Vec::new();
        for pair in ports.chunks(2) {
            let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", GONE_AFTER_MS, "--cluster-port", &pair[1].to_string()];
            nodes.push(RedisProcess::start(pair[0], &settings).await);
        }
        for (place, slots) in ["0 5460", "5461 10922", "10923 16383"].iter().enumerate() {
            nodes[place].tell(&format!("CLUSTER ADDSLOTSRANGE {slots}")).await;
            nodes[place].tell(&format!("CLUSTER SET-CONFIG-EPOCH {}", place + 1)).await;
        }
        for pair in ports.chunks(2).skip(1) {
            nodes[0].tell(&format!("CLUSTER MEET 127.0.0.1 {} {}", pair[0], pair[1])).await;
        }
        let cluster = Self { nodes };
        cluster.until("all nodes have met", |told| told.lines().filter(|line| line.contains("connected")).count() == CLUSTER_NODES).await;
        for place in 3..CLUSTER_NODES {
            let primary = cluster.nodes[place - 3].tell("CLUSTER MYID").await;
            cluster.nodes[place].tell(&format!("CLUSTER REPLICATE {primary}")).await;
        }
        cluster.until("the replicas are known", |told| told.lines().filter(|line| line.contains("slave")).count() == 3).await;
        cluster.until_whole().await;
        cluster
    }

    async fn until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        until_within(what, UP_WITHIN, async || {
            for node in &self.nodes {
                if !condition(&node.tell("CLUSTER NODES").await) {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// Every node answers, sees all slots served, and every replica follows its primary.
    pub(crate) async fn until_whole(&self) {
        until_within("the cluster is whole", UP_WITHIN, async || {
            for node in self.nodes.iter() {
                let told = node.try_tell("CLUSTER INFO").await.unwrap_or_default();
                let replication = node.try_tell("INFO replication").await.unwrap_or_default();
                let follows = replication.contains("role:master") || replication.contains("master_link_status:up");
                if !told.contains("cluster_state:ok") || !follows {
                    return false;
                }
            }
            true
        })
        .await;
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<String> = self.nodes[1..3].iter().map(|node| format!("node=127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://127.0.0.1:{}?{}", self.nodes[0].port, nodes.join("&"))
    }

    /// The place in `nodes` of the one that owns this key's slot, as the node `asked` sees it.
    pub(crate) async fn owner(&self, key: &str, asked: usize) -> usize {
        self.owner_if_any(key, asked).await.unwrap_or_else(|| panic!("nobody owns the slot of {key}"))
    }

    /// Nothing while the nodes are settling who does.
    async fn owner_if_any(&self, key: &str, asked: usize) -> Option<usize> {
        let slot: u16 = self.nodes[asked].tell(&format!("CLUSTER KEYSLOT {key}")).await.parse().unwrap();
        let told = self.nodes[asked].tell("CLUSTER NODES").await;
        let owns = |line: &&str| {
            line.split(' ').skip(8).any(|slots| {
                let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
                matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
            })
        };
        let port = told.lines().find(owns)?.split([':', '@']).nth(1)?;
        self.nodes.iter().position(|node| node.port.to_string() == port)
    }

    /// Waits until another node than `before` owns this key's slot.
    pub(crate) async fn promoted(&self, key: &str, before: usize) -> usize {
        let asked = (before + 1) % 3;
        let is_promoted = async || self.owner_if_any(key, asked).await.is_some_and(|owner| owner != before);
        until_within("a replica is promoted", UP_WITHIN, is_promoted).await;
        self.owner(key, asked).await
    }

    /// Moves this key's slot, with all its keys, to another node, as `redis-cli --cluster reshard` does.
    pub(crate) async fn move_slot(&self, key: &str, to: usize) {
        let from = self.owner(key, to).await;
        let slot = self.nodes[to].tell(&format!("CLUSTER KEYSLOT {key}")).await;
        let (from_id, to_id) = (self.nodes[from].tell("CLUSTER MYID").await, self.nodes[to].tell("CLUSTER MYID").await);
        self.nodes[to].tell(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")).await;
        self.nodes[from].tell(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")).await;
        let port = self.nodes[to].port;
        until_within("the slot is empty", UP_WITHIN, async || {
            let keys = self.nodes[from].tell(&format!("CLUSTER GETKEYSINSLOT {slot} 100")).await;
            for key in keys.lines().filter(|key| !key.is_empty()) {
                self.nodes[from].tell(&format!("MIGRATE 127.0.0.1 {port} {key} 0 5000 REPLACE")).await;
            }
            keys.is_empty()
        })
        .await;
        for place in [to, from] {
            self.nodes[place].tell(&format!("CLUSTER SETSLOT {slot} NODE {to_id}")).await;
        }
    }
}
