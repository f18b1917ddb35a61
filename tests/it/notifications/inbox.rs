//! Notifications in the app: made with what they tell of, listed, counted, read, and live on whichever node their user is.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{events, read_up_to, told, unread, until_told};
use crate::support::node::Node;
use crate::support::{OwnRedis, TestApp, User, tell_redis, until};

/// What nobody published is found within this.
const SWEPT: Duration = Duration::from_secs(2);

/// An order that the executor has taken and handed in.
async fn submitted(app: &TestApp, customer: &User, executor: &User) -> u64 {
    let order = app.order(customer, 10_000).await;
    app.accept(executor, order).await.expect(200);
    app.act(executor, order, "submit").await.expect(200);
    order
}

#[tokio::test]
async fn each_side_is_told_of_what_the_other_does() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let order = app.create_order(&customer, 10_000, &json!({"category": "it", "title": "Lay a cable"})).await;
    let id = order["id"].as_u64().unwrap();
    app.accept(&executor, id).await.expect(200);
    until_told(&app, &customer, &["taken"]).await;
    app.act(&executor, id, "submit").await.expect(200);
    app.post(&format!("/api/orders/{id}/reject"), &customer, &json!({"reason": "the other wall"})).await.expect(200);
    app.act(&executor, id, "submit").await.expect(200);
    app.act(&executor, id, "submit").await.expect(200);
    app.act(&customer, id, "confirm").await.expect(200);
    app.act(&customer, id, "confirm").await.expect(200);
    assert_eq!(events(&app, &customer).await, ["taken", "work_submitted", "work_submitted", "debited"]);
    assert_eq!(events(&app, &executor).await, ["work_rejected", "work_confirmed"]);

    let notices = told(&app, &executor).await;
    let rejected = &notices[1];
    assert_eq!((&rejected["id"], &rejected["read"]), (&json!(1), &json!(false)));
    let facts = &rejected["facts"];
    for (name, value) in [
        ("order_id", json!(id)),
        ("title", json!("Lay a cable")),
        ("category", json!("it")),
        ("price", json!(10_000)),
        ("payout", order["payout"].clone()),
        ("currency", json!("RUB")),
        ("comment", json!("the other wall")),
    ] {
        assert_eq!(facts[name], value, "{name}");
    }
    assert_eq!(facts["by"]["id"], customer.id);
    assert!(facts.get("payout_id").is_none() && rejected["created_at"].is_string() && rejected["created_ms"].is_number());
    assert_eq!(notices[0]["facts"]["amount"], order["payout"], "what the executor got");
    assert_eq!(told(&app, &customer).await[0]["facts"]["amount"], json!(10_000), "what left the wallet");
}

#[tokio::test]
async fn money_that_comes_and_goes_is_told_to_its_owner() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(100_000).await, app.executor().await, app.admin().await);
    let order = app.create_order(&customer, 50_000, &json!({"acceptance": "auto"})).await["id"].as_u64().unwrap();
    app.accept(&executor, order).await.expect(200);
    until_told(&app, &customer, &["taken"]).await;
    app.act(&executor, order, "submit").await.expect(200);
    assert_eq!(events(&app, &customer).await, ["taken", "debited"]);
    assert_eq!(events(&app, &executor).await, [""; 0], "their own act has paid them");

    let wish = json!({"amount": 1_000, "method": "card", "destination": "2200 1234 1234 5678"});
    for (verdict, body) in [("approve", json!({})), ("reject", json!({"comment": "no such card"}))] {
        let payout = app.post("/api/payouts", &executor, &wish).await.expect(201)["id"].as_u64().unwrap();
        for _ in 0..2 {
            app.post(&format!("/api/admin/payouts/{payout}/{verdict}"), &admin, &body).await.expect(200);
        }
    }
    let payout = app.post("/api/payouts", &executor, &wish).await.expect(201)["id"].as_u64().unwrap();
    app.post(&format!("/api/payouts/{payout}/cancel"), &executor, &Value::Null).await.expect(200);
    assert_eq!(events(&app, &executor).await, ["payout_approved", "payout_rejected"], "and not of what they did themselves");
    let rejected = &told(&app, &executor).await[0]["facts"];
    assert_eq!((&rejected["amount"], &rejected["comment"]), (&json!(1_000), &json!("no such card")));

    let topup = app.post("/api/topups", &customer, &json!({"amount": 7_000})).await.expect(201)["id"].as_u64().unwrap();
    for _ in 0..2 {
        app.post(&format!("/api/sandbox/topups/{topup}"), &customer, &json!({"result": "paid"})).await.expect(200);
    }
    until_told(&app, &customer, &["taken", "debited", "topup"]).await;
    assert_eq!(told(&app, &customer).await[0]["facts"], json!({"topup_id": topup, "amount": 7_000, "currency": "RUB"}));
}

#[tokio::test]
async fn reading_is_in_step_on_every_node_and_in_every_tab() {
    let first = TestApp::start().await;
    let second = first.beside().await;
    let (customer, executor) = (first.customer(1_000_000).await, first.executor().await);
    let mut tabs = vec![first.watcher(Some(&customer.token)).await, second.watcher(Some(&customer.token)).await];
    for tab in &mut tabs {
        tab.until("a count", |state| state.notice_count() == Some((0, 0))).await;
    }
    for number in 1..=3 {
        submitted(&first, &customer, &executor).await;
        until(&format!("{number} taken, {number} submitted"), async || unread(&second, &customer).await == 2 * number).await;
    }
    for tab in &mut tabs {
        tab.until("six notices, and their count", |state| state.notices.len() == 6 && state.notice_count() == Some((6, 0))).await;
        assert_eq!(tab.state.notices.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        let last = &tab.state.notices[&6];
        assert!(["taken", "work_submitted"].contains(&last["event"].as_str().unwrap()) && last["facts"]["order_id"].is_number());
    }
    assert_eq!(read_up_to(&first, &customer, 4).await, 2);
    for tab in &mut tabs {
        tab.until("two unread", |state| state.notice_count() == Some((2, 4))).await;
    }
    let read: Vec<bool> = told(&second, &customer).await.iter().map(|notice| notice["read"].as_bool().unwrap()).collect();
    assert_eq!(read, [false, false, true, true, true, true]);
    assert_eq!(read_up_to(&second, &customer, 2).await, 2, "what was read stays read");
    assert_eq!(read_up_to(&second, &customer, u64::MAX).await, 0);
    for tab in &mut tabs {
        tab.until("nothing unread", |state| state.notice_count() == Some((0, 6))).await;
    }
    submitted(&second, &customer, &executor).await;
    until("what comes later is unread, whatever was asked before", async || unread(&first, &customer).await == 2).await;
    assert_eq!(first.call("GET", "/api/notifications", None, &Value::Null).await.refused(401, "unauthenticated")["status"], 401);
}

#[tokio::test]
async fn a_notice_that_one_node_makes_is_on_the_sockets_of_another_within_a_second() {
    let first = TestApp::start().await;
    // It makes no notices of its own.
    let second = first.beside_with(|config| config.is_worker = false).await;
    let (customer, executor) = (first.customer(1_000_000).await, first.executor().await);
    let mut tab = second.watcher(Some(&executor.token)).await;
    tab.until("a count", |state| state.notice_count() == Some((0, 0))).await;
    for round in 1..=5 {
        let id = first.order(&customer, 1_000).await;
        first.accept(&executor, id).await.expect(200);
        first.act(&executor, id, "submit").await.expect(200);
        first.act(&customer, id, "confirm").await.expect(200);
        let is_told = |state: &crate::support::State| state.notice_count() == Some((round, 0)) && state.notices.len() == round as usize;
        tab.until_within("the work is confirmed", Duration::from_secs(1), is_told).await;
    }
    assert!(tab.state.notices.values().all(|notice| notice["event"] == "work_confirmed"));
}

#[tokio::test]
async fn pages_go_to_the_beginning_and_other_people_see_nothing_of_it() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    for _ in 0..4 {
        submitted(&app, &customer, &executor).await;
    }
    until("eight notices", async || unread(&app, &customer).await == 8).await;
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/api/notifications?limit=3{cursor}"), &customer).await.expect(200);
        ids.extend(page["items"].as_array().unwrap().iter().map(|notice| notice["id"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids, [8, 7, 6, 5, 4, 3, 2, 1]);
    let other = app.customer(0).await;
    assert_eq!((told(&app, &other).await, unread(&app, &other).await), (Vec::new(), 0));
    assert_eq!(read_up_to(&app, &other, 5).await, 0);
    for body in [json!({}), json!({"up_to": -1}), json!({"up_to": 1, "all": true})] {
        assert!(app.post("/api/notifications/read", &customer, &body).await.problem()["status"] == 422);
    }
    assert_eq!(unread(&app, &customer).await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_right_again_right_after_redis_was_away() {
    let mut redis = OwnRedis::start().await;
    let app = TestApp::start_with(|config| config.redis_url = redis.url().to_owned()).await;
    let other = app.beside().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let mut tab = other.watcher(Some(&customer.token)).await;
    submitted(&app, &customer, &executor).await;
    tab.until("two notices", |state| state.notices.len() == 2).await;
    redis.kill().await;
    let order = app.order(&customer, 1_000).await;
    app.accept(&executor, order).await.expect(200);
    app.act(&executor, order, "submit").await.expect(200);
    let away = Instant::now();
    tab.until_within("told without Redis", SWEPT, |state| state.notices.len() >= 3).await;
    println!("without Redis the other node's socket is told after {:?}", away.elapsed());
    redis.start_again().await;
    let back = Instant::now();
    tab.until_within("everything, and the count", SWEPT, |state| state.notices.len() == 4 && state.notice_count() == Some((4, 0))).await;
    println!("everything is told {:?} after Redis was back", back.elapsed());
    tell_redis(redis.url(), "FLUSHALL").await;
    submitted(&app, &customer, &executor).await;
    tab.until_within("after a flush", SWEPT, |state| state.notices.len() == 6 && state.notice_count() == Some((6, 0))).await;
    assert_eq!(tab.state.notices.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takings_are_told_exactly_once_by_several_nodes_one_of_which_is_killed() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let workers = [("ORDERBOARD_ROLES", "web,worker")];
    let doomed = Node::beside(&app, &workers).await;
    let first = app.order(&customer, 1_000).await;
    app.accept(&executor, first).await.expect(200);
    until_told(&app, &customer, &["taken"]).await;
    let (second, third) = (Node::beside(&app, &workers).await, Node::beside(&app, &workers).await);
    let mut orders = Vec::new();
    for number in 0..200 {
        orders.push(app.order(&customer, 1_000).await);
        if number == 100 {
            doomed.signal(rustix::process::Signal::KILL);
        }
        app.accept(&executor, orders[number]).await.expect(200);
    }
    let killed = Instant::now();
    until("everything is told", async || unread(&app, &customer).await >= 201).await;
    println!("every taking is told {:?} after the last", killed.elapsed());
    let told: Vec<String> = sqlx::query_scalar("select subject from notifications where user_id = ? and event = 'taken' order by subject")
        .bind(customer.id)
        .fetch_all(&app.sql)
        .await
        .unwrap();
    let mut of: Vec<u64> = told.iter().map(|subject| subject.split(':').nth(1).unwrap().parse().unwrap()).collect();
    of.sort_unstable();
    orders.insert(0, first);
    assert_eq!(of, orders);
    drop((second, third));
}

#[tokio::test]
async fn a_taking_that_no_worker_heard_of_is_told_when_one_comes() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let first = app.order(&customer, 1_000).await;
    app.accept(&executor, first).await.expect(200);
    until_told(&app, &customer, &["taken"]).await;
    let web = app.beside_with(|config| config.is_worker = false).await;
    app.stop().await;
    let second = web.order(&customer, 1_000).await;
    web.accept(&executor, second).await.expect(200);
    web.act(&executor, second, "abandon").await.expect(200);
    web.accept(&executor, second).await.expect(200);
    web.act(&executor, second, "submit").await.expect(200);
    assert_eq!(events(&web, &customer).await, ["taken", "work_submitted"]);
    let _worker = web.beside_with(|config| config.is_worker = true).await;
    until_told(&web, &customer, &["taken", "work_submitted", "taken"]).await;
}

#[tokio::test]
async fn the_oldest_of_too_many_are_forgotten() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    submitted(&app, &customer, &executor).await;
    until("two", async || unread(&app, &customer).await == 2).await;
    // As if 1,097 had come.
    sqlx::query("update inboxes set newest = 1097, unread = 1097 where user_id = ?").bind(customer.id).execute(&app.sql).await.unwrap();
    submitted(&app, &customer, &executor).await;
    submitted(&app, &customer, &executor).await;
    until("those of late", async || told(&app, &customer).await.len() == 4).await;
    assert_eq!(told(&app, &customer).await[0]["id"], 1_101);
    assert_eq!(unread(&app, &customer).await, 4, "what is gone does not count");
}
