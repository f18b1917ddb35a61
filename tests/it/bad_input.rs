//! Whatever is sent, the answer is a problem that says what is wrong, and nothing happens.

use serde_json::{Value, json};

use crate::support::{Answer, Request, TestApp, User};

const CODES: [&str; 17] = [
    "invalid",
    "unauthenticated",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "mismatch",
    "taken",
    "frozen",
    "cancelled",
    "own_order",
    "stale",
    "insufficient_funds",
    "email_taken",
    "wrong_credentials",
    "limit",
    "user_closed",
    "nothing_to_sweep",
];

/// A refusal in good form: never our fault, and with a code that clients know.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    let problem = answer.problem();
    assert!(CODES.contains(&problem["code"].as_str().unwrap()), "{what}: {problem}");
}

/// People, and things of theirs to aim at.
pub(crate) struct Targets {
    customer: User,
    executor: User,
    admin: User,
    open: u64,
    in_work: u64,
    submitted: u64,
    topup: u64,
}

impl Targets {
    pub(crate) async fn set(app: &TestApp) -> Self {
        let (customer, executor, admin) = (app.customer(10_000_000).await, app.executor().await, app.admin().await);
        let (open, in_work, submitted) =
            (app.order(&customer, 1_000).await, app.order(&customer, 1_000).await, app.order(&customer, 1_000).await);
        for id in [in_work, submitted] {
            app.accept(&executor, id).await.expect(200);
        }
        app.act(&executor, submitted, "submit").await.expect(200);
        let topup = app.post("/api/topups", &customer, &json!({"amount": 100})).await.expect(201)["id"].as_u64().unwrap();
        Self { customer, executor, admin, open, in_work, submitted, topup }
    }

    /// Every route that must have a body: who calls it, and a body that it would take.
    pub(crate) fn with_body(&self) -> Vec<(&'static str, String, &User, Value)> {
        let Self { customer, executor, admin, submitted, topup, .. } = self;
        let new_order = json!({"title": "Paint", "description": "Green", "category": "repair", "currency": "RUB", "assignment": "first",
            "acceptance": "auto", "price": 100});
        vec![
            ("POST", "/api/register".to_owned(), customer, json!({"email": "a@b.ru", "password": "password1", "name": "Ann"})),
            ("POST", "/api/login".to_owned(), customer, json!({"email": "a@b.ru", "password": "password1", "role": "customer"})),
            ("POST", "/api/orders".to_owned(), customer, new_order),
            ("POST", "/api/topups".to_owned(), customer, json!({"amount": 100, "currency": "RUB"})),
            ("POST", format!("/api/sandbox/topups/{topup}"), customer, json!({"result": "paid"})),
            ("POST", format!("/api/orders/{submitted}/reject"), customer, json!({"reason": "No"})),
            (
                "POST",
                "/api/payouts".to_owned(),
                executor,
                json!({"amount": 100, "method": "card", "destination": "2200", "account": "wallet"}),
            ),
            ("POST", "/api/admin/payouts/1/reject".to_owned(), admin, json!({"comment": "No"})),
            ("PATCH", "/api/me".to_owned(), executor, json!({"sweeps_earnings": true})),
            ("PUT", "/api/admin/commission".to_owned(), admin, json!({"rate_bp": 1_000, "floor_bp": 800, "mode": "round"})),
        ]
    }

    /// Every route whose body may be missing.
    pub(crate) fn with_optional_body(&self) -> Vec<(String, &User)> {
        let path = |id: u64, act: &str| format!("/api/orders/{id}/{act}");
        vec![
            (path(self.open, "accept"), &self.executor),
            (path(self.open, "cancel"), &self.customer),
            (path(self.open, "freeze"), &self.customer),
            (path(self.open, "unfreeze"), &self.customer),
            (path(self.in_work, "submit"), &self.executor),
            (path(self.in_work, "abandon"), &self.executor),
            (path(self.submitted, "confirm"), &self.customer),
            ("/api/accounts/earnings/sweep".to_owned(), &self.executor),
            ("/api/admin/payouts/1/approve".to_owned(), &self.admin),
        ]
    }
}

/// Bodies that are wrong for every route, and how they are refused.
fn wrong_bodies() -> Vec<(&'static str, u16, Vec<u8>)> {
    let nested = |open: &str, close: &str| format!("{{\"title\": {}{}}}", open.repeat(5_000), close.repeat(5_000)).into_bytes();
    vec![
        ("half an object", 400, b"{".to_vec()),
        ("no JSON", 400, b"title=Paint&price=100".to_vec()),
        ("rubbish behind", 400, b"{} {}".to_vec()),
        ("a trailing comma", 400, b"{\"price\": 1,}".to_vec()),
        ("a NUL", 400, b"\0".to_vec()),
        ("UTF-16", 400, b"\xff\xfe{\0}\0".to_vec()),
        ("invalid UTF-8 in a text", 400, b"{\"title\": \"\xc3\x28\"}".to_vec()),
        ("null", 422, b"null".to_vec()),
        ("a number", 422, b"1".to_vec()),
        ("a text", 422, b"\"price\"".to_vec()),
        ("an unknown field", 422, b"{\"surprise\": 1}".to_vec()),
        ("deep arrays", 422, nested("[", "]")),
        ("deep objects", 422, nested("{\"a\":", "}")),
    ]
}

#[tokio::test]
async fn bodies_that_cannot_be_used_are_refused_on_every_route() {
    let app = TestApp::start().await;
    let targets = Targets::set(&app).await;
    let before = app.fingerprint().await;
    let routes = targets.with_body();
    let all = routes.iter().map(|(method, path, user, _)| (*method, path.as_str(), *user));
    let optional = targets.with_optional_body();
    let all: Vec<_> = all.chain(optional.iter().map(|(path, user)| ("POST", path.as_str(), *user))).collect();
    for (method, path, user) in &all {
        let send = async |content_type: &str, body: &[u8]| {
            app.send(&Request::new(method, path).bearer(Some(&user.token)).bytes(content_type, body)).await
        };
        for (what, status, body) in wrong_bodies() {
            let answer = send("application/json", &body).await;
            assert_refused(&answer, &format!("{what} to {method} {path}"));
            assert!([status, 400, 422].contains(&answer.status), "{what} to {path}: {} {}", answer.status, answer.text());
            assert_eq!(answer.problem()["code"], "invalid");
        }
        for kilobytes in [129, 1_024] {
            let huge = format!("{{\"title\": \"{}\"}}", "x".repeat(kilobytes * 1_024));
            send("application/json", huge.as_bytes()).await.refused(413, "invalid");
        }
    }
    for (method, path, user, body) in &routes {
        let send = async |request: Request| app.send(&request.bearer(Some(&user.token))).await;
        let body = body.to_string();
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            send(Request::new(method, path).bytes(content_type, body.as_bytes())).await.refused(415, "invalid");
        }
        send(Request::new(method, path)).await.refused(415, "invalid");
        send(Request::new(method, path).bytes("application/json", b"")).await.refused(400, "invalid");
    }
    assert_eq!(app.fingerprint().await, before);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_list_is_no_object() {
    let app = TestApp::start().await;
    let targets = Targets::set(&app).await;
    let before = app.fingerprint().await;
    let send = async |path: &str, user: &User, body: &Value| {
        app.post(path, user, body).await.refused(422, "invalid");
    };
    send("/api/topups", &targets.customer, &json!([100, "RUB"])).await;
    send("/api/orders", &targets.customer, &json!(["Paint", "Green", null, null, null, null, 100, null])).await;
    for (path, user) in targets.with_optional_body() {
        send(&path, user, &json!([])).await;
    }
    assert_eq!(app.fingerprint().await, before);
}

#[tokio::test]
async fn fields_of_the_wrong_type_and_missing_ones_are_refused() {
    let app = TestApp::start().await;
    let targets = Targets::set(&app).await;
    let optional = ["description", "category", "currency", "assignment", "acceptance", "account", "sweeps_earnings"];
    for (method, path, user, body) in targets.with_body() {
        for (field, value) in body.as_object().unwrap() {
            let send = async |body: &Value| app.call(method, &path, Some(&user.token), body).await;
            let mut without = body.clone();
            without.as_object_mut().unwrap().remove(field);
            let mut wrong = vec![json!([]), json!({}), json!(1.5), json!([value])];
            wrong.push(if value.is_string() { json!(1) } else { json!("1") });
            if !value.is_boolean() {
                wrong.push(json!(true));
            }
            if !optional.contains(&field.as_str()) {
                assert_refused(&send(&without).await, &format!("{path} without {field}"));
                wrong.push(Value::Null);
            }
            for value in wrong {
                let mut body = body.clone();
                body[field] = value;
                let answer = send(&body).await;
                assert_refused(&answer, &format!("{path} with {body}"));
                assert_eq!(answer.problem()["code"], "invalid", "{path} with {body}");
            }
            let mut more = body.clone();
            more["surprise"] = json!(1);
            send(&more).await.refused(422, "invalid");
            let twice = body.to_string().replacen('{', &format!("{{\"{field}\": {value}, "), 1);
            let request = Request::new(method, &path).bearer(Some(&user.token)).bytes("application/json", twice.as_bytes());
            app.send(&request).await.refused(422, "invalid");
        }
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn amounts_that_are_no_money_are_refused_everywhere() {
    let app = TestApp::start().await;
    let targets = Targets::set(&app).await;
    let before = app.fingerprint().await;
    let amounts = [
        "0",
        "-0",
        "-1",
        "1.5",
        "100.0",
        "1e2",
        "1e30",
        "1e400",
        "-1e400",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1000000000001",
        "\"100\"",
        "\"1e3\"",
        "null",
        "true",
        "[100]",
        "{\"minor\": 100}",
        "NaN",
        "Infinity",
        "0x64",
        "1_000",
        "+5",
        "007",
    ];
    for amount in amounts {
        let bodies = [
            ("/api/orders", format!("{{\"title\": \"Paint\", \"price\": {amount}}}")),
            ("/api/orders", format!("{{\"title\": \"Paint\", \"payout\": {amount}}}")),
            ("/api/topups", format!("{{\"amount\": {amount}}}")),
        ];
        for (path, body) in bodies {
            let request = Request::new("POST", path).bearer(Some(&targets.customer.token)).bytes("application/json", body.as_bytes());
            let answer = app.send(&request).await;
            assert_refused(&answer, &body);
            assert_eq!(answer.problem()["code"], "invalid", "{body}");
        }
        if !["\"", "[", "{", " "].iter().any(|c| amount.contains(c)) && !["+5", "007"].contains(&amount) {
            for side in ["price", "payout"] {
                app.call("GET", &format!("/api/quote?{side}={amount}"), None, &Value::Null).await.refused(422, "invalid");
            }
        }
    }
    let order = async |body: Value| app.post("/api/orders", &targets.customer, &body).await.refused(422, "invalid");
    let zero_payout = order(json!({"title": "Paint", "price": 1})).await;
    assert_eq!(zero_payout["reason"], "payout_zero");
    let both = order(json!({"title": "Paint", "price": 100, "payout": 90})).await;
    assert_eq!(both["field"], "payout");
    let neither = order(json!({"title": "Paint"})).await;
    assert_eq!((&neither["field"], &neither["reason"]), (&json!("price"), &json!("required")));
    for query in [
        "",
        "?price=100&payout=90",
        "?price=",
        "?price=100&price=100",
        "?price=100&currency=rub",
        "?price=100&surprise=1",
        "?price=1",
        "?price=100&rate_bp=200",
        "?price=100&rate_bp=200&floor_bp=300&mode=exact",
        "?price=100&rate_bp=200&floor_bp=0&mode=other",
    ] {
        app.call("GET", &format!("/api/quote{query}"), None, &Value::Null).await.refused(422, "invalid");
    }
    let older = app.call("GET", "/api/quote?price=10001&rate_bp=200&floor_bp=0&mode=exact", None, &Value::Null).await.expect(200);
    assert_eq!((&older["commission"], &older["rate_bp"]), (&json!(201), &json!(200)), "an order's own policy can be asked for");
    for policy in
        [json!([0, 0]), json!([5_001, 0]), json!([100, 101]), json!([-1, 0]), json!([65_536, 0]), json!([100, -1]), json!([100, 0.5])]
    {
        let body = json!({"rate_bp": policy[0], "floor_bp": policy[1], "mode": "round"});
        app.call("PUT", "/api/admin/commission", Some(&targets.admin.token), &body).await.refused(422, "invalid");
    }
    assert_eq!(app.fingerprint().await, before);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn texts_and_names_that_cannot_be_shown_are_refused_by_field() {
    let app = TestApp::start().await;
    let targets = Targets::set(&app).await;
    let before = app.fingerprint().await;
    let long = |chars: usize| "ы".repeat(chars);
    let orders = [
        ("title", "required", json!("")),
        ("title", "required", json!(" \t\u{3000} ")),
        ("title", "too_long", json!(long(161))),
        ("title", "control_characters", json!("a\0b")),
        ("title", "control_characters", json!("a\nb")),
        ("title", "control_characters", json!("a\u{202e}b")),
        ("title", "control_characters", json!("a\u{85}b")),
        ("description", "too_long", json!(long(8_001))),
        ("description", "control_characters", json!("a\u{7}b")),
        ("category", "unknown", json!("gardening")),
        ("category", "unknown", json!("")),
        ("category", "unknown", json!(long(5_000))),
        ("category", "unknown", json!("it'; drop table orders; --")),
        ("currency", "currency", json!("rub")),
        ("currency", "currency", json!("XAU")),
        ("currency", "currency", json!("ZZZ")),
        ("currency", "currency", json!("")),
    ];
    for (field, reason, value) in orders {
        let mut body = json!({"title": "Paint", "description": "Green", "price": 100});
        body[field] = value;
        let problem = app.post("/api/orders", &targets.customer, &body).await.refused(422, "invalid");
        assert_eq!((&problem["field"], &problem["reason"]), (&json!(field), &json!(reason)), "{problem}");
    }
    let people = [
        ("email", "email", json!("nobody")),
        ("email", "email", json!("a@b")),
        ("email", "control_characters", json!("a\0@b.ru")),
        ("email", "too_long", json!(format!("{}@b.ru", "a".repeat(250)))),
        ("name", "required", json!(" ")),
        ("name", "too_long", json!(long(65))),
        ("name", "control_characters", json!("A\u{202e}nn")),
        ("password", "too_short", json!("1234567")),
        ("password", "too_long", json!(long(129))),
    ];
    for (field, reason, value) in people {
        let mut body = json!({"email": "new@example.org", "password": "password1", "name": "Ann"});
        body[field] = value;
        let problem = app.call("POST", "/api/register", None, &body).await.refused(422, "invalid");
        assert_eq!((&problem["field"], &problem["reason"]), (&json!(field), &json!(reason)), "{problem}");
    }
    for role in ["", "Customer", "root"] {
        let body = json!({"email": "a@b.ru", "password": "password1", "role": role});
        assert_eq!(app.call("POST", "/api/login", None, &body).await.refused(422, "invalid")["reason"], "role");
    }
    let reject = format!("/api/orders/{}/reject", targets.submitted);
    for reason in ["".to_owned(), "a\0b".to_owned(), long(8_001)] {
        app.post(&reject, &targets.customer, &json!({"reason": reason})).await.refused(422, "invalid");
    }
    let submit = format!("/api/orders/{}/submit", targets.in_work);
    for report in ["a\0b".to_owned(), long(8_001)] {
        app.post(&submit, &targets.executor, &json!({"report": report})).await.refused(422, "invalid");
    }
    assert_eq!(app.fingerprint().await, before);

    // The longest that may be.
    let body = json!({"title": long(160), "description": long(8_000), "price": 100});
    app.post("/api/orders", &targets.customer, &body).await.expect(201);
    let odd = json!({"title": "'; drop table orders; -- <script>alert(1)</script> 🦀", "description": "tabs\tand\r\nlines", "price": 100});
    let order = app.post("/api/orders", &targets.customer, &odd).await.expect(201);
    assert_eq!((&order["title"], &order["description"]), (&odd["title"], &json!("tabs\tand\nlines")));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn ids_that_name_nothing_name_nothing() {
    let app = TestApp::start().await;
    let targets = Targets::set(&app).await;
    let before = app.fingerprint().await;
    let ids = [
        "0",
        "-1",
        "1.5",
        "abc",
        "999999999",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "%00",
        "%ff",
        "1%2F1",
        "1e3",
        "0x1",
        "%31%00",
        "null",
        "'",
        &"9".repeat(2_000),
    ];
    for id in ids {
        for act in ["accept", "cancel", "freeze", "unfreeze", "submit", "confirm", "abandon", "reject", "apply"] {
            for user in [&targets.customer, &targets.executor] {
                // Only the role that takes orders gets as far as the order.
                if act == "accept" && user.id == targets.customer.id {
                    continue;
                }
                let answer = app.post(&format!("/api/orders/{id}/{act}"), user, &json!({"reason": "x"})).await;
                assert_refused(&answer, &format!("{act} {id}"));
                let answer = app.act(user, 0, act).await;
                assert_refused(&answer, act);
            }
        }
        let customer = Some(targets.customer.token.as_str());
        for path in [format!("/api/orders/{id}"), format!("/api/topups/{id}")] {
            app.call("GET", &path, customer, &Value::Null).await.refused(404, "not_found");
        }
        app.call("DELETE", &format!("/api/sessions/{id}"), customer, &Value::Null).await.refused(404, "not_found");
        app.call("POST", &format!("/api/sandbox/topups/{id}"), customer, &json!({"result": "paid"})).await.refused(404, "not_found");
        app.call("GET", &format!("/api/accounts/{id}/entries"), customer, &Value::Null).await.refused(404, "not_found");
    }
    assert_eq!(app.fingerprint().await, before);
}

#[tokio::test]
async fn pages_that_cannot_be_asked_for_are_refused() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let lists = ["/api/orders?list=open", "/api/orders?list=mine", "/api/topups?", "/api/accounts/wallet/entries?"];
    let queries = [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=abc",
        "limit=1e1",
        "limit=4294967296",
        "limit=",
        "limit=1&limit=2",
        "cursor=abc",
        "cursor=-1",
        "cursor=18446744073709551616",
        "cursor=",
        "cursor=%00",
        "cursor=%ff",
        "surprise=1",
        "LIMIT=1",
    ];
    for list in lists {
        for query in queries {
            let answer = app.get(&format!("{list}&{query}"), &customer).await;
            assert_refused(&answer, &format!("{list}&{query}"));
            assert_eq!(answer.problem()["code"], "invalid", "{list}&{query}");
        }
        for fine in ["limit=1", "limit=100", "cursor=0", "cursor=18446744073709551615"] {
            app.get(&format!("{list}&{fine}"), &customer).await.expect(200);
        }
    }
    for path in [
        "/api/orders?list=all",
        "/api/orders?list=open&status=done",
        "/api/orders?list=mine&status=gone",
        "/api/orders?list=mine&category=it",
        "/api/accounts/wallet/entries?currency=rub",
    ] {
        app.get(path, &customer).await.refused(422, "invalid");
    }
    app.get("/api/board?board=category:gardening", &customer).await.refused(404, "not_found");
    app.get("/api/accounts/gold/entries", &customer).await.refused(404, "not_found");
}

#[tokio::test]
async fn wrong_methods_paths_and_tokens_are_named() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let paths = [
        "/api/register",
        "/api/login",
        "/api/logout",
        "/api/me",
        "/api/session",
        "/api/sessions",
        "/api/categories",
        "/api/quote",
        "/api/board",
        "/api/orders",
        "/api/orders/1",
        "/api/orders/1/accept",
        "/api/accounts",
        "/api/accounts/wallet/entries",
        "/api/topups",
        "/api/topups/1",
        "/api/sandbox/topups/1",
        "/api/sandbox/robokassa",
        "/api/sandbox/robokassa/pay",
        "/api/sandbox/robokassa/decline",
        "/api/robokassa/result",
        "/api/robokassa/success",
        "/api/robokassa/fail",
        "/api/admin/commission",
        "/healthz",
        "/readyz",
        "/metrics",
    ];
    for path in paths {
        for method in ["TRACE", "PROPFIND", "LINK"] {
            app.call(method, path, Some(&customer.token), &Value::Null).await.refused(405, "method_not_allowed");
        }
    }
    for (method, path) in [
        ("GET", "/api/login"),
        ("DELETE", "/api/orders"),
        ("PUT", "/api/orders/1"),
        ("GET", "/api/orders/1/accept"),
        ("POST", "/api/me"),
        ("POST", "/healthz"),
        ("POST", "/"),
        ("DELETE", "/orders"),
    ] {
        app.call(method, path, Some(&customer.token), &Value::Null).await.refused(405, "method_not_allowed");
    }
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/orders/1/accept/more",
        "/api//orders",
        "/api/orders/",
        "/api/ORDERS",
        "/assets/nothing.js",
        "/robots.txt",
        "/api/../etc/passwd",
    ] {
        app.call("GET", path, Some(&customer.token), &Value::Null).await.refused(404, "not_found");
    }
    for token in ["", "x", "null", &"x".repeat(10_000), "' or 1=1 --", "a b"] {
        app.call("GET", "/api/me", Some(token), &Value::Null).await.refused(401, "unauthenticated");
    }
    for header in ["Basic dXNlcjpwYXNz", "Bearer", "bearer  ", "\u{fc}"] {
        app.send(&Request::new("GET", "/api/me").header("authorization", header)).await.refused(401, "unauthenticated");
    }
    for cookie in ["sid=", "sid=wrong", "sid", "=;=;;", "sid=\"x\""] {
        app.send(&Request::new("GET", "/api/me").header("cookie", cookie)).await.refused(401, "unauthenticated");
    }
    app.call("GET", "/ws", None, &Value::Null).await.refused(426, "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_no_column_could_hold_name_nothing() {
    let app = TestApp::start().await;
    let (customer, admin) = (app.customer(0).await, app.admin().await);
    for name in ["%C3%A4", "%D1%8F-1", "%F0%9F%98%80", "%C2%80%0D%7F"] {
        for user in [&customer, &admin] {
            app.get(&format!("/api/billing/operations/{name}"), user).await.refused(404, "not_found");
        }
        let path = format!("/api/admin/categories/{name}");
        app.call("PATCH", &path, Some(&admin.token), &json!({"place": 1})).await.refused(404, "not_found");
        app.call("DELETE", &format!("/api/subscriptions/{name}"), Some(&customer.token), &Value::Null).await.expect(204);
    }
}
