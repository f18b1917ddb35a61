//! The real binary as a process: told to stop under load, killed, started again, and started where it cannot start.

use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::books::assert_balance;
use crate::support::market::{Market, Tally, Trader};
use crate::support::node::{Node, people, processes_naming, run, tables};
use crate::support::{DEADLINE, OwnDirectory, OwnRedis, TestApp, Watcher, tell_redis, until, until_within};

/// A market at a node that runs over a data directory of its own.
async fn market_at(node: &Node, data: &OwnDirectory, traders: u32) -> Market {
    let (customers, executors) =
        (people(data, "customer", traders, Some(1_000_000_000)).await, people(data, "executor", traders, None).await);
    let traders = customers.into_iter().zip(executors);
    Market::open(traders.map(|(customer, executor)| Trader { address: node.address, customer, executor, pause: Duration::ZERO }).collect())
}

/// Every accept that was answered 200 is in the tables, and none that was never answered.
async fn assert_answers_are_true(sql: &sqlx::MySqlPool, tally: &Tally) {
    let taken: Vec<u64> = sqlx::query_scalar("select id from orders where executor_id is not null").fetch_all(sql).await.unwrap();
    let lost: Vec<_> = tally.taken.iter().filter(|id| !taken.contains(id)).collect();
    assert!(lost.is_empty(), "answered, and not in the tables: {lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_tells_the_clients_answers_what_is_in_hand_and_ends() {
    let data = OwnDirectory::new("sigterm");
    let mut node = Node::start(&[("ORDERBOARD_DATA", data.path()), ("ORDERBOARD_DRAIN_MS", "700")]).await;
    let mut guest = Watcher::connect(node.address, None).await;
    guest.watch("all").await;
    let market = market_at(&node, &data, 6).await;
    guest.until("a busy market", |state| state.board("all").diffs > 50).await;
    let before = tables(&data);
    node.signal(Signal::TERM);
    let told = Instant::now();
    guest.until_within("the drain message", Duration::from_secs(1), |state| !state.drains.is_empty()).await;
    assert_eq!((&guest.state.drains[0]["after_ms"], &guest.state.drains[0]["spread_ms"]), (&json!(0), &json!(700)));
    until_within("a node that is not ready", Duration::from_millis(500), async || {
        node.call("GET", "/readyz", None, &Value::Null).await.status == 503
    })
    .await;
    assert_eq!(guest.closed_within(Duration::from_secs(3)).await, 1012);
    let status = node.ended_within(DEADLINE).await;
    println!("ended {:?} after SIGTERM", told.elapsed());
    assert_eq!(status.code(), Some(0), "{}", node.log());
    until("nothing is left behind", async || processes_naming(data.path()).is_empty()).await;
    let tally = market.close().await;
    assert!(!node.log().contains("panicked") && !node.log().contains("ERROR"), "{}", node.log());
    before.close().await;

    // Every call that was sent was answered, and what was answered is there.
    let again = Node::start(&[("ORDERBOARD_DATA", data.path())]).await;
    let sql = tables(&data);
    assert_answers_are_true(&sql, &tally).await;
    assert_eq!(tally.unanswered, [0; 0], "sent, and never answered");
    println!("{} accepts answered; {:?}", tally.taken.len(), tally.answers);
    assert!(tally.taken.len() > 20);
    drop(again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_the_same_data_starts_again_with_every_order_and_kopeck() {
    let data = OwnDirectory::new("kill9");
    let settings = [("ORDERBOARD_DATA", data.path())];
    let node = Node::start(&settings).await;
    let customer = people(&data, "customer", 1, Some(50_000)).await.remove(0);
    let order = node.call("POST", "/api/orders", Some(&customer.token), &json!({"title": "Survives", "price": 7_000})).await.expect(201);
    let market = market_at(&node, &data, 4).await;
    let mut guest = Watcher::connect(node.address, None).await;
    guest.watch("all").await;
    guest.until("a busy market", |state| state.board("all").diffs > 50).await;
    node.kill().await;
    let tally = market.close().await;

    let started = Instant::now();
    let node = Node::start(&settings).await;
    println!("up again {:?} after kill -9", started.elapsed());
    let found = node.call("GET", &format!("/api/orders/{}", order["id"]), Some(&customer.token), &Value::Null).await.expect(200);
    assert_eq!((&found["title"], &found["status"], &found["price"]), (&json!("Survives"), &json!("open"), &json!(7_000)));
    let me = node.call("GET", "/api/me", Some(&customer.token), &Value::Null).await.expect(200);
    let wallet = me["accounts"].as_array().unwrap().iter().find(|account| account["account"] == "wallet").unwrap().clone();
    assert_eq!((&wallet["available"], &wallet["held"]), (&json!(43_000), &json!(7_000)));
    let sql = tables(&data);
    assert_answers_are_true(&sql, &tally).await;
    assert_balance(&sql).await;
    let mut guest = Watcher::connect(node.address, None).await;
    guest.watch("all").await;
    guest.until_true(&sql, "all", Instant::now() + Duration::from_secs(2)).await;
    drop(node);
    until("the servers follow their node", async || processes_naming(data.path()).is_empty()).await;
}

/// One clear line for a person, and an exit code for a script.
fn assert_says_why(what: &str, output: &Output, words: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{what}: {}", told.trim());
    assert!(output.status.code().is_some_and(|code| code != 0), "{what}: {:?}", output.status);
    assert!(output.stdout.is_empty(), "{what}");
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("orderboard:")).collect();
    assert_eq!(lines.len(), 1, "{what}: {told}");
    for word in words {
        assert!(lines[0].to_lowercase().contains(&word.to_lowercase()), "{what}: `{word}` is not in: {}", lines[0]);
    }
    for dump in ["panicked", "RUST_BACKTRACE", "Os {", "Error(", "Error {", "Some(", "Err(", "secret"] {
        assert!(!told.contains(dump), "{what}: {told}");
    }
}

#[tokio::test]
async fn a_node_that_cannot_start_says_why_in_one_line() {
    let shared = TestApp::start().await;
    let (database, redis) = (shared.config.database_url.clone(), shared.config.redis_url.clone());
    let free = ("ORDERBOARD_LISTEN", "127.0.0.1:0");
    let serve = async |settings: &[(&str, &str)]| run(&["serve"], settings).await;

    let taken = shared.address.to_string();
    let output = serve(&[("DATABASE_URL", &database), ("REDIS_URL", &redis), ("ORDERBOARD_LISTEN", &taken)]).await;
    assert_says_why("the port is taken", &output, &[&taken, "in use"]);

    let output = serve(&[("DATABASE_URL", "mysql://root:secret@127.0.0.1:1/orderboard"), ("REDIS_URL", &redis), free]).await;
    assert_says_why("no database there", &output, &["database", "refused"]);

    let stranger = database.replace("mysql://root@", "mysql://nobody:secret@");
    let output = serve(&[("DATABASE_URL", &stranger), ("REDIS_URL", &redis), free]).await;
    assert_says_why("a wrong password", &output, &["database", "denied", "nobody"]);

    let missing = database.replace("/it_", "/missing_");
    let output = serve(&[("DATABASE_URL", &missing), ("REDIS_URL", &redis), free]).await;
    assert_says_why("no such database", &output, &["database", "missing_"]);

    for url in ["nonsense", "postgres://root@localhost/orderboard", "mysql://root@localhost"] {
        let output = serve(&[("DATABASE_URL", url), ("REDIS_URL", &redis), free]).await;
        assert_says_why("a url of no database", &output, &["DATABASE_URL"]);
    }

    let output = serve(&[("DATABASE_URL", &database), ("REDIS_URL", "redis://:secret@127.0.0.1:1"), free]).await;
    assert_says_why("no Redis there", &output, &["redis", "127.0.0.1:1", "refused"]);

    let own = OwnRedis::start().await;
    tell_redis(own.url(), "CONFIG SET requirepass right").await;
    let wrong = own.url().replace("redis+unix://", "redis+unix://:secret@localhost");
    let output = serve(&[("DATABASE_URL", &database), ("REDIS_URL", &wrong), free]).await;
    assert_says_why("a wrong password for Redis", &output, &["redis", "password"]);

    // Even root cannot make a directory there.
    for data in ["/proc/orderboard-data", "/dev/null/data"] {
        let output = serve(&[("ORDERBOARD_DATA", data), free]).await;
        assert_says_why("a data directory that cannot be written", &output, &[data]);
    }
}

#[tokio::test]
async fn a_second_node_on_the_same_data_directory_names_the_first() {
    let data = OwnDirectory::new("twice");
    let first = Node::start(&[("ORDERBOARD_DATA", data.path())]).await;
    let output = run(&["serve"], &[("ORDERBOARD_DATA", data.path()), ("ORDERBOARD_LISTEN", "127.0.0.1:0")]).await;
    assert_says_why("the data directory is in use", &output, &[data.path(), "another orderboard", "pid"]);
    first.call("GET", "/readyz", None, &Value::Null).await.expect(200);
}
