//! The server under test: one that runs already, or one started here with fresh data and ended
//! with the run. Also what only its executable can tell: tokens in bulk, and its configuration.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};

use crate::cli::Common;
use crate::error::Error;
use crate::http::Client;
use crate::watch::cores::Cores;

/// A new data directory means installing a database first.
const READY_WITHIN: Duration = Duration::from_secs(90);
const ENDED_WITHIN: Duration = Duration::from_secs(30);

#[derive(Deserialize, Clone)]
pub(crate) struct Token {
    pub(crate) user_id: u64,
    pub(crate) token: String,
}

pub(crate) struct Server {
    pub(crate) authority: Arc<str>,
    timeout: Duration,
    pid: Option<u32>,
    orderboard: Option<PathBuf>,
    environment: Vec<(&'static str, OsString)>,
    database_url: Option<String>,
    /// Ends the process when the server is dropped, by whatever way the run is left.
    own: Option<Own>,
}

impl Server {
    pub(crate) async fn reach(common: &Common) -> Result<Self, Error> {
        Self::reach_on(common, None, &[]).await
    }

    /// As `reach`; a server that is started here begins on the core that is kept for it, with these settings.
    pub(crate) async fn reach_on(common: &Common, cores: Option<&Cores>, settings: &[(&'static str, &str)]) -> Result<Self, Error> {
        let orderboard = common.orderboard.clone().or_else(beside_this_executable);
        let mut server = Self {
            authority: "".into(),
            timeout: Duration::from_secs(common.timeout_s),
            pid: common.server_pid,
            orderboard,
            environment: Vec::new(),
            database_url: common.database_url.clone(),
            own: None,
        };
        match &common.url {
            Some(url) => server.authority = authority(url)?,
            None => match cores {
                Some(cores) => cores.on_server_core(|| server.start(settings))?,
                None => server.start(settings)?,
            },
        }
        server.wait_until_ready().await?;
        Ok(server)
    }

    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Of a server that was started here: it goes with the server.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.dir.as_path())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub(crate) fn client(&self, token: Option<&Token>) -> Client {
        let token = token.map(|t| Arc::from(t.token.as_str()));
        Client::new(self.authority.clone(), token, self.timeout)
    }

    /// The same installation by another of its nodes, which lives and dies apart from it.
    pub(crate) fn node_at(&self, authority: Arc<str>) -> Self {
        let (orderboard, environment, database_url) = (self.orderboard.clone(), self.environment.clone(), self.database_url.clone());
        Self { authority, timeout: self.timeout, pid: None, orderboard, environment, database_url, own: None }
    }

    /// A guest's at another node.
    pub(crate) fn client_of(&self, authority: Arc<str>) -> Client {
        Client::new(authority, None, self.timeout)
    }

    fn start(&mut self, settings: &[(&'static str, &str)]) -> Result<(), Error> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let program = self.executable()?;
        let n = STARTED.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("orderboard-load-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        // Free now; nobody else is expected to take it before the server does.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        // A load test asks more often than people do.
        self.environment = vec![
            ("ORDERBOARD_DATA", dir.join("data").into()),
            ("ORDERBOARD_LISTEN", address.clone().into()),
            ("ORDERBOARD_LIMITS", "off".into()),
        ];
        if let Some(url) = &self.database_url {
            self.environment.push(("DATABASE_URL", url.into()));
        }
        self.environment.extend(settings.iter().map(|(name, value)| (*name, value.into())));
        let log = std::fs::File::create(dir.join("server.log"))?;
        let mut command = Command::new(&program);
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C is for the load test, which ends its server when it has read what it needs.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|error| Error::Usage(format!("cannot start {}: {error}", program.display())))?;
        eprintln!("server: {} on {address}", program.display());
        self.pid = Some(child.id());
        self.authority = address.into();
        self.own = Some(Own { child, dir });
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<(), Error> {
        let mut client = self.client(None);
        let give_up = Instant::now() + if self.is_own() { READY_WITHIN } else { self.timeout };
        loop {
            let why = match client.get("/readyz").await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => format!("/readyz answers {}", answer.status),
                Err(error) => error.to_string(),
            };
            let ended = match &mut self.own {
                Some(own) => own.child.try_wait()?,
                None => None,
            };
            if ended.is_some() || Instant::now() > give_up {
                let log = self.own.as_ref().map_or(String::new(), Own::end_of_log);
                let authority = &self.authority;
                let why = ended.map_or(why, |status| format!("it has ended ({status})"));
                let words = format!("the server at {authority} is not ready: {why}\n{log}");
                return Err(Error::Server(words.trim_end().into()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Users with a session each; `credit` kopecks on each one's wallet.
    pub(crate) async fn tokens(&self, count: u64, role: &str, credit: i64) -> Result<Vec<Token>, Error> {
        let (count_text, credit_text) = (count.to_string(), credit.to_string());
        let mut arguments = vec!["user", "token", "--count", &count_text, "--role", role];
        if credit > 0 {
            arguments.extend(["--credit", &credit_text]);
        }
        let output = self.ask(&arguments).await?;
        let lines = output.lines().filter(|line| !line.trim().is_empty());
        let tokens = lines.map(serde_json::from_str).collect::<Result<Vec<Token>, _>>()?;
        if tokens.len() as u64 != count {
            let got = tokens.len();
            return Err(Error::Server(format!("asked for {count} tokens, got {got}")));
        }
        Ok(tokens)
    }

    pub(crate) async fn database_url(&self) -> Result<String, Error> {
        if let Some(url) = &self.database_url {
            return Ok(url.clone());
        }
        #[derive(Deserialize)]
        struct Config {
            database_url: String,
        }
        let config: Config = serde_json::from_str(&self.ask(&["config"]).await?)?;
        Ok(config.database_url)
    }

    /// Few connections: the verdict reads after the race, one query at a time.
    pub(crate) async fn database(&self) -> Result<MySqlPool, Error> {
        let url = self.database_url().await?;
        Ok(MySqlPoolOptions::new().max_connections(2).connect(&url).await?)
    }

    /// A counter of /metrics, summed over its labels. One that is not there has not counted yet.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64, Error> {
        Ok(self.metric_if_known(name).await?.unwrap_or(0.0))
    }

    /// The same, for one that not every server has.
    pub(crate) async fn metric_if_known(&self, name: &str) -> Result<Option<f64>, Error> {
        let mut client = self.client(None);
        let answer = client.get("/metrics").await?;
        Ok(sum_of(name, &String::from_utf8_lossy(answer.body)))
    }

    /// Runs the executable with the server's environment and returns what it printed.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<String, Error> {
        let program = self.executable()?;
        let mut command = tokio::process::Command::new(&program);
        command.args(arguments).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        if let Some(url) = &self.database_url {
            command.env("DATABASE_URL", url);
        }
        let output = command.output().await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let told = String::from_utf8_lossy(&output.stderr);
        let command = format!("{} {}", program.display(), arguments.join(" "));
        Err(Error::Server(format!("`{command}` failed ({}): {told}", output.status)))
    }

    pub(crate) fn executable(&self) -> Result<PathBuf, Error> {
        self.orderboard.clone().ok_or_else(no_executable)
    }
}

struct Own {
    child: Child,
    dir: PathBuf,
}

impl Own {
    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn has_ended_within(&mut self, limit: Duration) -> bool {
        let give_up = Instant::now() + limit;
        while Instant::now() < give_up {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let pid = rustix::process::Pid::from_child(&self.child);
            // It can only fail because the process has just ended.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if !self.has_ended_within(ENDED_WITHIN) {
            eprintln!("server: still running {ENDED_WITHIN:?} after SIGTERM, killed");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            eprintln!("server: {} is left behind: {error}", self.dir.display());
        }
    }
}

/// What `common` names, or what lies beside this executable.
pub(crate) fn executable(common: &Common) -> Result<PathBuf, Error> {
    common.orderboard.clone().or_else(beside_this_executable).ok_or_else(no_executable)
}

fn no_executable() -> Error {
    Error::Usage("no `orderboard` beside this executable: give --orderboard PATH".into())
}

fn beside_this_executable() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let beside = own.parent().map(|dir| dir.join("orderboard"))?;
    Path::is_file(&beside).then_some(beside)
}

fn authority(url: &str) -> Result<Arc<str>, Error> {
    let bad = || Error::Usage(format!("--url {url}: expected http://HOST:PORT"));
    let rest = url.strip_prefix("http://").ok_or_else(bad)?.trim_end_matches('/');
    let port = rest.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) if !rest.contains('/') => Ok(rest.into()),
        None if !rest.is_empty() && !rest.contains('/') => Ok(format!("{rest}:80").into()),
        _ => Err(bad()),
    }
}

fn sum_of(name: &str, metrics: &str) -> Option<f64> {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with([' ', '{']) {
            return None;
        }
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_host_and_port() {
        let parsed = |url| authority(url).ok().map(|a| a.to_string());
        assert_eq!(parsed("http://127.0.0.1:8080/").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(parsed("http://board.test").as_deref(), Some("board.test:80"));
        for bad in ["127.0.0.1:8080", "https://a:1", "http://a:1/b", "http://a:x", "http://"] {
            assert!(authority(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_over_its_namesakes() {
        let text = "# TYPE n counter\nn{node=\"a\"} 2\nn{node=\"b\"} 3\nn_max 50\n";
        assert_eq!(sum_of("n", text), Some(5.0));
        assert_eq!(sum_of("absent", text), None);
    }
}
