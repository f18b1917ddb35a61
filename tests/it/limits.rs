//! Whoever asks too often is told so, with the reason and when to come back; and nobody else is.

use orderboard::app::AppConfig;
use orderboard::config::{LimitArgs, Switch};
use serde_json::{Value, json};

use crate::support::{Answer, OwnRedis, Request, TestApp, User, until};

/// Nothing is limited but what the test sets.
fn limited(set: impl FnOnce(&mut LimitArgs)) -> impl FnOnce(&mut AppConfig) {
    move |config| {
        config.callers.limits = Switch::On;
        set(&mut config.callers);
    }
}

/// Asks until it is refused; how often it was answered before, and the problem.
async fn until_refused(limit: &str, mut ask: impl AsyncFnMut() -> Answer) -> (u32, Value) {
    for answered in 0..1_000 {
        let answer = ask().await;
        if answer.status == 429 {
            let problem = answer.refused(429, "limit");
            assert_eq!((problem["limit"].as_str(), problem["allowed"].is_u64()), (Some(limit), true), "{problem}");
            assert_eq!(answer.header("retry-after").unwrap(), problem["retry_after_s"].to_string(), "{problem}");
            return (answered, problem);
        }
        assert!(answer.status < 500, "{}", answer.text());
    }
    panic!("never refused");
}

async fn me(app: &TestApp, user: &User) -> Answer {
    app.get("/api/me", user).await
}

async fn guest(app: &TestApp, path: &str) -> Answer {
    app.call("GET", path, None, &Value::Null).await
}

#[tokio::test]
async fn a_user_who_asks_too_often_is_refused_and_others_are_not() {
    let app = TestApp::start_with(limited(|limits| (limits.limit_requests_s, limits.limit_requests_burst) = (1, 6))).await;
    let (one, other) = (app.executor().await, app.executor().await);
    let (answered, problem) = until_refused("requests_s", async || me(&app, &one).await).await;
    assert!((6..=8).contains(&answered), "{answered}");
    assert_eq!((&problem["allowed"], &problem["retry_after_s"]), (&json!(1), &json!(1)));
    me(&app, &other).await.expect(200);
    guest(&app, "/api/quote?price=1000").await.expect(200);
    // By the cookie it is the same user.
    let by_cookie = app.send(&Request::new("GET", "/api/me").header("cookie", &format!("sid={}", one.token))).await;
    by_cookie.refused(429, "limit");
    // After the time that it was told it is answered again.
    until("the user is answered again", async || me(&app, &one).await.status == 200).await;
}

#[tokio::test]
async fn a_minute_is_limited_besides() {
    let app = TestApp::start_with(limited(|limits| limits.limit_requests_min = 12)).await;
    let user = app.executor().await;
    let (answered, problem) = until_refused("requests_min", async || me(&app, &user).await).await;
    assert_eq!((answered, &problem["retry_after_s"]), (12, &json!(5)));
}

#[tokio::test]
async fn guests_are_counted_by_address_and_what_operators_and_browsers_need_is_not_counted() {
    let app = TestApp::start_with(limited(|limits| (limits.limit_requests_s, limits.limit_requests_burst) = (1, 5))).await;
    until_refused("requests_s", async || guest(&app, "/api/quote?price=1000").await).await;
    guest(&app, "/api/nothing").await.refused(429, "limit");
    // A token that is nobody's does not make a guest somebody else.
    app.call("GET", "/api/me", Some("nobody"), &Value::Null).await.refused(429, "limit");
    app.call("GET", "/api/billing/operations/x", Some("nobody"), &Value::Null).await.refused(429, "limit");
    for path in ["/healthz", "/readyz", "/metrics", "/", "/orders/mine", "/assets/none.js"] {
        for _ in 0..20 {
            assert_ne!(guest(&app, path).await.status, 429, "{path}");
        }
    }
    // The gateway's messages are signed; it is told that they are not believed, and not to stay away.
    assert_ne!(guest(&app, "/api/robokassa/result").await.status, 429);
    me(&app, &app.executor().await).await.expect(200);
}

#[tokio::test]
async fn the_websocket_counts() {
    let app = TestApp::start_with(limited(|limits| (limits.limit_requests_s, limits.limit_requests_burst) = (1, 3))).await;
    let upgrade = || {
        Request::new("GET", "/ws")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let (answered, _) = until_refused("requests_s", async || app.send(&upgrade()).await).await;
    assert!((3..=4).contains(&answered), "{answered}");
}

#[tokio::test]
async fn a_service_is_not_limited_and_guessing_its_token_is() {
    let app = TestApp::start_with(limited(|limits| (limits.limit_requests_s, limits.limit_requests_burst) = (1, 5))).await;
    let flow = app.app().flow.clone();
    let token = app.run(async move { flow.make_service_token("shop").await.unwrap() }).await;
    let ask = async |token: &str| app.call("GET", "/api/billing/operations/none", Some(token), &Value::Null).await;
    for _ in 0..30 {
        ask(&token).await.refused(404, "not_found");
    }
    let (answered, _) = until_refused("requests_s", async || ask("guess").await).await;
    assert!((5..=7).contains(&answered), "{answered}");
}

#[tokio::test]
async fn an_address_is_believed_from_a_proxy_of_ours_and_from_nobody_else() {
    let forwarded = async |app: &TestApp, from: &str| {
        app.send(&Request::new("GET", "/api/quote?price=1000").header("x-forwarded-for", &format!("203.0.113.9, {from}"))).await
    };
    let few = |limits: &mut LimitArgs| (limits.limit_requests_s, limits.limit_requests_burst) = (1, 5);
    let app = TestApp::start_with(limited(few)).await;
    until_refused("requests_s", async || forwarded(&app, "198.51.100.1").await).await;
    forwarded(&app, "198.51.100.2").await.refused(429, "limit");

    let behind = TestApp::start_with(limited(|limits| {
        few(limits);
        limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    }))
    .await;
    until_refused("requests_s", async || forwarded(&behind, "198.51.100.1").await).await;
    forwarded(&behind, "198.51.100.2").await.expect(200);
    // One who has an IPv6 address has its whole network.
    until_refused("requests_s", async || forwarded(&behind, "2001:db8::1").await).await;
    forwarded(&behind, "2001:db8::2").await.refused(429, "limit");
    forwarded(&behind, "2001:db8:0:1::2").await.expect(200);
    // Sessions tell the caller's address, too.
    behind.call("POST", "/api/register", None, &json!({"email": "a@example.org", "password": "correct horse", "name": "A"})).await;
    let login = json!({"email": "a@example.org", "password": "correct horse", "role": "customer"});
    let signed_in = behind.send(&Request::new("POST", "/api/login").header("x-forwarded-for", "198.51.100.7").json(&login)).await;
    let user = User { id: 0, token: signed_in.expect(200)["token"].as_str().unwrap().to_owned() };
    assert_eq!(behind.get("/api/sessions", &user).await.expect(200)["items"][0]["address"], "198.51.100.7");
}

#[tokio::test]
async fn a_racing_executor_is_not_held_up_by_the_limit_of_requests() {
    let app = TestApp::start_with(limited(|limits| {
        (limits.limit_requests_s, limits.limit_requests_burst, limits.limit_accepts_s) = (1, 5, 10);
    }))
    .await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let order = app.order(&customer, 1_000).await;
    let (answered, problem) = until_refused("accepts_s", async || app.accept(&executor, order).await).await;
    assert!(answered >= 20, "{answered}");
    assert_eq!(problem["allowed"], 10);
    me(&app, &executor).await.expect(200);
    // Somebody else may go on.
    app.accept(&app.executor().await, order).await.refused(409, "taken");
}

#[tokio::test]
async fn a_customer_has_so_many_orders_a_day() {
    let app = TestApp::start_with(limited(|limits| limits.limit_orders_day = 3)).await;
    let (one, other) = (app.customer(1_000_000).await, app.customer(1_000_000).await);
    let create = async |user: &User, key: &str| {
        let draft = json!({"title": "Paint a fence", "price": 1_000});
        app.send(&Request::new("POST", "/api/orders").bearer(Some(&user.token)).header("idempotency-key", key).json(&draft)).await
    };
    let all = futures_util::future::join_all(["a", "b", "c", "d", "e", "f"].map(|key| create(&one, key))).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 201).count(), 3, "orders made at the same moment see each other");
    let problem = create(&one, "g").await.refused(429, "limit");
    assert_eq!((problem["limit"].as_str(), &problem["allowed"]), (Some("orders_day"), &json!(3)));
    assert!((86_300..=86_400).contains(&problem["retry_after_s"].as_u64().unwrap()), "{problem}");
    assert_eq!(app.balance(&one, "wallet").await, (997_000, 3_000));
    create(&other, "a").await.expect(201);
    // A refusal is not the answer for ever: a day later the same request is taken.
    sqlx::query("update orders set created_at = created_at - interval 1 day where customer_id = ?")
        .bind(one.id)
        .execute(&app.sql)
        .await
        .unwrap();
    create(&one, "g").await.expect(201);
}

#[tokio::test]
async fn guessing_a_password_is_limited_on_all_nodes_together_and_success_forgives() {
    let app = TestApp::start_with(limited(|limits| (limits.limit_attempts_email, limits.limit_attempts_address) = (4, 100))).await;
    let beside = app.beside().await;
    for email in ["a@example.org", "b@example.org"] {
        app.call("POST", "/api/register", None, &json!({"email": email, "password": "correct horse", "name": "A"})).await.expect(201);
    }
    let sign_in = async |node: &TestApp, email: &str, password: &str| {
        node.call("POST", "/api/login", None, &json!({"email": email, "password": password, "role": "customer"})).await
    };
    for node in [&app, &beside, &app] {
        sign_in(node, "a@example.org", "wrong").await.refused(401, "wrong_credentials");
    }
    sign_in(&beside, "a@example.org", "correct horse").await.expect(200);
    for node in [&app, &beside, &app, &beside] {
        sign_in(node, " A@example.ORG", "wrong").await.refused(401, "wrong_credentials");
    }
    for node in [&app, &beside] {
        let problem = sign_in(node, "a@example.org", "correct horse").await.refused(429, "limit");
        assert_eq!(problem["limit"], "attempts_email");
        assert!((200..=225).contains(&problem["retry_after_s"].as_u64().unwrap()), "{problem}");
    }
    sign_in(&app, "b@example.org", "correct horse").await.expect(200);
}

#[tokio::test]
async fn attempts_from_one_address_are_limited_each_kind_apart() {
    let app = TestApp::start_with(limited(|limits| (limits.limit_attempts_email, limits.limit_attempts_address) = (100, 3))).await;
    let mut number = 0;
    let mut register = async || {
        number += 1;
        let body = json!({"email": format!("{number}@example.org"), "password": "correct horse", "name": "A"});
        app.call("POST", "/api/register", None, &body).await
    };
    let (answered, _) = until_refused("attempts_address", async || register().await).await;
    assert_eq!(answered, 3);
    let body = json!({"email": "1@example.org", "password": "correct horse", "role": "customer"});
    app.call("POST", "/api/login", None, &body).await.expect(200);
    let forgot = async || app.call("POST", "/api/password/forgot", None, &json!({"email": "1@example.org"})).await;
    let (answered, _) = until_refused("attempts_address", async || forgot().await).await;
    assert_eq!(answered, 3);
}

#[tokio::test]
async fn without_redis_each_node_counts_by_itself() {
    let mut redis = OwnRedis::start().await;
    let url = redis.url().to_owned();
    let app = TestApp::start_with(|config| {
        config.redis_url = url;
        limited(|limits| limits.limit_attempts_email = 3)(config);
    })
    .await;
    let sign_in = async || {
        let body = json!({"email": "a@example.org", "password": "wrong", "role": "customer"});
        app.call("POST", "/api/login", None, &body).await
    };
    redis.kill().await;
    until("the node knows that Redis is gone", async || !app.app().bus.is_up()).await;
    let (answered, _) = until_refused("attempts_email", async || sign_in().await).await;
    assert_eq!(answered, 3);
    redis.start_again().await;
    until("Redis is back", async || app.app().bus.is_up()).await;
    sign_in().await.refused(401, "wrong_credentials");
}

#[tokio::test]
async fn an_admin_sees_what_was_refused_and_sets_the_limits_of_all_nodes() {
    let app = TestApp::start_with(limited(|limits| (limits.limit_requests_s, limits.limit_requests_burst) = (1, 4))).await;
    let beside = app.beside().await;
    let (admin, user) = (app.admin().await, app.executor().await);
    until_refused("requests_s", async || me(&app, &user).await).await;
    me(&app, &user).await.refused(429, "limit");
    let told = app.get("/api/admin/limits", &admin).await.expect(200);
    assert_eq!(told["in_force"]["requests_s"], 1);
    let refused = &told["refused"];
    assert_eq!(refused["by_caller"], json!([{"limit": "requests_s", "user_id": user.id, "address": null, "count": 2}]));
    assert!(refused["by_limit"].as_array().unwrap().contains(&json!({"limit": "requests_s", "count": 2})), "{refused}");
    for path in ["/api/admin/limits"] {
        app.get(path, &app.executor().await).await.refused(403, "forbidden");
        app.call("PUT", path, Some(&app.executor().await.token), &json!({})).await.refused(403, "forbidden");
    }

    let put = async |body: &Value| app.call("PUT", "/api/admin/limits", Some(&admin.token), body).await;
    put(&json!({"requests_s": 2_000_000})).await.refused(422, "invalid");
    put(&json!({"nonsense": 1})).await.refused(422, "invalid");
    let told = put(&json!({"requests_s": 0})).await.expect(200);
    let burst = json!({"requests_s": 0, "requests_burst": 4, "requests_min": 0, "accepts_s": 0, "orders_day": 0, "attempts_address": 0, "attempts_email": 0});
    assert_eq!((&told["in_force"], &told["configured"]["requests_s"], &told["set"]), (&burst, &json!(1), &json!({"requests_s": 0})));
    me(&app, &user).await.expect(200);
    // The other node follows.
    until("the limit is off at the other node", async || {
        let mut all = true;
        for _ in 0..12 {
            all &= me(&beside, &user).await.status == 200;
        }
        all
    })
    .await;
    put(&json!({})).await.expect(200);
    until_refused("requests_s", async || me(&app, &user).await).await;
}
