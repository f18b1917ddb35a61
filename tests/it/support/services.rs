//! The servers that all tests of this process share, and private ones for tests that break them.
//!
//! The shared pair lives under cargo's directory for tests and is used again by the next run, so that nothing is left
//! behind in /tmp and no time is spent on making system tables. A second test process at the same time takes the next
//! directory. The servers run on a thread of their own, because each test has its own runtime, and die with the process.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock, mpsc};

use orderboard::embedded::{Embedded, MariaDb, Redis};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// Where the shared pair answers, and who drops the databases of finished tests.
pub(crate) struct Services {
    pub(crate) database_url: String,
    pub(crate) redis_url: String,
    finished: mpsc::Sender<String>,
}

/// A test's database, dropped when its last node is gone.
pub(crate) struct Database {
    name: String,
    pub(crate) url: String,
}

impl Services {
    /// Started by whoever comes first.
    pub(crate) fn shared() -> &'static Services {
        static SHARED: LazyLock<Services> = LazyLock::new(start);
        &SHARED
    }

    pub(crate) async fn database(&self) -> Database {
        let name = format!("it_{}", random_name());
        let mut root = connect(&self.database_url).await;
        root.execute(sqlx::AssertSqlSafe(format!("create database {name} character set utf8mb4"))).await.unwrap();
        root.close().await.unwrap();
        Database { url: named(&self.database_url, &name), name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The process may be ending; the next one drops what is left.
        let _ = Services::shared().finished.send(std::mem::take(&mut self.name));
    }
}

fn start() -> Services {
    raise_descriptor_limit();
    if std::env::var_os("RUST_LOG").is_some() {
        orderboard::telemetry::log(orderboard::http::listener());
    }
    let (ready, started) = mpsc::channel();
    let (finished, to_drop) = mpsc::channel::<String>();
    std::thread::Builder::new()
        .name("services".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let pair = runtime.block_on(start_pair());
            ready.send((pair.database_url.clone(), pair.redis_url.clone())).unwrap();
            for name in to_drop {
                runtime.block_on(drop_database(&pair.database_url, &name));
            }
        })
        .unwrap();
    let (database_url, redis_url) = started.recv().expect("MariaDB and Redis start; see target/tmp/services-*/log");
    Services { database_url, redis_url, finished }
}

async fn start_pair() -> Embedded {
    let mut refused = String::new();
    for number in 0..16 {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("services-{number}"));
        match Embedded::start(&data).await {
            Ok(pair) => {
                tidy(&pair).await;
                return pair;
            }
            Err(error) => refused = format!("{refused}\n{error}"),
        }
    }
    panic!("no MariaDB and Redis for the tests:{refused}");
}

/// Drops what earlier runs left, and makes room for as many nodes as there are test threads.
async fn tidy(pair: &Embedded) {
    let mut root = connect(&pair.database_url).await;
    root.execute("set global max_connections = 4000").await.unwrap();
    let left: Vec<String> = sqlx::query_scalar(r"select schema_name from information_schema.schemata where schema_name like 'it\_%'")
        .fetch_all(&mut root)
        .await
        .unwrap();
    for name in left {
        drop_database(&pair.database_url, &name).await;
    }
    tell_redis(&pair.redis_url, "FLUSHALL").await;
}

async fn drop_database(url: &str, name: &str) {
    let Ok(mut root) = options(url).connect().await else { return };
    // A node that has not quite ended may hold its tables; then the next run drops them.
    let _ = root.execute("set session lock_wait_timeout = 5").await;
    let _ = root.execute(sqlx::AssertSqlSafe(format!("drop database if exists {name}"))).await;
}

fn options(url: &str) -> sqlx::mysql::MySqlConnectOptions {
    url.parse::<sqlx::mysql::MySqlConnectOptions>().unwrap().disable_statement_logging()
}

async fn connect(url: &str) -> sqlx::MySqlConnection {
    options(url).connect().await.unwrap()
}

/// The same server with another database.
fn named(url: &str, name: &str) -> String {
    let (server, socket) = url.split_once("/orderboard?").unwrap();
    format!("{server}/{name}?{socket}")
}

/// Sends one command the way `telnet` would and returns the first line of the answer.
pub(crate) async fn tell_redis(url: &str, command: &str) -> String {
    let path = url.strip_prefix("redis+unix://").unwrap();
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    assert!(!line.starts_with('-'), "{command}: {line}");
    line.trim_end().to_owned()
}

pub(crate) fn random_name() -> String {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).unwrap();
    format!("{:016x}", u64::from_le_bytes(bytes))
}

/// A thousand clients and their servers are in one process.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

/// A data directory that goes with the test.
pub(crate) struct OwnDirectory(pub(crate) PathBuf);

impl OwnDirectory {
    pub(crate) fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orderboard-{what}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A Redis of the test's own, to be killed, flushed and started again at the same url.
pub(crate) struct OwnRedis {
    server: Option<Redis>,
    url: OnceLock<String>,
    directory: OwnDirectory,
}

impl OwnRedis {
    pub(crate) async fn start() -> Self {
        let mut redis = Self { server: None, url: OnceLock::new(), directory: OwnDirectory::new("redis") };
        redis.start_again().await;
        redis
    }

    pub(crate) fn url(&self) -> &str {
        self.url.get().unwrap()
    }

    pub(crate) async fn kill(&mut self) {
        self.server.take().unwrap().kill().await;
    }

    pub(crate) async fn start_again(&mut self) {
        let server = Redis::start(&self.directory.0).await.unwrap();
        self.url.get_or_init(|| server.url().to_owned());
        self.server = Some(server);
    }
}

/// A MariaDB of the test's own, with the empty database `orderboard`, to be killed and started again at the same url.
pub(crate) struct OwnMariaDb {
    server: Option<MariaDb>,
    url: OnceLock<String>,
    directory: OwnDirectory,
}

impl OwnMariaDb {
    pub(crate) async fn start() -> Self {
        let mut mariadb = Self { server: None, url: OnceLock::new(), directory: OwnDirectory::new("mariadb") };
        mariadb.start_again().await;
        mariadb
    }

    pub(crate) fn url(&self) -> &str {
        self.url.get().unwrap()
    }

    pub(crate) async fn kill(&mut self) {
        self.server.take().unwrap().kill().await;
    }

    pub(crate) async fn start_again(&mut self) {
        let server = MariaDb::start(&self.directory.0).await.unwrap();
        self.url.get_or_init(|| server.url().to_owned());
        self.server = Some(server);
    }
}
