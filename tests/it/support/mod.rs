//! The kit of every test: [`TestApp`] is one node of ours on a port of its own, with a database and a Redis prefix that
//! no other test sees. It runs on a runtime of its own, so a test can end it gently (`stop`), kill it as `kill -9` would
//! (`kill`), or simply drop it.

pub(crate) mod bazaar;
pub(crate) mod books;
mod client;
mod contract;
mod dice;
pub(crate) mod market;
pub(crate) mod node;
pub(crate) mod pair;
mod people;
pub(crate) mod post_office;
pub(crate) mod raw;
pub(crate) mod redises;
mod scene;
mod services;
pub(crate) mod stream;
pub(crate) mod telegram;
pub(crate) mod truth;
mod watcher;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orderboard::app::{App, AppConfig, Farewell};
use orderboard::config::{Gateway, LimitArgs, Limits, MailArgs, PayoutArgs, TelegramArgs};
use orderboard::http::{Mode, Port};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use tokio::runtime::Runtime;
use tokio::time::Instant;

pub(crate) use self::client::{Answer, Connection, Request};
pub(crate) use self::dice::Dice;
pub(crate) use self::people::User;
pub(crate) use self::scene::Scene;
use self::services::{Database, Services};
pub(crate) use self::services::{OwnDirectory, OwnMariaDb, OwnRedis, random_name, tell_redis};
pub(crate) use self::watcher::{State, Watcher};

/// No test waits longer for anything that has no tighter bound of its own.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// One node, and a client of it.
pub(crate) struct TestApp {
    /// The test's own view of the tables.
    pub(crate) sql: MySqlPool,
    pub(crate) config: AppConfig,
    pub(crate) address: SocketAddr,
    app: Option<App>,
    runtime: Option<Runtime>,
    idle: Mutex<Vec<Connection>>,
    database: Option<Arc<Database>>,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A node on a fresh database, with what the test wants different: limits, another Redis, another database.
    pub(crate) async fn start_with(change: impl FnOnce(&mut AppConfig)) -> Self {
        let services = Services::shared();
        let database = services.database().await;
        let mut config = AppConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            port: Port::Own,
            metrics_listen: None,
            mode: Mode::Development,
            database_url: database.url.clone(),
            redis_url: services.redis_url.clone(),
            redis_prefix: format!("it-{}", random_name()),
            billing_streams: format!("it-{}:billing", random_name()),
            origins: Vec::new(),
            is_web: true,
            is_worker: true,
            is_demo: false,
            limits: Limits {
                database_connections: 8,
                take_connections: 8,
                take_batch: 64,
                sockets_max: 3_000,
                auto_confirm_s: 3_600,
                archive_after_days: 0,
                counter_min_percent: 50,
                counter_max_percent: 200,
                billing_workers: 0,
                billing_batch: 64,
                billing_claim_ms: 2_000,
                billing_resend_ms: 2_000,
                session_s: 3_600,
                drain_ms: 0,
            },
            callers: LimitArgs::off(),
            payouts: PayoutArgs { payout_min: 100, payout_methods: vec!["card".to_owned(), "sbp".to_owned()] },
            gateway: Gateway::default(),
            mail: MailArgs::default(),
            telegram: TelegramArgs::default(),
        };
        change(&mut config);
        Self::run_node(config, Some(Arc::new(database))).await
    }

    /// Another node on the same database, Redis and prefix.
    pub(crate) async fn beside(&self) -> Self {
        Self::run_node(self.config.clone(), self.database.clone()).await
    }

    /// The same, and what the test wants different.
    pub(crate) async fn beside_with(&self, change: impl FnOnce(&mut AppConfig)) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        Self::run_node(config, self.database.clone()).await
    }

    async fn run_node(config: AppConfig, database: Option<Arc<Database>>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("node").enable_all().build().unwrap();
        let app = runtime.spawn(App::start(config.clone())).await.unwrap().unwrap();
        let sql = MySqlPoolOptions::new().max_connections(4).connect_lazy(&config.database_url).unwrap();
        let address = app.address().unwrap_or(config.listen);
        let node = Self { sql, config, address, app: Some(app), runtime: Some(runtime), idle: Mutex::default(), database };
        if node.config.is_web {
            until("the node is ready", async || node.call("GET", "/readyz", None, &Value::Null).await.status == 200).await;
        }
        node
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().unwrap()
    }

    /// Runs work with the node's own parts (`app().flow`, …) on the node's runtime, where their connections live.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.as_ref().unwrap().spawn(work).await.unwrap()
    }

    /// Ends the node as SIGTERM does.
    pub(crate) async fn stop(mut self) {
        let app = self.app.take().unwrap();
        self.run(app.stop(Farewell { notice: Duration::ZERO, spread: Duration::ZERO })).await;
    }

    /// Ends the node as `kill -9` does: whatever it was doing stays as it is.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// `call(method, path, token, json)`; `Value::Null` is no body. On a connection that is kept for later calls.
    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.send(&Request::new(method, path).bearer(token).json(body)).await
    }

    pub(crate) async fn get(&self, path: &str, user: &User) -> Answer {
        self.call("GET", path, Some(&user.token), &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, user: &User, body: &Value) -> Answer {
        self.call("POST", path, Some(&user.token), body).await
    }

    /// Any request. Panics when there is no answer within the deadline.
    pub(crate) async fn send(&self, request: &Request) -> Answer {
        let answer = tokio::time::timeout(DEADLINE, async {
            let idle = self.idle.lock().unwrap().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => Connection::open(self.address).await?,
            };
            let answer = connection.call(request).await?;
            if answer.header("connection") != Some("close") && answer.status != 101 {
                self.idle.lock().unwrap().push(connection);
            }
            Ok::<_, std::io::Error>(answer)
        });
        let answer = answer.await.expect("an answer in time").unwrap();
        let (verb, path) = request.line();
        contract::hold(verb, path, &answer);
        answer
    }

    /// Sends the request and hangs up at once.
    pub(crate) async fn send_and_hang_up(&self, request: &Request) {
        Connection::open(self.address).await.unwrap().send(request).await.unwrap();
    }

    /// An order with this price, and what the test wants different.
    pub(crate) async fn create_order(&self, customer: &User, price: i64, extra: &Value) -> Value {
        let mut draft = json!({"title": "Paint a fence", "description": "Green.", "price": price});
        draft.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        self.post("/api/orders", customer, &draft).await.expect(201)
    }

    /// The id of a plain order with this price.
    pub(crate) async fn order(&self, customer: &User, price: i64) -> u64 {
        self.create_order(customer, price, &Value::Null).await["id"].as_u64().unwrap()
    }

    /// `accept`, `submit`, … without a body.
    pub(crate) async fn act(&self, user: &User, order_id: u64, what: &str) -> Answer {
        self.post(&format!("/api/orders/{order_id}/{what}"), user, &Value::Null).await
    }

    pub(crate) async fn accept(&self, user: &User, order_id: u64) -> Answer {
        self.act(user, order_id, "accept").await
    }

    /// Takes the order as it was at this version.
    pub(crate) async fn accept_seen(&self, user: &User, order_id: u64, version: u64) -> Answer {
        self.post(&format!("/api/orders/{order_id}/accept"), user, &json!({"version": version})).await
    }

    /// (available, held) of one of the user's accounts.
    pub(crate) async fn balance(&self, user: &User, account: &str) -> (i64, i64) {
        let me = self.get("/api/me", user).await.expect(200);
        let accounts = me["accounts"].as_array().unwrap();
        let found = accounts.iter().find(|found| found["account"] == account && found["currency"] == "RUB").unwrap();
        (found["available"].as_i64().unwrap(), found["held"].as_i64().unwrap())
    }

    /// A websocket client of this node, greeted; as a guest without a token.
    pub(crate) async fn watcher(&self, token: Option<&str>) -> Watcher {
        Watcher::connect(self.address, token).await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // Waiting is not allowed in a test's own runtime, and nothing is owed to a node that is thrown away.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Asks again and again until it is so; panics at [`DEADLINE`].
pub(crate) async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    until_within(what, DEADLINE, condition).await;
}

/// Asks again and again until it is so; panics after `limit`.
pub(crate) async fn until_within(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
