//! How a change on one node reaches the sockets of another: at once by the bus, and within two seconds by the sweep when
//! nobody published it.

use std::time::Duration;

use orderboard::domain::money::Amount;
use orderboard::domain::order::Assignment;
use orderboard::domain::user::{Actor, Party, Role};
use orderboard::flow::{Ask, CounterLimits, Flow, FlowConfig, OrderDraft, Outbox, TopupConfig};
use orderboard::store::Store;
use tokio::time::Instant;

use crate::support::market::{Market, Trader};
use crate::support::node::Node;
use crate::support::truth::{insert_orders, item, truth};
use crate::support::{DEADLINE, TestApp, Watcher, tell_redis};

/// What the design promises for news that nobody published.
const SWEPT: Duration = Duration::from_secs(2);

fn median_and_p99(delays: &mut [Duration]) -> (Duration, Duration) {
    delays.sort_unstable();
    (delays[delays.len() / 2], delays[delays.len() * 99 / 100])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_one_node_is_on_the_others_sockets_at_once() {
    let first = TestApp::start().await;
    let second = first.beside().await;
    let customer = first.customer(1_000_000).await;
    let (mut near, mut far) = (first.watcher(None).await, second.watcher(Some(&customer.token)).await);
    near.watch("all").await;
    far.watch("all").await;
    let (mut here, mut there, mut money) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=300_i64 {
        let order = first.order(&customer, 1_000).await;
        let answered = Instant::now();
        far.until("the order", |state| state.board("all").has(order)).await;
        there.push(answered.elapsed());
        far.until("the hold", |state| state.balance("wallet") == Some((1_000_000 - number * 1_000, number * 1_000))).await;
        money.push(answered.elapsed());
        near.until("the order here", |state| state.board("all").has(order)).await;
        here.push(answered.elapsed());
    }
    for (what, delays) in [("there", &mut there), ("money there", &mut money), ("here, read last", &mut here)] {
        let (median, p99) = median_and_p99(delays);
        println!("from the answer to the socket, {what}: median {median:?}, p99 {p99:?}");
        assert!(median < Duration::from_millis(50) && p99 < Duration::from_millis(500), "{what}: {median:?}, {p99:?}");
    }
}

#[tokio::test]
async fn rows_changed_by_hand_are_on_every_socket_within_two_seconds() {
    let first = TestApp::start().await;
    let second = first.beside().await;
    let customer = first.customer(10_000).await;
    let order = first.order(&customer, 1_000).await;
    let mut watchers = [first.watcher(Some(&customer.token)).await, second.watcher(Some(&customer.token)).await];
    for watcher in &mut watchers {
        watcher.watch("all").await;
        watcher.until("the order", |state| state.board("all").has(order) && state.balance("wallet") == Some((9_000, 1_000))).await;
    }
    let by_hand = [
        format!("update orders set title = 'By hand', version = version + 1 where id = {order}"),
        format!("update accounts set available = available + 7, version = version + 1 where user_id = {} and kind = 'wallet'", customer.id),
        format!("update orders set status = 'cancelled', version = version + 1 where id = {order}"),
    ];
    for (number, statement) in by_hand.into_iter().enumerate() {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&first.sql).await.unwrap();
        let committed = Instant::now();
        for watcher in &mut watchers {
            let left = SWEPT.saturating_sub(committed.elapsed());
            watcher
                .until_within("what was changed by hand", left, |state| match number {
                    0 => {
                        state.board("all").orders[&order]["title"] == "By hand"
                            && state.orders.get(&order).is_some_and(|own| own["title"] == "By hand")
                    }
                    1 => state.balance("wallet") == Some((9_007, 1_000)),
                    _ => !state.board("all").has(order) && state.status(order) == Some("cancelled"),
                })
                .await;
        }
        println!("by hand, then on both nodes' sockets: {:?}", committed.elapsed());
    }
    let new = insert_orders(&first.sql, customer.id, 3).await;
    let committed = Instant::now();
    for watcher in &mut watchers {
        watcher
            .until_within("rows put in by hand", SWEPT.saturating_sub(committed.elapsed()), |state| state.board("all").has(new[2]))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_five_thousand_rows_changed_by_one_statement_all_arrive() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let ids = insert_orders(&app.sql, customer.id, 25_000).await;
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    guest.until_true(&app.sql, "all", Instant::now() + DEADLINE).await;
    // All but a hundred in the middle, so that what is left is neither the first nor the last that is found.
    let kept = ids[12_000]..=ids[12_099];
    sqlx::query("update orders set status = 'cancelled', version = version + 1 where id not between ? and ?")
        .bind(kept.start())
        .bind(kept.end())
        .execute(&app.sql)
        .await
        .unwrap();
    let committed = Instant::now();
    guest.until_true(&app.sql, "all", committed + DEADLINE).await;
    println!("25,000 rows by one statement: the board is right after {:?}", committed.elapsed());
    guest.until_proven("all").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_node_had_not_published_arrives_within_two_seconds() {
    let witness = TestApp::start().await;
    for round in 1..=3 {
        let doomed = Node::start(&[
            ("DATABASE_URL", &witness.config.database_url),
            ("REDIS_URL", &witness.config.redis_url),
            ("ORDERBOARD_REDIS_PREFIX", &witness.config.redis_prefix),
        ])
        .await;
        let mut guest = witness.watcher(None).await;
        guest.watch("all").await;
        let mut traders = Vec::new();
        for _ in 0..8 {
            traders.push(Trader {
                address: doomed.address,
                customer: witness.customer(1_000_000_000).await,
                executor: witness.executor().await,
                pause: Duration::ZERO,
            });
        }
        let market = Market::open(traders);
        let before = guest.state.board("all").diffs;
        guest.until("a busy market", |state| state.board("all").diffs > before + 100 * round).await;
        // Stopped first: what it commits next is for the database alone to know.
        doomed.kill().await;
        let killed = Instant::now();
        guest.until_true(&witness.sql, "all", killed + SWEPT).await;
        println!("killed under load: the other node's board is right after {:?}", killed.elapsed());
        let tally = market.close().await;
        assert!(tally.count(200) > 50 && tally.broken > 0, "{tally:?}");
        guest.until_proven("all").await;
        assert_eq!(truth(&witness.sql, "all").await, guest.state.board("all").checksum(), "nothing was left to find");
    }
    witness.assert_books_balance().await;
}

#[tokio::test]
async fn news_of_an_older_state_never_replaces_a_newer_one() {
    let first = TestApp::start().await;
    let second = first.beside().await;
    let (customer, executor) = (first.customer(10_000).await, first.executor().await);
    let (gone, here) = (first.order(&customer, 1_000).await, first.order(&customer, 1_000).await);
    let old = {
        let store = first.app().store.clone();
        first.run(async move { store.orders_by_id(&[gone, here]).await }).await.unwrap()
    };
    let mut watchers: Vec<Watcher> = Vec::new();
    for node in [&first, &second] {
        let mut watcher = node.watcher(Some(&customer.token)).await;
        watcher.watch("all").await;
        watchers.push(watcher);
    }
    first.accept(&executor, gone).await.expect(200);
    first.act(&customer, here, "freeze").await.expect(200);
    first.act(&customer, here, "unfreeze").await.expect(200);
    for watcher in &mut watchers {
        watcher
            .until("the newer state", |state| {
                !state.board("all").has(gone) && state.board("all").orders.get(&here).is_some_and(|order| order["version"] == 3)
            })
            .await;
    }
    // The bus forgets which versions it has carried, and a node that was asleep sends what it had read long ago.
    for id in [gone, here] {
        let key = format!("HDEL {{{}}}:news:carried order:{id}", first.config.redis_prefix);
        assert_eq!(tell_redis(&first.config.redis_url, &key).await, ":1");
    }
    let bus = second.app().bus.clone();
    let items: Vec<_> = old.iter().map(item).collect();
    second
        .run(async move {
            bus.publish(&items).await.unwrap();
            bus.deliver_directly(items);
        })
        .await;
    let last = first.order(&customer, 1_000).await;
    for watcher in &mut watchers {
        watcher.until("a later order", |state| state.board("all").has(last)).await;
        assert_eq!(watcher.state.board("all").ids(), [last, here]);
        assert_eq!(watcher.state.board("all").orders[&here]["version"], 3);
        assert_eq!(watcher.state.status(gone), Some("in_work"));
        watcher.until_proven("all").await;
        assert_eq!(watcher.state.board("all").resyncs, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_outbox_dropped_is_found_by_the_sweep() {
    let node = TestApp::start().await;
    let mut guest = node.watcher(None).await;
    guest.watch("all").await;
    // Use cases whose outbox is full from the beginning: every announcement is dropped.
    let (outbox, unsent) = Outbox::new();
    drop(unsent);
    let store = Store::connect(&node.config.database_url, 8).await.unwrap();
    let config = FlowConfig {
        take_lane: orderboard::flow::LaneSize { connections: 4, batch: 64 },
        auto_confirm_after: Duration::from_secs(60),
        session_lifetime: Duration::from_secs(60),
        counter_limits: CounterLimits::default(),
        limits: orderboard::flow::Limits::default(),
        topups: TopupConfig::default(),
        public_url: None,
        telegram: None,
    };
    let flow = Flow::start(store, outbox, None, config).await.unwrap();
    let (customer, executor) = (node.customer(1_000_000).await, node.executor().await);
    let actor = |id: u64, role: Role| Actor { user: Party { id, name: "Silent".to_owned() }, role, session_id: 0 };
    let (customer, executor) = (actor(customer.id, Role::Customer), actor(executor.id, Role::Executor));
    let draft = OrderDraft {
        assignment: Assignment::First,
        title: "Unheard of".to_owned(),
        description: String::new(),
        category: Some("it".to_owned()),
        currency: orderboard::domain::money::Currency::RUB,
        acceptance: orderboard::domain::order::Acceptance::Confirm,
        ask: Ask::Price(Amount::parse("price", 1_000).unwrap()),
    };
    for number in 0..300 {
        let created = flow.create_order(&customer, &draft, None).await.unwrap();
        if number % 3 == 0 {
            let id = serde_json::from_str::<serde_json::Value>(&created).unwrap()["id"].as_u64().unwrap();
            flow.accept_order(&executor, id, None).await.unwrap();
        }
    }
    let committed = Instant::now();
    guest.until_true(&node.sql, "all", committed + SWEPT).await;
    println!("300 dropped announcements are healed after {:?}", committed.elapsed());
    assert_eq!(guest.state.board("all").orders.len(), 200);
}
