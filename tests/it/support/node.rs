//! The real binary as a child process: what `kill -9` and SIGTERM are about.

use std::net::SocketAddr;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orderboard::embedded;
use rustix::process::{Pid, Signal};
use serde_json::Value;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::{Answer, Connection, DEADLINE, OwnDirectory, Request, TestApp, User};

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

/// The binary with these settings and none of the machine's.
fn command(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderboard"));
    for (name, _) in std::env::vars() {
        if name.starts_with("ORDERBOARD_") || ["DATABASE_URL", "REDIS_URL", "RUST_LOG"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    // Tests ask more often than people do.
    command.env("ORDERBOARD_LIMITS", "off");
    command.args(arguments).envs(settings.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    tokio::time::timeout(DEADLINE, command(arguments, settings).output()).await.expect("it ends in time").unwrap()
}

impl Node {
    /// Starts `serve` on a free port and waits until it says where it serves.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let (mut node, served) = Self::spawn(settings);
        let address = tokio::time::timeout(DEADLINE, served).await.ok().and_then(Result::ok);
        node.address = address.unwrap_or_else(|| panic!("the node did not start: {:#?}", node.log.lock().unwrap()));
        node
    }

    /// Starts a process beside a node of the test's own that may serve nothing, and does not wait for it.
    pub(crate) fn begin(app: &TestApp, settings: &[(&str, &str)]) -> Self {
        let mut all = surroundings(app);
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::spawn(&all.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).0
    }

    /// The process, and its address when it has told it.
    fn spawn(settings: &[(&str, &str)]) -> (Self, oneshot::Receiver<SocketAddr>) {
        let mut command = command(&["serve"], settings);
        if !settings.iter().any(|(name, _)| *name == "ORDERBOARD_LISTEN") {
            command.env("ORDERBOARD_LISTEN", "127.0.0.1:0");
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (ready, served) = oneshot::channel();
        let keep = log.clone();
        tokio::spawn(async move {
            let mut ready = Some(ready);
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, address)) = line.split_once("ready on http://")
                    && let Some(ready) = ready.take()
                {
                    let _ = ready.send(address.split(' ').next().unwrap().parse().unwrap());
                }
                keep.lock().unwrap().push(line);
            }
        });
        (Self { address: SocketAddr::from(([0, 0, 0, 0], 0)), child, log }, served)
    }

    /// The same beside a node of the test's own process: on its database, Redis and prefix.
    pub(crate) async fn beside(app: &TestApp, settings: &[(&str, &str)]) -> Self {
        let mut all = surroundings(app);
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::start(&all.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).await
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id().expect("it runs")).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// `kill -9`; returns when the process is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn ended_within(&mut self, limit: Duration) -> ExitStatus {
        tokio::time::timeout(limit, self.child.wait()).await.unwrap_or_else(|_| panic!("it does not end: {}", self.log())).unwrap()
    }

    /// Memory that the process has in RAM.
    pub(crate) fn rss_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let request = Request::new(method, path).bearer(token).json(body);
        let answer = async { Connection::open(self.address).await?.call(&request).await };
        tokio::time::timeout(DEADLINE, answer).await.expect("an answer in time").unwrap()
    }
}

/// A port that is free at this moment.
pub(crate) fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What tells a process to work where this node does.
pub(crate) fn surroundings(app: &TestApp) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", app.config.database_url.clone()),
        ("REDIS_URL", app.config.redis_url.clone()),
        ("ORDERBOARD_REDIS_PREFIX", app.config.redis_prefix.clone()),
        ("ORDERBOARD_BILLING_STREAMS", app.config.billing_streams.clone()),
        ("ORDERBOARD_MODE", "development".to_owned()),
        ("ORDERBOARD_ROLES", "web".to_owned()),
    ]
}

/// Users of a data directory's market, made as an operator makes them.
pub(crate) async fn people(data: &OwnDirectory, role: &str, count: u32, credit: Option<i64>) -> Vec<User> {
    let (count, credit) = (count.to_string(), credit.map(|credit| credit.to_string()));
    let mut arguments = vec!["user", "token", "--role", role, "--count", &count];
    if let Some(credit) = &credit {
        arguments.extend(["--credit", credit]);
    }
    let made = run(&arguments, &[("ORDERBOARD_DATA", data.path())]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let lines = String::from_utf8(made.stdout).unwrap();
    let user = |line: &str| {
        let granted: Value = serde_json::from_str(line).unwrap();
        User { id: granted["user_id"].as_u64().unwrap(), token: granted["token"].as_str().unwrap().to_owned() }
    };
    lines.lines().map(user).collect()
}

/// The tables of the pair that runs over this directory.
pub(crate) fn tables(data: &OwnDirectory) -> MySqlPool {
    let urls = embedded::running(&data.0).expect("a pair runs there");
    MySqlPoolOptions::new().max_connections(4).connect_lazy(&urls.database_url).unwrap()
}

/// Processes whose command line names this text.
pub(crate) fn processes_naming(text: &str) -> Vec<Pid> {
    let found = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&line).contains(text).then_some(pid)
    });
    found.collect()
}

/// Sends a signal to the Redis that answers at this url.
pub(crate) fn signal_redis(url: &str, signal: Signal) {
    let found = processes_naming(url.strip_prefix("redis+unix://").unwrap());
    assert_eq!(found.len(), 1, "one Redis answers at {url}");
    rustix::process::kill_process(found[0], signal).unwrap();
}
