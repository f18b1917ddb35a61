//! What sockets show: boards that every client can prove, one's own money and orders and nobody else's. How sockets meet
//! clients that misbehave is in `sockets`.

use std::collections::BTreeSet;
use std::time::Duration;

use orderboard::bus::BusConfig;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::node::{Node, people, tables};
use crate::support::raw::connect_narrow;
use crate::support::truth::{Press, insert_orders, truth};
use crate::support::{DEADLINE, Dice, OwnDirectory, Request, State, TestApp, User, Watcher};

/// What a board row may tell everybody.
const PUBLIC: [&str; 12] = [
    "id",
    "version",
    "title",
    "category",
    "price",
    "payout",
    "currency",
    "customer",
    "assignment",
    "applicants",
    "created_ms",
    "acceptance",
];

fn soon() -> Instant {
    Instant::now() + DEADLINE
}

#[tokio::test]
async fn hello_comes_first_and_then_the_users_own_balances() {
    let app = TestApp::start().await;
    let customer = app.customer(5_000).await;
    let mut watcher = app.watcher(Some(&customer.token)).await;
    watcher.until("both accounts", |state| state.balances.len() == 2).await;
    assert_eq!(watcher.state.frames, ["hello", "balance", "balance"]);
    assert_eq!(watcher.state.balance("wallet"), Some((5_000, 0)));
    assert_eq!(watcher.state.balance("earnings"), Some((0, 0)));
    let hello = &watcher.state.hello;
    assert_eq!((&hello["protocol"], &hello["heartbeat_ms"]), (&json!(1), &json!(4_000)));
    assert_eq!((&hello["user"]["id"], &hello["user"]["role"]), (&json!(customer.id), &json!("customer")));
    assert!(hello["user"]["name"].is_string() && hello["node"].is_string() && hello["server_ms"].is_i64());
    assert!((3_500..=3_600).contains(&hello["expires_in_s"].as_i64().unwrap()));

    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    assert_eq!(guest.state.frames, ["hello", "snapshot"], "a guest has no money to be told of");
    assert_eq!((&guest.state.hello["user"], &guest.state.hello["expires_in_s"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_guest_sees_orders_come_and_go_with_the_reason() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let before = app.order(&customer, 1_000).await;
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    guest.until("the order from before", |state| state.board("all").has(before)).await;

    let mut new = [0; 4];
    for id in &mut new {
        *id = app.order(&customer, 1_000).await;
    }
    let [taken, frozen, cancelled, done] = new;
    guest.until("the new orders", |state| new.iter().all(|id| state.board("all").has(*id))).await;
    let acts = [
        (&executor, taken, "accept"),
        (&customer, frozen, "freeze"),
        (&customer, cancelled, "cancel"),
        (&executor, done, "accept"),
        (&executor, done, "submit"),
        (&customer, done, "confirm"),
    ];
    for (who, id, act) in acts {
        app.act(who, id, act).await.expect(200);
    }
    for (id, why) in [(taken, "taken"), (frozen, "frozen"), (cancelled, "cancelled"), (done, "taken")] {
        guest.until("an order that leaves", |state| !state.board("all").has(id)).await;
        assert_eq!(guest.state.board("all").removed[&id], why);
    }
    app.act(&executor, taken, "abandon").await.expect(200);
    app.act(&customer, frozen, "unfreeze").await.expect(200);
    guest.until("both again", |state| state.board("all").has(taken) && state.board("all").has(frozen)).await;
    assert_eq!(guest.state.board("all").orders[&taken]["version"], 3);
    assert_eq!(guest.state.board("all").ids(), [frozen, taken, before]);
    guest.until_proven("all").await;
    let board = guest.state.board("all");
    assert_eq!((board.snapshots, board.resyncs), (1, 0), "everything came as linked diffs");
}

#[tokio::test]
async fn everybody_hears_of_their_own_orders_and_money_and_of_nobody_elses() {
    let app = TestApp::start().await;
    let [customer, stranger] = [app.customer(10_000).await, app.customer(10_000).await];
    let [executor, idler] = [app.executor().await, app.executor().await];
    let mut sockets = Vec::new();
    for who in [&customer, &executor, &stranger, &idler] {
        let mut socket = app.watcher(Some(&who.token)).await;
        socket.until("the balances", |state| state.balances.len() == 2).await;
        sockets.push(socket);
    }
    let [mut buyer, mut worker, mut other, mut idle] = <[Watcher; 4]>::try_from(sockets).ok().unwrap();
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;

    let order = app.order(&customer, 1_000).await;
    buyer.until("the hold", |state| state.balance("wallet") == Some((9_000, 1_000)) && state.status(order) == Some("open")).await;
    for (act, status) in [("accept", "in_work"), ("submit", "submitted")] {
        app.act(&executor, order, act).await.expect(200);
        buyer.until("the customer's order", |state| state.status(order) == Some(status)).await;
        worker.until("the executor's order", |state| state.status(order) == Some(status)).await;
    }
    app.post(&format!("/api/orders/{order}/reject"), &customer, &json!({"reason": "More green."})).await.expect(200);
    worker.until("the rejection", |state| state.status(order) == Some("in_work")).await;
    app.act(&executor, order, "submit").await.expect(200);
    app.act(&customer, order, "confirm").await.expect(200);
    buyer.until("the capture", |state| state.balance("wallet") == Some((9_000, 0)) && state.status(order) == Some("done")).await;
    worker.until("the pay", |state| state.balance("earnings") == Some((900, 0)) && state.status(order) == Some("done")).await;
    assert_eq!(worker.state.orders[&order]["executor"]["id"], executor.id);

    // News is told in order: whoever has heard of this one has heard all that was theirs to hear before.
    let last = app.order(&stranger, 500).await;
    other.until("their own order", |state| state.status(last) == Some("open") && state.balance("wallet") == Some((9_500, 500))).await;
    guest.until("the stranger's order", |state| state.board("all").has(last)).await;
    assert_eq!(other.state.orders.keys().collect::<Vec<_>>(), [&last]);
    idle.send(&json!({"type": "ping", "t": 1})).await;
    idle.until("the pong", |state| !state.pongs.is_empty()).await;
    assert_eq!(idle.state.frames, ["hello", "balance", "balance", "notice_count", "pong"], "nothing was theirs");
    let public = |frame: &String| ["hello", "snapshot", "diff", "tick"].contains(&frame.as_str());
    assert!(guest.state.frames.iter().all(public), "{:?}", guest.state.frames);
    let row = guest.state.board("all").orders[&last].as_object().unwrap();
    assert_eq!(row.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(PUBLIC));
    assert_eq!(row["customer"].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "name"]);
}

#[tokio::test]
async fn an_executor_who_gives_up_hears_that_the_order_is_open_again() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(10_000).await, app.executor().await);
    let mut socket = app.watcher(Some(&executor.token)).await;
    let order = app.order(&customer, 1_000).await;
    app.accept(&executor, order).await.expect(200);
    socket.until("the contract", |state| state.status(order) == Some("in_work")).await;
    app.act(&executor, order, "abandon").await.expect(200);
    socket.until_within("its end", Duration::from_secs(3), |state| state.status(order) == Some("open")).await;
}

#[tokio::test]
async fn a_category_board_shows_its_category_alone() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let mut guest = app.watcher(None).await;
    for board in ["category:repair", "category:it", "all"] {
        guest.watch(board).await;
    }
    let of = async |category: &str| app.create_order(&customer, 1_000, &json!({"category": category})).await["id"].as_u64().unwrap();
    let (repair, it, none) = (of("repair").await, of("it").await, app.order(&customer, 1_000).await);
    guest.until("all three", |state| state.board("all").ids() == [none, it, repair]).await;
    let boards_are = |state: &State, repairs: &[u64], its: &[u64]| {
        state.board("category:repair").ids() == repairs && state.board("category:it").ids() == its
    };
    guest.until("one each", |state| boards_are(state, &[repair], &[it])).await;
    guest.send(&json!({"type": "unwatch", "board": "category:it"})).await;
    guest.send(&json!({"type": "ping", "t": 1})).await;
    guest.until("the pong, so the unwatching is done", |state| !state.pongs.is_empty()).await;
    app.accept(&executor, it).await.expect(200);
    app.accept(&executor, repair).await.expect(200);
    guest.until("the empty board", |state| state.board("category:repair").ids().is_empty()).await;
    guest.until_proven("category:repair").await;
    assert_eq!(guest.state.board("category:it").ids(), [it], "unwatched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_board_stays_exactly_the_newest_thousand_while_1500_of_2300_are_taken() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let ids = insert_orders(&app.sql, customer.id, 2_300).await;
    // The first node hears of them from the sweep; the second loads them, with a reserve behind the board.
    let second = app.beside().await;
    let mut watchers = [app.watcher(None).await, second.watcher(None).await];
    for watcher in &mut watchers {
        watcher.watch("all").await;
        watcher.watch("category:it").await;
        watcher.until_true(&app.sql, "all", soon()).await;
        assert_eq!(watcher.state.board("all").ids()[..], ids.iter().rev().take(1_000).copied().collect::<Vec<_>>());
    }
    let executors = app.executors(8).await;
    let newest: Vec<u64> = ids.iter().rev().copied().collect();
    for (stage, left) in [(&newest[..600], 1_000), (&newest[600..1_300], 1_000), (&newest[1_300..1_500], 800)] {
        let parts = stage.chunks(stage.len().div_ceil(executors.len()));
        let take = parts.zip(&executors).zip([&app, &second].into_iter().cycle()).map(async |((part, executor), node)| {
            for id in part {
                node.accept(executor, *id).await.expect(200);
            }
        });
        futures_util::future::join_all(take).await;
        for watcher in &mut watchers {
            watcher.until_true(&app.sql, "all", soon()).await;
            watcher.until_true(&app.sql, "category:it", soon()).await;
            assert_eq!(watcher.state.board("all").orders.len(), left);
            watcher.until_proven("all").await;
        }
    }
    for watcher in &watchers {
        assert_eq!(watcher.state.board("all").resyncs, 0, "every diff and tick continued what was there");
    }
}

#[tokio::test]
async fn an_order_below_the_thousand_leaves_the_board_as_window() {
    let app = TestApp::start().await;
    let customer = app.customer(10_000).await;
    let ids = insert_orders(&app.sql, customer.id, 1_000).await;
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    guest.until_true(&app.sql, "all", soon()).await;
    let new = app.order(&customer, 1_000).await;
    guest.until("the new order", |state| state.board("all").has(new)).await;
    assert_eq!(guest.state.board("all").removed[&ids[0]], "window");
    app.act(&customer, new, "cancel").await.expect(200);
    guest.until("the oldest again", |state| state.board("all").has(ids[0])).await;
    guest.until_proven("all").await;
}

/// The same client on another connection: it asks for what came since its last position.
async fn come_back(node: &TestApp, before: &mut Watcher) -> Watcher {
    let mut again = node.watcher(None).await;
    again.state.boards.insert("all".to_owned(), before.state.boards.remove("all").unwrap());
    again.watch("all").await;
    again
}

#[tokio::test]
async fn a_client_that_comes_back_gets_one_diff_on_any_node() {
    let app = TestApp::start().await;
    let second = app.beside().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let taken = app.order(&customer, 1_000).await;
    let kept = app.order(&customer, 1_000).await;
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    guest.until_true(&app.sql, "all", soon()).await;
    for node in [&app, &second, &app] {
        let mut witness = node.watcher(None).await;
        witness.watch("all").await;
        app.act(&executor, taken, "accept").await.expect(200);
        let mut new = 0;
        for _ in 0..5 {
            new = app.order(&customer, 1_000).await;
        }
        witness.until("the last order there", |state| state.board("all").has(new) && !state.board("all").has(taken)).await;
        guest = come_back(node, &mut guest).await;
        assert_eq!(guest.state.frames, ["hello", "diff"]);
        guest.until_true(&app.sql, "all", soon()).await;
        guest.until_proven("all").await;
        assert!(guest.state.board("all").has(kept));
        app.act(&executor, taken, "abandon").await.expect(200);
        guest.until("the abandoned order", |state| state.board("all").has(taken)).await;
    }
    assert_eq!((guest.state.board("all").snapshots, guest.state.board("all").resyncs), (1, 0));
    // Nothing happened meanwhile: an empty diff says so.
    guest = come_back(&app, &mut guest).await;
    assert_eq!(guest.state.frames, ["hello", "diff"]);
    guest.until_proven("all").await;
}

#[tokio::test]
async fn a_client_whose_node_stops_or_dies_goes_on_at_another() {
    let app = TestApp::start().await;
    let (second, third) = (app.beside().await, app.beside().await);
    let customer = app.customer(100_000).await;
    let before = app.order(&customer, 1_000).await;
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    guest.until("the order", |state| state.board("all").has(before)).await;
    // A node that is stopped waits for its clients to leave, and a client that does not read would keep it waiting.
    let (code, ()) = tokio::join!(guest.closed_within(DEADLINE), app.stop());
    assert_eq!((code, guest.state.drains.len()), (1012, 1));
    let meanwhile = second.order(&customer, 1_000).await;
    guest = come_back(&second, &mut guest).await;
    guest.until("the order posted meanwhile", |state| state.board("all").has(meanwhile)).await;

    second.kill();
    assert_eq!(guest.closed_within(DEADLINE).await, 1006);
    let last = third.order(&customer, 1_000).await;
    guest = come_back(&third, &mut guest).await;
    guest.until("all three", |state| state.board("all").ids() == [last, meanwhile, before]).await;
    guest.until_proven("all").await;
    assert_eq!((guest.state.board("all").snapshots, guest.state.board("all").resyncs), (1, 0), "diffs all the way");
}

#[tokio::test]
async fn a_position_that_nobody_knows_is_answered_with_a_snapshot() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let order = app.order(&customer, 1_000).await;
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    guest.until("the order", |state| state.board("all").has(order)).await;
    let epoch = guest.state.board("all").epoch.clone();
    let positions =
        [json!({"epoch": "long-ago", "seq": 1}), json!({"epoch": epoch, "seq": 1_000_000}), json!({"epoch": epoch}), json!({"seq": 1})];
    for position in positions {
        let before = guest.state.board("all").snapshots;
        let mut watch = json!({"type": "watch", "board": "all"});
        watch.as_object_mut().unwrap().extend(position.as_object().unwrap().clone());
        guest.send(&watch).await;
        guest.until("a snapshot", |state| state.board("all").snapshots == before + 1).await;
    }
    guest.until_proven("all").await;
}

#[tokio::test]
async fn the_board_by_http_is_the_sockets_snapshot_and_cacheable() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    app.create_order(&customer, 1_000, &json!({"category": "it", "title": "Починить «принтер» \"сегодня\" \\ 🖨"})).await;
    let order = app.order(&customer, 1_000).await;
    let mut guest = app.watcher(None).await;
    for (board, query, has) in [("all", "", 2), ("all", "?board=all", 2), ("category:it", "?board=category:it", 1)] {
        guest.watch(board).await;
        guest.until("the orders", |state| state.board(board).orders.len() == has).await;
        let path = format!("/api/board{query}");
        let answer = app.send(&Request::new("GET", &path)).await;
        let replica = guest.state.board(board);
        let orders: Vec<&Value> = replica.orders.values().rev().collect();
        let due = json!({"type": "snapshot", "board": board, "epoch": replica.epoch, "seq": replica.seq,
            "checksum": replica.checksum(), "orders": orders});
        assert_eq!(answer.expect(200), due);
        let etag = answer.header("etag").unwrap();
        let again = app.send(&Request::new("GET", &path).header("if-none-match", etag)).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(etag)));
        let other = app.send(&Request::new("GET", &path).header("if-none-match", "\"other\"")).await;
        assert_eq!(other.expect(200), due);
    }
    let old = app.send(&Request::new("GET", "/api/board")).await;
    app.act(&customer, order, "cancel").await.expect(200);
    guest.until("the change", |state| !state.board("all").has(order)).await;
    let new = app.send(&Request::new("GET", "/api/board").header("if-none-match", old.header("etag").unwrap())).await;
    assert_eq!(new.expect(200)["orders"].as_array().unwrap().len(), 1);
    app.call("GET", "/api/board?board=category:nothing", None, &Value::Null).await.refused(404, "not_found");
}

/// What can be done next with one order of the storm, besides cancelling it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Take,
    Unfreeze,
    Abandon,
}

/// One of the storm's clients: random changes of orders of its own, each sent to one of the nodes.
async fn churn(nodes: &[&TestApp], customer: &User, executor: &User, seed: u64, changes: u32) {
    let mut dice = Dice::new(seed);
    let mut orders: Vec<(u64, Next)> = Vec::new();
    for _ in 0..changes {
        // Spread over several ticks: what a tick proves in the middle of the storm is the point.
        tokio::time::sleep(Duration::from_millis(12)).await;
        let node = nodes[dice.below(nodes.len())];
        let action = dice.below(10);
        if orders.is_empty() || action < 4 {
            let category = [json!({}), json!({"category": "it"}), json!({"category": "repair"})];
            let order = node.create_order(customer, 1_000, &category[dice.below(3)]).await;
            orders.push((order["id"].as_u64().unwrap(), Next::Take));
            continue;
        }
        let place = dice.below(orders.len());
        let (id, can) = orders[place];
        // One node for each order's taking and giving up: another one remembers a taking until it has the news.
        let home = nodes[(id % nodes.len() as u64) as usize];
        let (next, done) = match (can, action) {
            (Next::Take, 4 | 5) => (Some(Next::Unfreeze), node.act(customer, id, "freeze").await),
            (Next::Take, 6) => (None, node.act(customer, id, "cancel").await),
            (Next::Take, _) => (Some(Next::Abandon), home.act(executor, id, "accept").await),
            (Next::Unfreeze, _) => (Some(Next::Take), node.act(customer, id, "unfreeze").await),
            (Next::Abandon, _) => (Some(Next::Take), home.act(executor, id, "abandon").await),
        };
        done.expect(200);
        match next {
            Some(can) => orders[place].1 = can,
            None => drop(orders.swap_remove(place)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tick_proves_every_replica_through_a_storm_from_two_nodes() {
    const WORKERS: u64 = 8;
    const BOARDS: [&str; 3] = ["all", "category:it", "category:repair"];
    let first = TestApp::start().await;
    let second = first.beside().await;
    let nodes = [&first, &second];
    let storm = async {
        let mut people = Vec::new();
        for _ in 0..WORKERS {
            people.push((first.customer(1_000_000_000).await, first.executor().await));
        }
        let started = Instant::now();
        let workers =
            people.iter().zip(1..).map(|((customer, executor), seed)| churn(&nodes, customer, executor, seed, 3_000 / WORKERS as u32));
        futures_util::future::join_all(workers).await;
        println!("3,000 changes in {:?}", started.elapsed());
    };
    let mut watchers = [first.watcher(None).await, second.watcher(None).await];
    for watcher in &mut watchers {
        for board in BOARDS {
            watcher.watch(board).await;
        }
    }
    let [one, two] = &mut watchers;
    tokio::select! {
        () = storm => {}
        () = one.listen_for(DEADLINE * 2) => panic!("the storm takes too long"),
        () = two.listen_for(DEADLINE * 2) => panic!("the storm takes too long"),
    }
    let mut proofs = 0;
    for watcher in &mut watchers {
        for board in BOARDS {
            watcher.until_true(&first.sql, board, soon()).await;
            watcher.until_proven(board).await;
            let has = watcher.state.board(board);
            assert_eq!((has.snapshots, has.resyncs), (1, 0), "every diff and tick continued what was there");
            proofs += has.proofs;
        }
        println!("{} diffs of the board of all", watcher.state.board("all").diffs);
    }
    println!("{proofs} ticks proved their boards");
    first.assert_books_balance().await;
}

const STALLED: usize = 200;
const KB_PER_STALLED_MAX: u64 = 64;

/// A few thousand changes a second, ten rows a message: much, and not more than the test's own clients can read.
async fn flood(press: Press, ids: Vec<u64>, changes: usize) {
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    for some in ids.chunks(100).cycle().take(changes / 100) {
        pace.tick().await;
        press.touch(some, 10).await;
    }
}

/// How long one change takes to each of these clients, again and again while `flooding` goes on.
async fn delays_during(flooding: &tokio::task::JoinHandle<()>, press: &Press, marker: u64, watchers: &mut [Watcher]) -> Vec<Duration> {
    let mut delays = Vec::new();
    while !flooding.is_finished() {
        let version = press.touch_one(marker).await;
        let published = Instant::now();
        for watcher in &mut *watchers {
            watcher.until("the marker", |state| state.board("all").orders[&marker]["version"].as_u64() >= Some(version)).await;
            delays.push(published.elapsed());
        }
    }
    delays.sort_unstable();
    delays
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_stalled_readers_delay_nobody_cost_little_and_end_with_the_exact_board() {
    let data = OwnDirectory::new("stalled");
    let node = Node::start(&[("ORDERBOARD_DATA", data.path())]).await;
    let (sql, urls) = (tables(&data), orderboard::embedded::running(&data.0).unwrap());
    let customer = people(&data, "customer", 1, None).await.remove(0);
    let ids = insert_orders(&sql, customer.id, 1_000).await;
    let (marker, flooded) = (ids[999], ids[..999].to_vec());
    let press = Press::start(&sql, &urls.database_url, BusConfig { url: urls.redis_url, prefix: "ob".to_owned() }).await;
    let mut quick = Vec::new();
    for _ in 0..5 {
        let mut watcher = Watcher::connect(node.address, None).await;
        watcher.watch("all").await;
        watcher.until_true(&sql, "all", soon()).await;
        quick.push(watcher);
    }
    flood(press.clone(), flooded.clone(), 5_000).await;
    for watcher in &mut quick {
        watcher.until_true(&sql, "all", soon()).await;
    }
    let before_kb = node.rss_kb();

    let flooding = tokio::spawn(flood(press.clone(), flooded, 20_000));
    // Half of them stop in the middle of the snapshot, half after it; and the board moves, so it is another snapshot each.
    let mut stalled = Vec::new();
    for number in 0..STALLED {
        let mut watcher = Watcher::over(connect_narrow(node.address).await, node.address, &[]).await;
        if number % 2 == 0 {
            watcher.watch("all").await
        } else {
            watcher.ask("all").await
        }
        stalled.push(watcher);
    }
    assert!(!flooding.is_finished(), "most of the flood is still to come");
    let delays = delays_during(&flooding, &press, marker, &mut quick).await;
    flooding.await.unwrap();
    let after_kb = node.rss_kb();
    let (median, p99) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
    let each_kb = after_kb.saturating_sub(before_kb) / STALLED as u64;
    println!(
        "{} deliveries beside {STALLED} stalled: median {median:?}, p99 {p99:?}; {before_kb} → {after_kb} kB, {each_kb} kB each",
        delays.len()
    );
    assert!(p99 < Duration::from_millis(500), "stalled readers delay the others: {p99:?}");
    assert!(each_kb < KB_PER_STALLED_MAX, "a stalled reader costs {each_kb} kB");

    // The last change of all; only then is it worth working out a checksum.
    let version = press.touch_one(marker).await;
    let due = truth(&sql, "all").await;
    for watcher in &mut stalled {
        let has_all = |state: &State| {
            let board = state.boards.get("all").filter(|board| board.orders.get(&marker).is_some_and(|order| order["version"] == version));
            board.is_some_and(|board| board.checksum() == due)
        };
        watcher.until("the exact board", has_all).await;
        assert_eq!(watcher.state.board("all").resyncs, 0);
    }
    let metrics = node.call("GET", "/metrics", None, &Value::Null).await.text();
    for counted in ["orderboard_readers_merged_total", "orderboard_socket_writes_waited_total"] {
        let count = metrics.lines().find_map(|line| line.strip_prefix(counted)?.trim().parse::<u64>().ok()).unwrap_or(0);
        println!("{counted} {count}");
        assert!(count >= STALLED as u64 / 2, "they did not stall");
    }
}
