//! The queue: answers, poison, groups, abandoned messages, trimming, and everything that may die under it.

use std::collections::BTreeMap;

use fred::interfaces::StreamsInterface as _;
use orderboard::bus::Queue;
use serde_json::{Value, json};

use super::{Door, count, op, with, with_workers};
use crate::support::stream::Stream;
use crate::support::{OwnMariaDb, OwnRedis, TestApp, tell_redis, until};

#[tokio::test]
async fn the_queue_answers_everything_once_acknowledged_and_sets_aside_what_is_no_operation() {
    let app = with_workers(3).await;
    let mut stream = Stream::of(&app).await;
    let user = app.customer(0).await;
    stream.send(&op("good", "credit", &user, 5)).await;
    stream.append(vec![("op", b"not json".to_vec())]).await;
    stream.append(vec![("op", vec![0xff, 0xfe, 0x00])]).await;
    stream.append(vec![("nothing", b"{}".to_vec())]).await;
    stream.send(&json!([1])).await;
    stream.send(&json!({"operation_id": "odd", "type": "dance"})).await;
    stream.send(&json!({"operation_id": 5, "type": "credit"})).await;
    stream.send(&json!({"operation_id": "x".repeat(91), "type": "credit"})).await;
    stream.send(&op("good2", "credit", &user, 5)).await;
    let answers: Vec<Value> = stream.answers(9).await.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let mut codes: BTreeMap<String, u32> = BTreeMap::new();
    for answer in &answers {
        *codes.entry(answer["code"].as_str().unwrap_or("done").to_owned()).or_default() += 1;
    }
    assert_eq!(codes, BTreeMap::from([("done".into(), 2), ("malformed".into(), 6), ("unknown_type".into(), 1)]));
    assert!(answers.iter().any(|answer| answer["operation_id"] == json!("x".repeat(91))), "the id that came is told");
    until("all are acknowledged", async || stream.pending().await == 0).await;
    let poison = stream.entries("poison", "-").await;
    assert_eq!(poison.len(), 6, "{poison:?}");
    assert!(poison.iter().any(|(_, fields)| fields.iter().any(|(name, value)| name == "op" && value == "not json")));
    until("no result is left unsent", async || count(&app, "outgoing").await == 0).await;
    assert_eq!(app.balance(&user, "wallet").await, (10, 0));
}

#[tokio::test]
async fn a_group_with_twins_mismatches_and_refusals_judges_each_by_itself() {
    let app = with_workers(0).await;
    let (user, other) = (app.customer(100).await, app.customer(0).await);
    let mut stream = Stream::of(&app).await;
    let pay = |id: &str, amount: i64| with(op(id, "transfer", &user, amount), &json!({"to_user_id": other.id}));
    let group = [
        pay("a", 60),
        pay("b", 60),
        pay("a", 60),
        pay("a", 1),
        op("c", "credit", &user, 20),
        pay("d", 60),
        pay("b", 60),
        with(op("e", "credit", &other, 9), &json!({"currency": "EUR"})),
        with(op("f", "hold", &other, 4), &json!({"currency": "EUR"})),
    ];
    // They are all there before anybody reads, so they share a transaction.
    for op in &group {
        stream.send(op).await;
    }
    let worker = app.beside_with(|config| config.limits.billing_workers = 1).await;
    let answers = stream.answers(group.len()).await;
    let told: Vec<(String, String)> = answers
        .iter()
        .map(|text| {
            let answer: Value = serde_json::from_str(text).unwrap();
            let said = answer["code"].as_str().or(answer["status"].as_str()).unwrap().to_owned();
            (answer["operation_id"].as_str().unwrap().to_owned(), said)
        })
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(id, said)| (id.as_str(), said.as_str())).collect();
    let short = "insufficient_funds";
    let expected = [
        ("a", "done"),
        ("b", short),
        ("a", "done"),
        ("a", "mismatch"),
        ("c", "done"),
        ("d", "done"),
        ("b", short),
        ("e", "done"),
        ("f", "done"),
    ];
    assert_eq!(told, expected);
    assert_eq!((&answers[0], &answers[1]), (&answers[2], &answers[6]));
    assert_eq!(app.balance(&user, "wallet").await, (0, 0));
    assert_eq!(app.balance(&other, "wallet").await, (120, 0));
    app.assert_books_balance().await;
    drop(worker);
}

#[tokio::test]
async fn what_a_dead_consumer_left_is_taken_over_to_its_last_message() {
    let app = with_workers(0).await;
    let mut stream = Stream::of(&app).await;
    let user = app.customer(0).await;
    let ids: Vec<String> = (0..300).map(|number| format!("left-{number}")).collect();
    for id in &ids {
        stream.send(&op(id, "credit", &user, 1)).await;
    }
    let _: fred::types::Value = stream.client.xgroup_create(stream.key("requests"), "billing", "0", true).await.unwrap();
    let _: fred::types::Value =
        stream.client.xreadgroup("billing", "dead", Some(300), None, false, stream.key("requests"), ">").await.unwrap();
    assert_eq!(stream.pending().await, 300);
    let worker = app
        .beside_with(|config| {
            config.limits.billing_workers = 1;
            config.limits.billing_batch = 16;
            config.limits.billing_claim_ms = 200;
        })
        .await;
    let answers = stream.answers(300).await;
    assert!(answers.iter().all(|text| text.contains(r#""status":"done""#)));
    until("all are acknowledged", async || stream.pending().await == 0).await;
    assert_eq!(app.balance(&user, "wallet").await, (300, 0));
    drop(worker);
}

#[tokio::test]
async fn trimming_never_passes_what_is_pending_and_leaves_nothing_that_is_done() {
    let app = with_workers(1).await;
    let mut stream = Stream::of(&app).await;
    let user = app.customer(0).await;
    stream.send(&op("before", "credit", &user, 1)).await;
    stream.answers(1).await;
    until("done and cut off", async || stream.length("requests").await == 0).await;
    // Another group that has not read yet: nothing of it may go.
    let _: fred::types::Value = stream.client.xgroup_create(stream.key("requests"), "auditors", "0", true).await.unwrap();
    stream.send(&op("kept", "credit", &user, 1)).await;
    stream.answers(1).await;
    until("all are acknowledged", async || stream.pending().await == 0).await;
    let _: fred::types::Value =
        stream.client.xreadgroup("auditors", "one", Some(1), None, false, stream.key("requests"), ">").await.unwrap();
    Queue::connect(&app.config.redis_url, &app.config.billing_streams).await.unwrap().trim().await.unwrap();
    assert_eq!(stream.length("requests").await, 1, "pending for the other group");
    let id = stream.entries("requests", "-").await[0].0.clone();
    let _: fred::types::Value = stream.client.xack(stream.key("requests"), "auditors", id).await.unwrap();
    until("cut off", async || stream.length("requests").await == 0).await;
}

#[tokio::test]
async fn a_result_that_was_committed_and_not_sent_is_sent_again() {
    let app = TestApp::start_with(|config| config.limits.billing_resend_ms = 300).await;
    let door = Door::open(&app).await;
    let mut stream = Stream::of(&app).await;
    let user = app.customer(0).await;
    let answer = door.command(&op("lost", "credit", &user, 5)).await;
    // As a worker leaves it that dies between the commit and the answer, together with Redis's memory of the request.
    sqlx::query("insert into outgoing (operation_id, created_at) values ('b:lost', utc_timestamp(6))").execute(&app.sql).await.unwrap();
    let sent = stream.answers(1).await;
    assert_eq!(sent[0].as_bytes(), answer.body);
    until("it is noted as sent", async || count(&app, "outgoing").await == 0).await;
}

#[tokio::test]
async fn a_flushed_and_a_killed_redis_cost_no_request_that_is_sent_again_and_no_result() {
    let mut redis = OwnRedis::start().await;
    let app = TestApp::start_with(|config| {
        config.redis_url = redis.url().to_owned();
        config.limits.billing_workers = 2;
        config.limits.billing_resend_ms = 300;
    })
    .await;
    let user = app.customer(0).await;
    let mut stream = Stream::of(&app).await;
    stream.send(&op("1", "credit", &user, 1)).await;
    stream.answers(1).await;
    tell_redis(redis.url(), "FLUSHALL").await;
    let mut stream = Stream::of(&app).await;
    stream.send(&op("1", "credit", &user, 1)).await;
    stream.send(&op("2", "credit", &user, 1)).await;
    stream.answers(2).await;
    redis.kill().await;
    let door = Door::open(&app).await;
    let put = app.call("POST", "/api/billing/operations", Some(&door.token), &op("3", "credit", &user, 1)).await;
    assert_eq!(put.expect(200)["status"], "done", "without Redis there is no queue, and the operation is carried out at once");
    redis.start_again().await;
    let mut stream = Stream::of(&app).await;
    stream.read().await;
    stream.send(&op("4", "credit", &user, 1)).await;
    stream.answers(1).await;
    assert_eq!(app.balance(&user, "wallet").await, (4, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_database_that_dies_under_the_queue_makes_it_wait_and_nothing_else() {
    let mut mariadb = OwnMariaDb::start().await;
    let app = TestApp::start_with(|config| {
        config.database_url = mariadb.url().to_owned();
        config.limits.billing_workers = 2;
        config.limits.billing_batch = 8;
    })
    .await;
    let user = app.customer(0).await;
    let mut stream = Stream::of(&app).await;
    for number in 0..200 {
        stream.send(&op(&format!("n{number}"), "credit", &user, 1)).await;
        if number == 100 {
            mariadb.kill().await;
        }
    }
    mariadb.start_again().await;
    let mut told = BTreeMap::new();
    until("each is answered", async || {
        for text in stream.read().await {
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(answer["status"], "done", "{text}");
            let id = answer["operation_id"].as_str().unwrap().to_owned();
            assert_eq!(*told.entry(id).or_insert_with(|| text.clone()), text, "every answer to one operation is the same");
        }
        told.len() == 200
    })
    .await;
    until("the balance is whole", async || {
        let me = app.get("/api/me", &user).await;
        me.status == 200 && me.json()["accounts"].as_array().unwrap().iter().any(|account| account["available"] == 200)
    })
    .await;
    app.assert_books_balance().await;
}

#[tokio::test]
async fn without_wait_an_operation_goes_by_the_queue_and_moves_the_screen() {
    let app = with_workers(1).await;
    let door = Door::open(&app).await;
    let user = app.customer(0).await;
    let mut watcher = app.watcher(Some(&user.token)).await;
    let put = app.call("POST", "/api/billing/operations", Some(&door.token), &op("q", "credit", &user, 5)).await;
    assert_eq!(put.expect(202), json!({"operation_id": "q", "status": "pending"}));
    let mut stream = Stream::of(&app).await;
    let answer = stream.answers(1).await.remove(0);
    let stored = app.call("GET", "/api/billing/operations/q", Some(&door.token), &Value::Null).await;
    assert_eq!(stored.body, answer.as_bytes());
    watcher.until("the screen moves", |state| state.balance("wallet") == Some((5, 0))).await;
    let invalid = op("i", "credit", &user, -5);
    app.call("POST", "/api/billing/operations", Some(&door.token), &invalid).await.refused(422, "invalid");
}
