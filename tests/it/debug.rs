//! Admins see what a request asked of MySQL and Redis and how long that took; nobody else notices anything.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, Request, TestApp, User, until};

const DEBUG: &str = "/api/admin/debug";

/// A node whose process hears the calls, as the real one does.
async fn app() -> TestApp {
    orderboard::telemetry::log(orderboard::http::listener());
    TestApp::start().await
}

async fn debugged(app: &TestApp, path: &str, user: &User) -> Answer {
    app.send(&Request::new("GET", path).bearer(Some(&user.token)).header("x-debug", "1")).await
}

fn id(answer: &Answer) -> &str {
    answer.header("x-request-id").expect("every answer has an id")
}

/// Whether it tells what it has cost.
fn is_timed(answer: &Answer) -> bool {
    answer.header("server-timing").is_some_and(|timing| timing.contains("total;"))
}

async fn kept(app: &TestApp, admin: &User, id: &str) -> Answer {
    app.get(&format!("{DEBUG}/requests/{id}"), admin).await
}

async fn switch(app: &TestApp, admin: &User, body: &Value) -> Answer {
    app.call("PUT", DEBUG, Some(&admin.token), body).await
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let app = app().await;
    let user = app.executor().await;
    let mut ids = BTreeSet::new();
    for path in ["/api/me", "/api/orders", "/api/nothing", "/", "/healthz", "/api/admin/figures"] {
        let answer = app.get(path, &user).await;
        assert!(ids.insert(id(&answer).to_owned()), "{path}: {}", id(&answer));
        assert!(!is_timed(&answer), "{path}");
    }
}

#[tokio::test]
async fn an_admin_asks_what_one_request_costs() {
    let app = app().await;
    let (admin, customer) = (app.admin().await, app.customer(10_000).await);
    let order = app.create_order(&customer, 1_000, &json!({"title": "Nobody else is to read this"})).await["id"].as_u64().unwrap();
    let path = format!("/api/orders/{order}");
    let plain = app.get(&path, &admin).await;
    assert!(!is_timed(&plain));
    let answer = debugged(&app, &path, &admin).await;
    assert_eq!((answer.expect(200), answer.header("content-type")), (plain.expect(200), plain.header("content-type")));
    let timing = answer.header("server-timing").unwrap();
    assert!(
        timing.starts_with("source;desc=\"mysql\", age;dur=0, total;dur=") && timing.contains("db;dur=") && timing.contains("select"),
        "{timing}"
    );
    assert!(timing.len() < 2_500, "{timing}");

    let told = kept(&app, &admin, id(&answer)).await.expect(200);
    assert_eq!((&told["method"], &told["route"], &told["status"]), (&json!("GET"), &json!("/api/orders/{id}"), &json!(200)));
    assert_eq!(told["user_id"], admin.id);
    let calls = told["calls"].as_array().unwrap();
    assert!(calls.iter().all(|call| call["kind"] == "mysql"), "{told}");
    let texts = calls.iter().find(|call| call["call"].as_str().unwrap().contains("order_texts")).expect("the order's texts are read");
    assert!(texts["took_us"].as_u64().unwrap() > 0 && texts["call"].as_str().unwrap().contains("where o.id = ?"), "{texts}");
    assert!(told["mysql_us"].as_u64().unwrap() <= told["took_us"].as_u64().unwrap(), "{told}");
    // Shapes, not values.
    assert!(!told.to_string().contains("Nobody else"), "{told}");
    kept(&app, &admin, id(&plain)).await.refused(404, "not_found");
    // A page is no different.
    let page = debugged(&app, "/healthz", &admin).await;
    assert!(page.header("server-timing").unwrap().contains("0 statements"));
}

#[tokio::test]
async fn nobody_but_an_admin_is_told_anything() {
    let app = app().await;
    let (admin, user) = (app.admin().await, app.executor().await);
    let answer = debugged(&app, "/api/me", &user).await;
    answer.expect(200);
    assert!(!is_timed(&answer));
    let guest = app.send(&Request::new("GET", "/api/orders").header("x-debug", "1")).await;
    assert!(!is_timed(&guest));
    for request_id in [id(&answer), id(&guest)] {
        kept(&app, &admin, request_id).await.refused(404, "not_found");
        kept(&app, &user, request_id).await.refused(403, "forbidden");
    }
    app.get(DEBUG, &user).await.refused(403, "forbidden");
    switch(&app, &user, &json!({"on": true})).await.refused(403, "forbidden");
}

#[tokio::test]
async fn while_it_is_switched_on_every_node_keeps_every_request() {
    let app = app().await;
    let beside = app.beside().await;
    let (admin, user) = (app.admin().await, app.executor().await);
    for wrong in [json!({"on": true, "minutes": 0}), json!({"on": true, "minutes": 61}), json!({})] {
        switch(&app, &admin, &wrong).await.refused(422, "invalid");
    }
    let on = switch(&app, &admin, &json!({"on": true, "minutes": 5})).await.expect(200);
    assert_eq!(on["on"], true);
    let answer = app.get("/api/me", &user).await;
    assert!(!is_timed(&answer), "its figures are for admins");
    let told = kept(&app, &admin, id(&answer)).await.expect(200);
    assert_eq!((&told["user_id"], told["mysql_calls"].as_u64().unwrap() > 0), (&json!(user.id), true), "{told}");
    until("the other node has heard", async || {
        let answer = beside.get("/api/me", &user).await;
        kept(&beside, &admin, id(&answer)).await.status == 200
    })
    .await;
    // A service's command goes into the queue: that is Redis.
    let flow = app.app().flow.clone();
    let token = app.run(async move { flow.make_service_token("shop").await.unwrap() }).await;
    let command = json!({"operation_id": "one", "type": "credit", "user_id": user.id, "amount": 100});
    let queued = app.call("POST", "/api/billing/operations", Some(&token), &command).await;
    let told = kept(&app, &admin, id(&queued)).await.expect(200);
    assert_eq!((queued.status, &told["redis_calls"]), (202, &json!(1)), "{told}");

    let many = app.get("/api/me", &user).await;
    for _ in 0..220 {
        app.get("/api/quote?price=1000", &user).await.expect(200);
    }
    kept(&app, &admin, id(&many)).await.refused(404, "not_found");
    let listed = app.get(DEBUG, &admin).await.expect(200);
    assert_eq!(listed["requests"].as_array().unwrap().len(), 200);

    switch(&app, &admin, &json!({"on": false})).await.expect(200);
    let answer = app.get("/api/me", &user).await;
    kept(&app, &admin, id(&answer)).await.refused(404, "not_found");
}

#[tokio::test]
async fn it_ends_by_itself() {
    let app = app().await;
    let (admin, user) = (app.admin().await, app.executor().await);
    switch(&app, &admin, &json!({"on": true, "minutes": 1})).await.expect(200);
    sqlx::query("update settings set value = '1' where name = 'debug'").execute(&app.sql).await.unwrap();
    until("the time is over", async || app.get(DEBUG, &admin).await.expect(200)["on"] == false).await;
    let answer = app.get("/api/me", &user).await;
    kept(&app, &admin, id(&answer)).await.refused(404, "not_found");
}
