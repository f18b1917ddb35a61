//! What admins see of people and do to them, and being somebody else in development.

use std::time::Duration;

use orderboard::http::Mode;
use serde_json::{Value, json};

use crate::support::{TestApp, User, until_within};

const SECOND: Duration = Duration::from_secs(1);

fn ids(list: &Value) -> Vec<u64> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect()
}

async fn find(app: &TestApp, admin: &User, query: &str) -> Vec<u64> {
    ids(&app.get(&format!("/api/admin/users?{query}"), admin).await.expect(200))
}

async fn register(app: &TestApp, email: &str, name: &str) -> u64 {
    let body = json!({"email": email, "password": "correct horse", "name": name});
    app.call("POST", "/api/register", None, &body).await.expect(201)["user"]["id"].as_u64().unwrap()
}

#[tokio::test]
async fn admins_find_people_by_number_name_and_address_page_by_page() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let ann = register(&app, "zoe_1@example.org", "Яна 100%").await;
    let bob = register(&app, "zoeb1@example.org", "Боб").await;
    let many: Vec<u64> = app.executors(12).await.iter().map(|user| user.id).rev().collect();

    assert_eq!(find(&app, &admin, "q=%D1%8F%D0%BD").await, [ann], "the case of a name does not matter");
    assert_eq!(find(&app, &admin, "q=ZOE").await, [bob, ann]);
    assert_eq!(find(&app, &admin, "q=zoe_").await, [ann], "an underscore is an underscore");
    assert_eq!(find(&app, &admin, &format!("q={bob}")).await, [bob]);
    assert_eq!(find(&app, &admin, "q=nobody-is-called-so").await, [0_u64; 0]);
    for q in ["", "q=Taker&"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("/api/admin/users?{q}limit=5{cursor}").replace("?limit", "?limit"), &admin).await.expect(200);
            seen.extend(ids(&page));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let of_interest: Vec<u64> = seen.iter().copied().filter(|id| many.contains(id)).collect();
        assert_eq!(of_interest, many);
        assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    }
    let item = &app.get("/api/admin/users?q=zoe_", &admin).await.expect(200)["items"][0];
    assert_eq!((&item["email"], &item["is_admin"], &item["closed_at"]), (&json!("zoe_1@example.org"), &json!(false), &Value::Null));
    assert!(item.get("password_hash").is_none());

    let customer = app.customer(5_000).await;
    let shown = app.get(&format!("/api/admin/users/{}", customer.id), &admin).await.expect(200);
    assert_eq!((&shown["id"], &shown["sessions"]), (&json!(customer.id), &json!(1)));
    assert!(shown["accounts"].as_array().unwrap().iter().any(|account| account["available"] == 5_000), "{shown}");
    assert_eq!(shown["customer"]["orders_created"], 0);
    app.get("/api/admin/users/999999", &admin).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_closed_user_is_out_on_every_node_until_somebody_opens_them_again() {
    let one = TestApp::start().await;
    let two = one.beside().await;
    let admin = one.admin().await;
    let id = register(&one, "closed@example.org", "Clara").await;
    let body = json!({"email": "closed@example.org", "password": "correct horse", "role": "customer"});
    let login = async || one.call("POST", "/api/login", None, &body).await;
    let user = User { id, token: login().await.expect(200)["token"].as_str().unwrap().to_owned() };
    two.get("/api/me", &user).await.expect(200);
    let mut socket = two.watcher(Some(&user.token)).await;
    let (close, reopen) = (format!("/api/admin/users/{id}/close"), format!("/api/admin/users/{id}/reopen"));

    let closed = one.post(&close, &admin, &Value::Null).await.expect(200);
    assert!(closed["closed_at"].is_string() && closed["sessions"] == 0, "{closed}");
    one.get("/api/me", &user).await.refused(401, "unauthenticated");
    let elsewhere = until_within("the other node knows", SECOND, async || two.get("/api/me", &user).await.status == 401);
    let (code, ()) = tokio::join!(socket.closed_within(SECOND), elsewhere);
    assert_eq!(code, 4401);
    login().await.refused(401, "wrong_credentials");
    assert_eq!(one.post(&close, &admin, &Value::Null).await.expect(200)["closed_at"], closed["closed_at"]);

    for _ in 0..2 {
        assert_eq!(two.post(&reopen, &admin, &Value::Null).await.expect(200)["closed_at"], Value::Null);
    }
    let again = User { id, token: login().await.expect(200)["token"].as_str().unwrap().to_owned() };
    one.post("/api/topups", &again, &json!({"amount": 1_000})).await.expect(201);
    one.get("/api/me", &user).await.refused(401, "unauthenticated");
    let flow = one.app().flow.clone();
    let findings = one.run(async move { flow.audit().await.unwrap() }).await;
    assert!(findings.iter().all(|finding| finding.violations.is_empty()), "the accounts are open with their user");
}

#[tokio::test]
async fn nobody_but_an_admin_sees_or_closes_people_and_no_admin_closes_themselves() {
    let app = TestApp::start().await;
    let (admin, customer, executor) = (app.admin().await, app.customer(0).await, app.executor().await);
    let of = |what: &str| format!("/api/admin/users/{}{what}", executor.id);
    for (method, path) in [("GET", "/api/admin/users".to_owned()), ("GET", of("")), ("POST", of("/close")), ("POST", of("/reopen"))] {
        app.call(method, &path, None, &Value::Null).await.refused(401, "unauthenticated");
        for user in [&customer, &executor] {
            app.call(method, &path, Some(&user.token), &Value::Null).await.refused(403, "forbidden");
        }
    }
    app.post(&format!("/api/admin/users/{}/close", admin.id), &admin, &Value::Null).await.refused(403, "forbidden");
    app.post("/api/admin/users/999999/close", &admin, &Value::Null).await.refused(404, "not_found");
    app.post("/api/admin/users/999999/reopen", &admin, &Value::Null).await.refused(404, "not_found");
    app.get("/api/me", &admin).await.expect(200);
    app.get("/api/me", &executor).await.expect(200);
}

#[tokio::test]
async fn in_development_one_can_be_anybody_and_in_production_nobody_else() {
    let app = TestApp::start().await;
    let (admin, customer) = (app.admin().await, app.customer(0).await);
    let switch =
        async |user: Option<&User>, body: &Value| app.call("POST", "/api/dev/switch", user.map(|user| user.token.as_str()), body).await;
    let as_guest = switch(None, &json!({"user_id": customer.id, "role": "executor"})).await;
    let signed_in = as_guest.expect(200);
    assert_eq!((&signed_in["role"], &signed_in["user"]["id"]), (&json!("executor"), &json!(customer.id)));
    assert!(as_guest.header("set-cookie").unwrap().starts_with("sid="));
    let executor = User { id: customer.id, token: signed_in["token"].as_str().unwrap().to_owned() };
    assert_eq!(app.get("/api/me", &executor).await.expect(200)["role"], "executor");
    // Only the role: nobody else is named.
    assert_eq!(switch(Some(&executor), &json!({"role": "customer"})).await.expect(200)["user"]["id"], customer.id);
    switch(None, &json!({"role": "customer"})).await.refused(401, "unauthenticated");
    switch(Some(&customer), &json!({"role": "admin"})).await.refused(403, "forbidden");
    assert_eq!(switch(Some(&customer), &json!({"user_id": admin.id, "role": "admin"})).await.expect(200)["role"], "admin");
    switch(None, &json!({"user_id": 999_999, "role": "customer"})).await.refused(404, "not_found");
    switch(None, &json!({"user_id": customer.id, "role": "king"})).await.refused(422, "invalid");

    let production = app.beside_with(|config| config.mode = Mode::Production).await;
    let answer = production.call("POST", "/api/dev/switch", None, &json!({"user_id": customer.id, "role": "customer"})).await;
    assert!([404, 405].contains(&answer.status), "{}", answer.status);
}
