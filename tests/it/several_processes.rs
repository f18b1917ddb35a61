//! Several processes on one port: the kernel spreads the connections, and the others serve on when one goes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::node::{Node, free_address, run, surroundings};
use crate::support::{Connection, DEADLINE, Request, TestApp, Watcher, until};

const SOCKETS: usize = 60;

/// Three processes that share one port.
async fn three(app: &TestApp) -> Vec<Node> {
    let settings = [("ORDERBOARD_REUSE_PORT", "true"), ("ORDERBOARD_DRAIN_MS", "300")];
    let mut nodes = vec![Node::beside(app, &settings).await];
    let address = nodes[0].address.to_string();
    for _ in 0..2 {
        nodes.push(Node::beside(app, &[settings[0], settings[1], ("ORDERBOARD_LISTEN", &address)]).await);
    }
    nodes
}

async fn sockets(address: SocketAddr) -> Vec<Watcher> {
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(Watcher::connect(address, None).await);
    }
    sockets
}

fn node_of(socket: &Watcher) -> String {
    socket.state.hello["node"].as_str().unwrap().to_owned()
}

fn by_node(sockets: &[Watcher]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for socket in sockets {
        *counts.entry(node_of(socket)).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_a_port_and_serve_on_when_one_is_killed() {
    let app = TestApp::start().await;
    let mut nodes = three(&app).await;
    let address = nodes[0].address;
    let mut before = sockets(address).await;
    println!("{:?}", by_node(&before));
    assert_eq!(by_node(&before).len(), 3, "each has its share");

    // Without the flag the port is taken, as ever.
    let mut settings = surroundings(&app);
    settings.push(("ORDERBOARD_LISTEN", address.to_string()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = run(&["serve"], &settings).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("in use"), "{told}");

    nodes.remove(0).kill().await;
    let mut left = BTreeMap::new();
    for socket in &mut before {
        socket.listen_for(Duration::from_millis(1)).await;
        *left.entry(socket.state.closed.is_some()).or_insert(0) += 1;
    }
    assert!(left[&false] > 0 && left[&true] > 0, "only the dead one's sockets are gone: {left:?}");
    let after = sockets(address).await;
    assert_eq!(by_node(&after).len(), 2);
    let one_of_each: BTreeMap<String, Watcher> = after.into_iter().map(|socket| (node_of(&socket), socket)).collect();
    let customer = app.customer(100_000).await;
    let order = app.order(&customer, 1_000).await;
    for (_, mut socket) in one_of_each {
        socket.watch("all").await;
        socket.until("news reaches every process", |state| state.board("all").has(order)).await;
        socket.until_proven("all").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_shares_its_port_is_replaced_without_a_proxy() {
    let app = TestApp::start().await;
    let mut nodes = three(&app).await;
    let address = nodes[0].address;
    let (closing, closed) = watch::channel(false);
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let closed = closed.clone();
        callers.spawn(async move {
            let mut answered = 0_u32;
            while !*closed.borrow() {
                // Every call on a connection of its own: each may meet the closing socket.
                let mut connection = Connection::open(address).await.expect("somebody listens");
                let answer = connection.call(&Request::new("GET", "/healthz")).await.expect("whoever is reached answers");
                assert_eq!(answer.status, 200);
                answered += 1;
            }
            answered
        });
    }
    for node in &mut nodes {
        let settings = [("ORDERBOARD_REUSE_PORT", "true"), ("ORDERBOARD_DRAIN_MS", "300"), ("ORDERBOARD_LISTEN", &address.to_string())];
        let new = Node::beside(&app, &settings).await;
        let mut old = std::mem::replace(node, new);
        old.signal(Signal::TERM);
        assert_eq!(old.ended_within(DEADLINE).await.code(), Some(0), "{}", old.log());
    }
    closing.send_replace(true);
    let mut answered = 0;
    while let Some(calls) = callers.join_next().await {
        answered += calls.expect("nobody was turned away");
    }
    println!("{answered} calls answered while three processes were replaced");
    nodes[0].call("GET", "/readyz", None, &Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_worker_without_the_web_tells_its_figures_where_it_is_told_to() {
    let app = TestApp::start().await;
    let address = free_address();
    let settings = [("ORDERBOARD_ROLES", "worker"), ("ORDERBOARD_METRICS_LISTEN", &address.to_string())];
    let mut node = Node::begin(&app, &settings);
    let ask = async |path: &str| {
        let mut connection = Connection::open(address).await.ok()?;
        connection.call(&Request::new("GET", path)).await.ok()
    };
    until("a worker that is ready", async || ask("/readyz").await.is_some_and(|answer| answer.status == 200)).await;
    assert!(ask("/metrics").await.unwrap().text().contains("orderboard_"));
    assert_eq!(ask("/api/board").await.unwrap().status, 404, "nothing else is served there");
    node.signal(Signal::TERM);
    assert_eq!(node.ended_within(DEADLINE).await.code(), Some(0), "{}", node.log());
}

#[tokio::test]
async fn more_sockets_than_descriptors_are_refused_at_start_in_one_line() {
    let app = TestApp::start().await;
    let mut settings = surroundings(&app);
    settings.extend([("ORDERBOARD_LISTEN", "127.0.0.1:0".to_owned()), ("ORDERBOARD_SOCKETS_MAX", "1000000000".to_owned())]);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = run(&["serve"], &settings).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("orderboard:")).collect();
    assert!(!refused.status.success() && lines.len() == 1, "{told}");
    for word in ["ORDERBOARD_SOCKETS_MAX", "descriptors", "--reuse-port"] {
        assert!(lines[0].contains(word), "{told}");
    }
}
