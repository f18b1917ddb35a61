//! Money: never lost, never doubled, never negative, and every answer about it repeatable.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Request, TestApp, User, until_within};

fn draft(price: i64) -> Value {
    json!({"title": "Dig a pond", "description": "Two metres.", "price": price})
}

/// A POST under an idempotency key.
async fn keyed(app: &TestApp, user: &User, path: &str, key: &str, body: &Value) -> Answer {
    app.send(&Request::new("POST", path).bearer(Some(&user.token)).header("idempotency-key", key).json(body)).await
}

async fn count(app: &TestApp, table: &'static str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}"))).fetch_one(&app.sql).await.unwrap()
}

#[tokio::test]
async fn an_order_without_the_money_for_it_is_refused_with_the_figures_and_changes_nothing() {
    let app = TestApp::start().await;
    let customer = app.customer(999).await;
    let before = app.fingerprint().await;
    let problem = app.post("/api/orders", &customer, &draft(1_000)).await.refused(409, "insufficient_funds");
    assert_eq!((&problem["available"], &problem["needed"], &problem["currency"]), (&json!(999), &json!(1_000), &json!("RUB")));
    assert_eq!(app.fingerprint().await, before);
    app.post("/api/orders", &customer, &draft(999)).await.expect(201);
    assert_eq!(app.balance(&customer, "wallet").await, (0, 999), "to the last kopeck");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_hundred_orders_at_once_with_money_for_ten_are_ten() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let customer = app.customer(10_000).await;
    let body = draft(1_000);
    let answers = join_all((0..100).map(|number| {
        let node = if number % 2 == 0 { &app } else { &beside };
        node.post("/api/orders", &customer, &body)
    }))
    .await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 10);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.refused(409, "insufficient_funds")["needed"], 1_000);
    }
    assert_eq!(app.balance(&customer, "wallet").await, (0, 10_000));
    assert_eq!(count(&app, "orders").await, 10);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn the_same_key_gets_the_same_bytes_and_one_order() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, other) = (app.customer(100_000).await, app.customer(100_000).await);
    let first = keyed(&app, &customer, "/api/orders", "k-1", &draft(1_000)).await;
    let id = first.expect(201)["id"].clone();
    // Whatever became of the order meanwhile, the answer is the one that was given.
    app.act(&customer, id.as_u64().unwrap(), "freeze").await.expect(200);
    for node in [&app, &beside] {
        let again = keyed(node, &customer, "/api/orders", "k-1", &draft(1_000)).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        keyed(node, &customer, "/api/orders", "k-1", &draft(1_001)).await.refused(409, "mismatch");
    }
    assert_eq!(app.balance(&customer, "wallet").await, (99_000, 1_000));

    let others = keyed(&app, &other, "/api/orders", "k-1", &draft(1_001)).await.expect(201);
    assert_ne!(others["id"], id, "keys of different users do not meet");
    let topup = keyed(&app, &customer, "/api/topups", "k-1", &json!({"amount": 5})).await.expect(201);
    assert_eq!(topup["amount"], 5, "keys of different requests do not meet");

    let (body, key) = (draft(2_000), "k-2");
    let answers = join_all((0..50).map(|number| {
        let node = if number % 2 == 0 { &app } else { &beside };
        keyed(node, &customer, "/api/orders", key, &body)
    }))
    .await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &answers[0].body), "{}", answer.text());
    }
    assert_eq!(app.balance(&customer, "wallet").await, (97_000, 3_000));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_refusal_under_a_key_is_repeated_even_when_the_money_has_come_since() {
    let app = TestApp::start().await;
    let customer = app.customer(500).await;
    let refused = keyed(&app, &customer, "/api/orders", "poor", &draft(1_000)).await;
    refused.refused(409, "insufficient_funds");
    let topup = app.post("/api/topups", &customer, &json!({"amount": 10_000})).await.expect(201);
    app.post(&format!("/api/sandbox/topups/{}", topup["id"]), &customer, &json!({"result": "paid"})).await.expect(200);
    let body = draft(1_000);
    for again in join_all((0..20).map(|_| keyed(&app, &customer, "/api/orders", "poor", &body))).await {
        assert_eq!((again.status, &again.body), (409, &refused.body));
    }
    keyed(&app, &customer, "/api/orders", "rich", &draft(1_000)).await.expect(201);
    assert_eq!(app.balance(&customer, "wallet").await, (9_500, 1_000));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let app = TestApp::start().await;
    let customer = app.customer(5_000).await;
    let before = app.fingerprint().await;
    for key in ["", "has space", "ключ", &"k".repeat(256)] {
        let problem = keyed(&app, &customer, "/api/orders", key, &draft(1_000)).await.refused(422, "invalid");
        assert_eq!(problem["field"], "Idempotency-Key");
        keyed(&app, &customer, "/api/topups", key, &json!({"amount": 5})).await.refused(422, "invalid");
    }
    assert_eq!(app.fingerprint().await, before);
    keyed(&app, &customer, "/api/orders", &"k".repeat(255), &draft(1_000)).await.expect(201);
}

#[tokio::test]
async fn every_entry_tells_the_balance_after_it_and_none_is_missing() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(10_000).await, app.executor().await);
    let done = app.create_order(&customer, 1_000, &json!({"acceptance": "auto"})).await["id"].as_u64().unwrap();
    app.accept(&executor, done).await.expect(200);
    app.act(&executor, done, "submit").await.expect(200);
    let cancelled = app.order(&customer, 4_000).await;
    app.act(&customer, cancelled, "cancel").await.expect(200);

    let page = app.get("/api/accounts/wallet/entries?currency=RUB&limit=100", &customer).await.expect(200);
    let told: Vec<Value> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| json!([entry["seq"], entry["kind"], entry["available_after"], entry["held_after"], entry["order_id"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([1, "credit", 10_000, 0, null]),
            json!([2, "hold", 9_000, 1_000, done]),
            json!([3, "capture", 9_000, 0, done]),
            json!([4, "hold", 5_000, 4_000, cancelled]),
            json!([5, "release", 9_000, 0, cancelled]),
        ]
    );
    let paid = app.get("/api/accounts/earnings/entries", &executor).await.expect(200);
    let last = &paid["items"][0];
    assert_eq!((&last["kind"], &last["available_delta"], &last["available_after"]), (&json!("payout"), &json!(900), &json!(900)));

    let mut seqs = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.get(&format!("/api/accounts/wallet/entries?limit=2{cursor}"), &customer).await.expect(200);
        seqs.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seqs, [5, 4, 3, 2, 1]);
    assert_eq!(app.get("/api/accounts/wallet/entries", &executor).await.expect(200)["items"], json!([]), "one's own entries only");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_payment_is_credited_once_however_often_it_is_told() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, other) = (app.customer(0).await, app.customer(0).await);
    let topup = keyed(&app, &customer, "/api/topups", "pay", &json!({"amount": 70_000})).await;
    let id = topup.expect(201)["id"].clone();
    assert_eq!(topup.json()["status"], "created");
    let pay_url = topup.json()["pay_url"].as_str().unwrap().to_owned();
    assert!(pay_url.starts_with("/sandbox/robokassa?") && pay_url.contains(&format!("&OutSum=700.00&InvId={id}&")), "{pay_url}");
    let (body, key) = (json!({"amount": 70_000}), "pay");
    for again in join_all((0..50).map(|_| keyed(&beside, &customer, "/api/topups", key, &body))).await {
        assert_eq!((again.status, &again.body), (201, &topup.body));
    }
    keyed(&app, &customer, "/api/topups", "pay", &json!({"amount": 70_001})).await.refused(409, "mismatch");
    assert_eq!(count(&app, "topups").await, 1);

    let path = format!("/api/sandbox/topups/{id}");
    let paid = json!({"result": "paid"});
    app.post(&path, &other, &paid).await.refused(404, "not_found");
    assert_eq!(app.balance(&customer, "wallet").await, (0, 0), "asking for a payment is not a payment");
    let answers = join_all((0..50).map(|number| {
        let node = if number % 2 == 0 { &app } else { &beside };
        node.post(&path, &customer, &paid)
    }))
    .await;
    for answer in answers {
        assert_eq!(answer.expect(200)["status"], "received");
    }
    assert_eq!(app.balance(&customer, "wallet").await, (70_000, 0));
    app.post(&path, &customer, &json!({"result": "declined"})).await.refused(409, "stale");

    let declined = app.post("/api/topups", &customer, &json!({"amount": 1})).await.expect(201)["id"].clone();
    let path = format!("/api/sandbox/topups/{declined}");
    for _ in 0..2 {
        assert_eq!(app.post(&path, &customer, &json!({"result": "declined"})).await.expect(200)["status"], "rejected");
    }
    app.post(&path, &customer, &paid).await.refused(409, "stale");
    assert_eq!(app.balance(&customer, "wallet").await, (70_000, 0));

    let listed = app.get("/api/topups", &customer).await.expect(200);
    let told: Vec<Value> = listed["items"].as_array().unwrap().iter().map(|topup| json!([topup["id"], topup["status"]])).collect();
    assert_eq!(told, [json!([declined, "rejected"]), json!([id, "received"])]);
    assert_eq!(app.get("/api/topups", &other).await.expect(200)["items"], json!([]));
    app.get(&format!("/api/topups/{id}"), &other).await.refused(404, "not_found");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn payments_told_as_paid_and_declined_at_once_end_one_way() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let mut received = 0;
    for _ in 0..20 {
        let id = app.post("/api/topups", &customer, &json!({"amount": 100})).await.expect(201)["id"].clone();
        let path = format!("/api/sandbox/topups/{id}");
        let (paid, declined) = (json!({"result": "paid"}), json!({"result": "declined"}));
        let (paid, declined) = tokio::join!(app.post(&path, &customer, &paid), app.post(&path, &customer, &declined));
        match (paid.status, declined.status) {
            (200, 409) => received += 1,
            (409, 200) => {}
            both => panic!("paid and declined: {both:?}"),
        }
    }
    assert_eq!(app.balance(&customer, "wallet").await, (received * 100, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn currencies_do_not_mix() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(50_000).await, app.executor().await);
    let in_dollars = json!({"title": "Write a song", "price": 1_000, "currency": "USD", "acceptance": "auto"});
    let problem = app.post("/api/orders", &customer, &in_dollars).await.refused(409, "insufficient_funds");
    assert_eq!((&problem["available"], &problem["currency"]), (&json!(0), &json!("USD")), "roubles are no dollars");
    let topup = app.post("/api/topups", &customer, &json!({"amount": 3_000, "currency": "USD"})).await.expect(201);
    app.post(&format!("/api/sandbox/topups/{}", topup["id"]), &customer, &json!({"result": "paid"})).await.expect(200);
    let id = app.post("/api/orders", &customer, &in_dollars).await.expect(201)["id"].as_u64().unwrap();
    app.order(&customer, 7_000).await;
    app.accept(&executor, id).await.expect(200);
    app.act(&executor, id, "submit").await.expect(200);
    let accounts = async |user: &User| {
        let listed = app.get("/api/accounts", user).await.expect(200);
        let mut told: Vec<String> = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| {
                format!("{} {} {} {}", account["account"], account["currency"], account["available"], account["held"]).replace('"', "")
            })
            .collect();
        told.sort();
        told
    };
    assert_eq!(accounts(&customer).await, ["earnings RUB 0 0", "wallet RUB 43000 7000", "wallet USD 2000 0"]);
    assert_eq!(accounts(&executor).await, ["earnings RUB 0 0", "earnings USD 900 0", "wallet RUB 0 0"]);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_new_commission_counts_for_new_orders_on_every_node_and_old_orders_keep_theirs() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor, admin) = (app.customer(1_000_000).await, app.executor().await, app.admin().await);
    let old = app.create_order(&customer, 10_000, &json!({"acceptance": "auto"})).await;
    keyed(&app, &customer, "/api/orders", "before", &draft(500)).await.expect(201);
    assert_eq!(
        (&old["payout"], &old["rate_bp"], &old["floor_bp"], &old["mode"]),
        (&json!(9_000), &json!(1_000), &json!(800), &json!("round"))
    );

    let policy = json!({"rate_bp": 200, "floor_bp": 0, "mode": "exact"});
    for user in [&customer, &executor] {
        app.call("PUT", "/api/admin/commission", Some(&user.token), &policy).await.refused(403, "forbidden");
        app.get("/api/admin/commission", user).await.refused(403, "forbidden");
    }
    assert_eq!(app.call("PUT", "/api/admin/commission", Some(&admin.token), &policy).await.expect(200), policy);
    assert_eq!(app.get("/api/admin/commission", &admin).await.expect(200), policy);
    let new = app.create_order(&customer, 10_001, &json!({"acceptance": "auto"})).await;
    assert_eq!((&new["payout"], &new["commission"], &new["rate_bp"]), (&json!(9_800), &json!(201), &json!(200)), "rounded up");
    until_within("the other node follows", Duration::from_secs(3), async || {
        beside.call("GET", "/api/quote?price=10001", None, &Value::Null).await.expect(200)["commission"] == 201
    })
    .await;
    let there = beside.create_order(&customer, 10_000, &Value::Null).await;
    assert_eq!((&there["payout"], &there["mode"]), (&json!(9_800), &json!("exact")));

    for order in [&old, &new] {
        let id = order["id"].as_u64().unwrap();
        app.accept(&executor, id).await.expect(200);
        let done = app.act(&executor, id, "submit").await.expect(200);
        assert_eq!((&done["payout"], &done["commission"]), (&order["payout"], &order["commission"]));
    }
    assert_eq!(app.balance(&executor, "earnings").await, (9_000 + 9_800, 0));
    // A key that was used under the old policy answers what it answered then.
    let again = keyed(&app, &customer, "/api/orders", "before", &draft(500)).await.expect(201);
    assert_eq!(again["rate_bp"], 1_000);
    app.assert_books_balance().await;
}
