//! What is allowed, row by row: a guest, the order's customer, the contract's executor, another customer, another executor, an
//! admin. A number alone stands for the code that goes with it: 401 unauthenticated, 403 forbidden, 404 not found.

pub(super) struct Row {
    pub(super) verb: &'static str,
    pub(super) path: &'static str,
    pub(super) query: &'static str,
    /// What it is done to, see `place`.
    pub(super) thing: &'static str,
    /// JSON; words in braces are filled in.
    pub(super) body: &'static str,
    pub(super) expected: [&'static str; 6],
}

impl Row {
    fn to(self, thing: &'static str) -> Self {
        Self { thing, ..self }
    }

    fn with(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    fn asked(self, query: &'static str) -> Self {
        Self { query, ..self }
    }
}

macro_rules! verbs {
    ($($name:ident $verb:literal),+) => {$(
        fn $name(path: &'static str, expected: [&'static str; 6]) -> Row {
            Row { verb: $verb, path, query: "", thing: "", body: "", expected }
        }
    )+};
}

verbs!(get "GET", post "POST", put "PUT", patch "PATCH", delete "DELETE");

const ALL: [&str; 6] = ["200"; 6];
const SIGNED_IN: [&str; 6] = ["401", "200", "200", "200", "200", "200"];
const ADMIN: [&str; 6] = ["401", "403", "403", "403", "403", "200"];
/// Of the customer's own, which nobody else knows of.
const OWN: [&str; 6] = ["401", "200", "404", "404", "404", "404"];

pub(super) fn rows() -> Vec<Row> {
    let mut all = people();
    all.extend(orders());
    all.extend(contracts());
    all.extend(choosing());
    all.extend(money());
    all.extend(gateway());
    all.extend(told());
    all.extend(admin());
    all.extend(operation());
    all
}

fn people() -> Vec<Row> {
    vec![
        post("/api/register", ["201"; 6]).with(r#"{"email": "{fresh}@example.org", "password": "a long password", "name": "Ann"}"#),
        post("/api/login", ALL).to("person").with(r#"{"email": "{email}", "password": "a long password", "role": "customer"}"#),
        post("/api/login", ["403"; 6]).to("person").with(r#"{"email": "{email}", "password": "a long password", "role": "admin"}"#),
        post("/api/logout", ["204"; 6]),
        get("/api/me", SIGNED_IN),
        patch("/api/me", SIGNED_IN).with(r#"{"about": "About me"}"#),
        post("/api/me/password", of_the_signed_in("403 wrong_password")).with(r#"{"current": "not it", "new": "a long password"}"#),
        post("/api/me/email", of_the_signed_in("403 wrong_password")).with(r#"{"password": "not it", "email": "{fresh}@example.org"}"#),
        post("/api/password/forgot", ["409 no_mail"; 6]).with(r#"{"email": "{fresh}@example.org"}"#),
        post("/api/password/reset", ["410 link_over"; 6]).with(r#"{"token": "{fresh}", "password": "a long password"}"#),
        get("/api/users/{id}", ALL).to("customer"),
        get("/api/session", ALL),
        get("/api/sessions", SIGNED_IN),
        delete("/api/sessions/{id}", ["401", "204", "404", "404", "404", "404"]).to("session"),
        post("/api/dev/switch", ALL).to("somebody").with(r#"{"user_id": {id}, "role": "customer"}"#),
        post("/api/dev/switch", ["403"; 6]).to("somebody").with(r#"{"user_id": {id}, "role": "admin"}"#),
    ]
}

fn of_the_signed_in(answer: &'static str) -> [&'static str; 6] {
    ["401", answer, answer, answer, answer, answer]
}

fn orders() -> Vec<Row> {
    vec![
        get("/api/categories", ALL),
        get("/api/quote", ALL).asked("?price=10000"),
        get("/api/board", ALL),
        get("/api/orders", ALL),
        get("/api/orders", ALL).asked("?q=contract"),
        get("/api/orders", ALL).asked("?customer={customer}"),
        get("/api/orders", SIGNED_IN).asked("?list=mine"),
        get("/api/orders", SIGNED_IN).asked("?list=contracts"),
        post("/api/orders", ["401", "201", "403", "201", "403", "403"]).with(r#"{"title": "Hang a lamp", "price": 1000}"#),
        get("/api/orders/{id}", ALL).to("open"),
        get("/api/orders/{id}", ["404", "200", "404", "404", "404", "200"]).to("frozen"),
        get("/api/orders/{id}", ["404", "200", "200", "404", "404", "200"]).to("in_work"),
        get("/api/orders/{id}", ["404", "200", "200", "404", "404", "200"]).to("done"),
        patch("/api/orders/{id}", ["401", "200", "403", "403", "403", "403"]).to("open").with(r#"{"version": 1, "title": "Two lamps"}"#),
        patch("/api/orders/{id}", ["401", "409 stale", "403", "404", "404", "404"]).to("in_work").with(r#"{"version": 1, "price": 2000}"#),
        get("/api/orders/{id}/timeline", ["401", "200", "404", "404", "404", "200"]).to("open"),
        get("/api/orders/{id}/timeline", ["401", "200", "200", "404", "404", "200"]).to("in_work"),
    ]
}

fn contracts() -> Vec<Row> {
    let customers = ["401", "200", "403", "403", "403", "403"];
    let customers_hidden = ["401", "200", "403", "404", "404", "404"];
    let executors = ["401", "403", "200", "404", "404", "404"];
    let reason = r#"{"reason": "not what was asked for"}"#;
    vec![
        post("/api/orders/{id}/accept", ["401", "403", "200", "403", "200", "403"]).to("open"),
        post("/api/orders/{id}/accept", ["401", "403", "200", "403", "409 taken", "403"]).to("in_work"),
        post("/api/orders/{id}/accept", ["401", "403", "409 frozen", "403", "409 frozen", "403"]).to("frozen"),
        post("/api/orders/{id}/cancel", customers).to("open"),
        post("/api/orders/{id}/cancel", ["401", "409 stale", "403", "404", "404", "404"]).to("in_work"),
        post("/api/orders/{id}/freeze", customers).to("open"),
        post("/api/orders/{id}/unfreeze", OWN).to("frozen"),
        post("/api/orders/{id}/submit", executors).to("in_work"),
        post("/api/orders/{id}/abandon", executors).to("in_work"),
        post("/api/orders/{id}/confirm", customers_hidden).to("submitted"),
        post("/api/orders/{id}/reject", customers_hidden).to("submitted").with(reason),
        post("/api/orders/{id}/dispute", ["401", "200", "200", "404", "404", "403"]).to("in_work").with(reason),
        post("/api/orders/{id}/dispute", ["401", "409 stale", "403", "403", "403", "403"]).to("open").with(reason),
    ]
}

fn choosing() -> Vec<Row> {
    let offer = r#"{"message": "I can do that", "price": 900}"#;
    vec![
        post("/api/orders/{id}/apply", ["401", "403", "200", "403", "200", "403"]).to("wanted").with(offer),
        post("/api/orders/{id}/withdraw", ["401", "404", "200", "404", "404", "404"]).to("applied"),
        get("/api/orders/{id}/applications", ["401", "200", "200", "403", "200", "200"]).to("applied"),
        get("/api/orders/{id}/applications", ["401", "200", "200", "404", "404", "200"]).to("in_work"),
        post("/api/orders/{id}/choose", ["401", "200", "403", "403", "403", "403"]).to("applied").with(r#"{"executor_id": {executor}}"#),
        get("/api/applications", ["401", "403", "200", "403", "200", "403"]),
    ]
}

fn money() -> Vec<Row> {
    let (short, nothing) = ("409 insufficient_funds", "409 nothing_to_sweep");
    vec![
        get("/api/accounts", SIGNED_IN),
        get("/api/accounts/{kind}/entries", SIGNED_IN),
        get("/api/accounts/{kind}/entries.csv", SIGNED_IN),
        get("/api/accounts/{kind}/balance", SIGNED_IN),
        post("/api/accounts/earnings/sweep", ["401", nothing, "200", nothing, nothing, nothing]).to("done"),
        get("/api/payouts", SIGNED_IN),
        post("/api/payouts", ["401", short, "201", short, short, short])
            .to("done")
            .with(r#"{"amount": 100, "method": "card", "destination": "2200 0000"}"#),
        get("/api/payouts/rules", ALL),
        get("/api/payouts/{id}", OWN).to("payout"),
        post("/api/payouts/{id}/cancel", OWN).to("payout"),
        get("/api/topups", SIGNED_IN),
        post("/api/topups", of_the_signed_in("201")).with(r#"{"amount": 100}"#),
        get("/api/topups/{id}", OWN).to("topup"),
        post("/api/billing/operations", ["401", "200", "403", "403", "403", "403"])
            .asked("?wait=1")
            .with(r#"{"operation_id": "{fresh}", "type": "transfer", "user_id": {customer}, "to_user_id": {other}, "amount": 1}"#),
        post("/api/billing/operations", of_the_signed_in("403"))
            .asked("?wait=1")
            .with(r#"{"operation_id": "{fresh}", "type": "credit", "user_id": {customer}, "amount": 1}"#),
        // An admin sees what other systems command; a user's transfer is in the user's own history.
        get("/api/billing/operations/{id}", OWN).to("operation"),
    ]
}

fn gateway() -> Vec<Row> {
    let link = r#"{"link": "MerchantLogin=x"}"#;
    vec![
        get("/api/robokassa/result", ["400"; 6]),
        post("/api/robokassa/result", ["400"; 6]),
        get("/api/robokassa/success", ["303"; 6]),
        post("/api/robokassa/success", ["303"; 6]),
        get("/api/robokassa/fail", ["303"; 6]),
        post("/api/robokassa/fail", ["303"; 6]),
        get("/api/sandbox/robokassa", ["422 invalid"; 6]),
        post("/api/sandbox/robokassa/pay", ["422 invalid"; 6]).with(link),
        post("/api/sandbox/robokassa/decline", ["422 invalid"; 6]).with(link),
        post("/api/sandbox/topups/{id}", OWN).to("topup").with(r#"{"result": "paid"}"#),
    ]
}

fn told() -> Vec<Row> {
    vec![
        get("/api/notifications", SIGNED_IN),
        post("/api/notifications/read", SIGNED_IN).with(r#"{"up_to": 0}"#),
        get("/api/subscriptions", SIGNED_IN),
        put("/api/subscriptions/{category}", SIGNED_IN),
        delete("/api/subscriptions/{category}", of_the_signed_in("204")),
        get("/api/me/channels", SIGNED_IN),
        put("/api/me/channels", SIGNED_IN).with(r#"{"events": {}}"#),
        // No bot is set up here.
        post("/api/me/telegram", of_the_signed_in("403")),
        delete("/api/me/telegram", of_the_signed_in("204")),
    ]
}

fn admin() -> Vec<Row> {
    let category = r#"{"slug": "{fresh}", "name_ru": "Сады", "name_en": "Gardens"}"#;
    vec![
        get("/api/admin/commission", ADMIN),
        put("/api/admin/commission", ADMIN).with(r#"{"rate_bp": 1000, "floor_bp": 800, "mode": "round"}"#),
        get("/api/admin/categories", ADMIN),
        post("/api/admin/categories", ["401", "403", "403", "403", "403", "201"]).with(category),
        patch("/api/admin/categories/{slug}", ADMIN).with(r#"{"place": 1}"#),
        get("/api/admin/orders", ADMIN),
        post("/api/admin/orders/{id}/arbitrate", ADMIN).to("disputed").with(r#"{"verdict": "pay", "comment": "The work was done."}"#),
        get("/api/admin/users", ADMIN),
        get("/api/admin/users/{id}", ADMIN).to("customer"),
        post("/api/admin/users/{id}/close", ADMIN).to("somebody"),
        post("/api/admin/users/{id}/reopen", ADMIN).to("somebody"),
        get("/api/admin/payouts", ADMIN),
        get("/api/admin/payouts.csv", ADMIN),
        get("/api/admin/payouts/{id}", ADMIN).to("payout"),
        post("/api/admin/payouts/{id}/approve", ADMIN).to("payout"),
        post("/api/admin/payouts/{id}/reject", ADMIN).to("payout").with(r#"{"comment": "Not this one."}"#),
        get("/api/admin/deliveries", ADMIN),
        post("/api/admin/deliveries/{id}/retry", ADMIN).to("delivery"),
        get("/api/admin/audit", ADMIN),
        post("/api/admin/audit/repair", ADMIN),
        get("/api/admin/figures", ADMIN),
        get("/api/admin/limits", ADMIN),
        put("/api/admin/limits", ADMIN).with("{}"),
        get("/api/admin/caches", ADMIN),
        post("/api/admin/caches/clear", ["401", "403", "403", "403", "403", "204"]),
        get("/api/admin/debug", ADMIN),
        put("/api/admin/debug", ADMIN).with(r#"{"on": false}"#),
        get("/api/admin/debug/requests/{id}", ["401", "403", "403", "403", "403", "404"]).to("customer"),
    ]
}

fn operation() -> Vec<Row> {
    vec![get("/healthz", ALL), get("/readyz", ALL), get("/metrics", ALL), get("/ws", ["426 invalid"; 6]), get("/api/openapi.json", ALL)]
}
