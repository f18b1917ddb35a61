//! Putting a new version in place while everybody goes on: what a node that leaves owes to those who are on it, and a
//! restart of two nodes, one after the other, behind a proxy.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::books::assert_balance;
use crate::support::market::Market;
use crate::support::node::{Node, free_address};
use crate::support::truth::insert_orders;
use crate::support::{Connection, DEADLINE, Dice, OwnDirectory, Request, TestApp, User, Watcher, until};

/// What the node says when it has closed its port.
const CLOSED: &str = "not listening any more";

/// How a client uses its connections.
#[derive(Clone, Copy)]
enum Habit {
    /// One connection, a call after the other.
    KeepsAlive,
    /// One connection, with pauses of up to so many milliseconds.
    Thinks(usize),
    /// A connection for each call.
    Reconnects,
}

/// What a client saw of a node that left.
#[derive(Default)]
struct Account {
    answered: u32,
    /// Orders that were answered 200.
    won: Vec<u64>,
    /// Answers that ended their connection.
    farewells: u32,
    /// Calls that were put on a living connection and not answered, and how the connection ended.
    lost: Vec<String>,
}

/// Takes one order after the other until the node cannot be reached any more.
async fn take(address: SocketAddr, taker: User, orders: Arc<Vec<u64>>, habit: Habit, mut dice: Dice) -> Account {
    let mut account = Account::default();
    let mut connection = None;
    loop {
        if let Habit::Thinks(pause_ms) = habit {
            tokio::time::sleep(Duration::from_millis(dice.below(pause_ms) as u64)).await;
        }
        let is_fresh = connection.is_none();
        let mut open = match connection.take() {
            Some(open) => open,
            None => match Connection::open(address).await {
                Ok(open) => open,
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
                    return account;
                }
            },
        };
        let order = *dice.pick(&orders);
        let request = Request::new("POST", &format!("/api/orders/{order}/accept")).bearer(Some(&taker.token));
        match tokio::time::timeout(DEADLINE, open.call(&request)).await.expect("an answer in time") {
            Ok(answer) => {
                assert!([200, 409].contains(&answer.status), "{} {}", answer.status, answer.text());
                account.answered += 1;
                if answer.status == 200 {
                    account.won.push(order);
                }
                match answer.header("connection") {
                    Some("close") => account.farewells += 1,
                    _ if matches!(habit, Habit::Reconnects) => {}
                    _ => connection = Some(open),
                }
            }
            Err(error) => account.lost.push(format!("order {order}, {} connection: {error}", if is_fresh { "fresh" } else { "kept" })),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_answers_every_request_that_reached_it() {
    let app = TestApp::start().await;
    let customer = app.customer(1_000).await;
    let orders = Arc::new(insert_orders(&app.sql, customer.id, 2_000).await);
    let mut node = Node::beside(&app, &[("ORDERBOARD_DRAIN_MS", "1200"), ("ORDERBOARD_NOTICE_MS", "300")]).await;
    let habits = [Habit::KeepsAlive, Habit::Reconnects, Habit::Thinks(40), Habit::KeepsAlive, Habit::Reconnects, Habit::Thinks(400)];
    let takers = app.executors(24).await;
    let mut clients = JoinSet::new();
    for (number, taker) in takers.into_iter().enumerate() {
        let dice = Dice::new(number as u64 + 1);
        clients.spawn(take(node.address, taker, orders.clone(), habits[number % habits.len()], dice));
    }
    // One that has asked once and stays silent.
    let mut silent = Connection::open(node.address).await.unwrap();
    silent.call(&Request::new("GET", "/healthz")).await.unwrap();
    // The market is in full swing when a tenth of the orders are gone.
    until("takers at work", async || taken(&app).await.len() > 200).await;
    node.signal(Signal::TERM);
    let told = Instant::now();
    until("a node that is not ready", async || node.call("GET", "/readyz", None, &Value::Null).await.status == 503).await;
    let mut all = Account::default();
    while let Some(account) = clients.join_next().await {
        let account = account.unwrap();
        all.answered += account.answered;
        all.farewells += account.farewells;
        all.won.extend(account.won);
        all.lost.extend(account.lost);
    }
    assert!(node.log().contains(CLOSED), "refused before it was gone: {}", node.log());
    assert!(told.elapsed() >= Duration::from_millis(1_500), "it was reachable for its notice and its drain");
    // A connection that is ended here ends cleanly: no bytes, no reset.
    assert_eq!(silent.until_closed().await.unwrap(), 0);
    let status = node.ended_within(DEADLINE).await;
    println!(
        "{} answered, {} of them the last of their connection, {} won; ended {:?} after SIGTERM",
        all.answered,
        all.farewells,
        all.won.len(),
        told.elapsed()
    );
    assert_eq!(status.code(), Some(0), "{}", node.log());
    assert!(!node.log().contains("did not end in time"), "{}", node.log());
    assert_eq!(all.lost, Vec::<String>::new());
    assert!(all.farewells >= 24);
    // Nothing was taken by a call that was not answered.
    let (mut won, mut taken) = (all.won, taken(&app).await);
    won.sort_unstable();
    won.dedup();
    taken.sort_unstable();
    assert_eq!(won, taken);
}

async fn taken(app: &TestApp) -> Vec<u64> {
    sqlx::query_scalar("select id from orders where executor_id is not null").fetch_all(&app.sql).await.unwrap()
}

#[tokio::test]
async fn a_second_signal_ends_a_node_that_is_still_draining() {
    let app = TestApp::start().await;
    let mut node = Node::beside(&app, &[("ORDERBOARD_DRAIN_MS", "60000"), ("ORDERBOARD_NOTICE_MS", "60000")]).await;
    let mut guest = Watcher::connect(node.address, None).await;
    guest.watch("all").await;
    node.signal(Signal::TERM);
    // A node that has just started may say 503 for other reasons, and a signal that is not obeyed yet swallows the next.
    until("a node that says it stops", async || {
        node.call("GET", "/readyz", None, &Value::Null).await.json()["detail"] == "this node is stopping"
    })
    .await;
    assert!(Watcher::connect(node.address, None).await.state.closed.is_none(), "everything is served while balancers look away");
    node.signal(Signal::TERM);
    assert_eq!(node.ended_within(DEADLINE).await.code(), Some(0));
}

/// A proxy over two nodes, as a child process with a configuration of its own.
struct Proxy {
    address: SocketAddr,
    _child: Child,
    _directory: OwnDirectory,
}

impl Proxy {
    async fn start(program: &str, configuration: impl FnOnce(&str, SocketAddr) -> String, arguments: &[&str]) -> Self {
        let (directory, address) = (OwnDirectory::new("proxy"), free_address());
        let path = directory.0.join("proxy.conf");
        std::fs::write(&path, configuration(directory.path(), address)).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).arg(&path).current_dir(&directory.0);
        // Debian keeps servers where only root's PATH looks.
        command.env("PATH", format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap()));
        let log = std::fs::File::create(directory.0.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; `make prepare-test` installs it"));
        let proxy = Self { address, _child: child, _directory: directory };
        until("the proxy serves", async || match Connection::open(address).await {
            Ok(mut open) => open.call(&Request::new("GET", "/readyz")).await.is_ok_and(|answer| answer.status == 200),
            Err(_) => false,
        })
        .await;
        proxy
    }

    async fn haproxy(nodes: [SocketAddr; 2]) -> Self {
        let configuration = |_: &str, address| {
            format!(
                "defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  timeout tunnel 1h\n  \
                 timeout check 2s\n  retries 3\n  option redispatch 1\n  retry-on conn-failure\n\
                 frontend board\n  bind {address}\n  default_backend nodes\n\
                 backend nodes\n  balance leastconn\n  option httpchk GET /readyz\n  http-check expect status 200\n  \
                 default-server check inter 300ms fall 2 rise 2\n  server a {}\n  server b {}\n",
                nodes[0], nodes[1]
            )
        };
        Self::start("haproxy", configuration, &["-db", "-f"]).await
    }

    async fn nginx(nodes: [SocketAddr; 2]) -> Self {
        let configuration = |directory: &str, address| {
            format!(
                "daemon off;\nmaster_process off;\npid {directory}/pid;\nerror_log {directory}/error.log;\nevents {{ worker_connections 2000; }}\n\
                 http {{\n  access_log off;\n  client_body_temp_path {directory}/body;\n  proxy_temp_path {directory}/proxy;\n  \
                 fastcgi_temp_path {directory}/fastcgi;\n  uwsgi_temp_path {directory}/uwsgi;\n  scgi_temp_path {directory}/scgi;\n  \
                 map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n  \
                 upstream nodes {{\n    least_conn;\n    server {} max_fails=1 fail_timeout=2s;\n    server {} max_fails=1 fail_timeout=2s;\n    keepalive 32;\n  }}\n  \
                 server {{\n    listen {address};\n    location / {{\n      proxy_pass http://nodes;\n      proxy_http_version 1.1;\n      \
                 proxy_set_header Host $http_host;\n      proxy_set_header Upgrade $http_upgrade;\n      \
                 proxy_set_header Connection $connection_upgrade;\n      proxy_connect_timeout 2s;\n      proxy_read_timeout 1h;\n      \
                 proxy_next_upstream error timeout http_503;\n    }}\n  }}\n}}\n",
                nodes[0], nodes[1]
            )
        };
        Self::start("nginx", configuration, &["-e", "stderr", "-c"]).await
    }
}

/// Holds an exact copy of the board over whatever happens to its connection.
struct Follower {
    watcher: Watcher,
    /// Connections after the first.
    returns: u32,
    /// Attempts that were refused.
    refused: Vec<String>,
    /// Connections that ended without a word before.
    broken: u32,
}

async fn follow(proxy: SocketAddr, user: User, mut dice: Dice, closing: watch::Receiver<bool>) -> Follower {
    let mut watcher = Watcher::connect(proxy, Some(&user.token)).await;
    watcher.watch("all").await;
    let mut follower = Follower { watcher, returns: 0, refused: Vec::new(), broken: 0 };
    let mut leave_at: Option<Instant> = None;
    loop {
        follower.watcher.listen_for(Duration::from_millis(20)).await;
        let state = &follower.watcher.state;
        if *closing.borrow() && state.closed.is_none() {
            return follower;
        }
        if let (None, Some(drain)) = (leave_at, state.drains.first()) {
            let ms = |name: &str| drain[name].as_u64().unwrap();
            let spread = dice.below(usize::try_from(ms("spread_ms")).unwrap().max(1)) as u64;
            leave_at = Some(Instant::now() + Duration::from_millis(ms("after_ms") + spread));
        }
        if state.closed.is_some() && leave_at.is_none() {
            follower.broken += 1;
            println!("closed without a drain: {:?}", state.closed);
        }
        if state.closed.is_some() || leave_at.is_some_and(|at| at <= Instant::now()) {
            match follower.watcher.come_back(proxy, Some(&user.token)).await {
                Ok(()) => {
                    follower.returns += 1;
                    leave_at = None;
                }
                Err(error) => follower.refused.push(error.to_string()),
            }
        }
    }
}

/// Restarts two nodes behind a proxy, one after the other, while customers and executors trade through it.
async fn restart_behind(proxy: impl AsyncFnOnce([SocketAddr; 2]) -> Proxy) {
    let app = TestApp::start().await;
    let settings = [("ORDERBOARD_DRAIN_MS", "1000"), ("ORDERBOARD_NOTICE_MS", "1500")];
    let mut nodes = [Node::beside(&app, &settings).await, Node::beside(&app, &settings).await];
    let proxy = proxy([nodes[0].address, nodes[1].address]).await;
    let mut traders = Vec::new();
    for _ in 0..6 {
        let (customer, executor) = (app.customer(1_000_000_000).await, app.executor().await);
        traders.push(crate::support::market::Trader { address: proxy.address, customer, executor, pause: Duration::ZERO });
    }
    let (closing, closed) = watch::channel(false);
    let mut followers = JoinSet::new();
    for (number, user) in app.executors(8).await.into_iter().enumerate() {
        followers.spawn(follow(proxy.address, user, Dice::new(number as u64 + 100), closed.clone()));
    }
    let market = Market::open(traders);
    for node in &mut nodes {
        let before = taken(&app).await.len();
        until("the market goes on", async || taken(&app).await.len() > before + 30).await;
        node.signal(Signal::TERM);
        let status = node.ended_within(DEADLINE).await;
        assert_eq!(status.code(), Some(0), "{}", node.log());
        assert!(!node.log().contains("ERROR") && !node.log().contains("did not end in time"), "{}", node.log());
        let address = node.address.to_string();
        *node = Node::beside(&app, &[settings[0], settings[1], ("ORDERBOARD_LISTEN", &address)]).await;
        // The proxy has to see it before the other one may go: somebody is answered by it.
        let name = Watcher::connect(node.address, None).await.state.hello["node"].clone();
        until("the proxy sends to the new node", async || Watcher::connect(proxy.address, None).await.state.hello["node"] == name).await;
    }
    let before = taken(&app).await.len();
    until("the market goes on", async || taken(&app).await.len() > before + 30).await;
    let tally = market.close().await;
    closing.send_replace(true);
    let (mut returns, mut resyncs, mut snapshots) = (0, 0, 0);
    while let Some(follower) = followers.join_next().await {
        let mut follower = follower.unwrap();
        assert_eq!((follower.broken, follower.refused.as_slice()), (0, &[] as &[String]));
        follower.watcher.until_true(&app.sql, "all", Instant::now() + Duration::from_secs(3)).await;
        let board = follower.watcher.state.board("all");
        returns += follower.returns;
        resyncs += board.resyncs;
        snapshots += board.snapshots;
    }
    println!(
        "{:?} answers, {} broken, {} accepts, slowest {:?}; followers came back {returns} times, {snapshots} snapshots, {resyncs} resyncs",
        tally.answers,
        tally.broken,
        tally.taken.len(),
        tally.slowest
    );
    assert_eq!((tally.broken, tally.unanswered.len()), (0, 0));
    assert!(tally.answers.keys().all(|status| [200, 201].contains(status)), "{:?}", tally.answers);
    assert!(returns >= 8, "each follower's node was restarted at least once");
    let (mut won, mut taken) = (tally.taken, taken(&app).await);
    won.sort_unstable();
    taken.sort_unstable();
    assert_eq!(won, taken, "every accept that was answered is there, and no other");
    assert_balance(&app.sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_are_restarted_behind_haproxy_and_nobody_notices() {
    restart_behind(Proxy::haproxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_are_restarted_behind_nginx_and_nobody_notices() {
    restart_behind(Proxy::nginx).await;
}
