//! The audit: silent about a healthy system, also while it works, and naming each kind of damage.

use std::time::Duration;

use crate::support::market::Market;
use crate::support::{TestApp, User};

/// The names of the checks that found something.
async fn broken(app: &TestApp) -> Vec<&'static str> {
    let flow = app.app().flow.clone();
    let findings = app.run(async move { flow.audit().await.unwrap() }).await;
    assert!(findings.len() >= 15, "a catalogue");
    findings.iter().filter(|finding| !finding.violations.is_empty()).map(|finding| finding.check).collect()
}

async fn damage(app: &TestApp, sql: &str) {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&app.sql).await.unwrap();
    assert!(done.rows_affected() > 0, "damaged nothing: {sql}");
}

/// One order of each fate: open, done, cancelled; and a top-up.
async fn lived(app: &TestApp) -> (User, u64, u64, u64) {
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let done = app.order(&customer, 10_000).await;
    app.accept(&executor, done).await.expect(200);
    app.act(&executor, done, "submit").await.expect(200);
    app.act(&customer, done, "confirm").await.expect(200);
    let cancelled = app.order(&customer, 20_000).await;
    app.act(&customer, cancelled, "cancel").await.expect(200);
    let open = app.order(&customer, 30_000).await;
    let topup = app.post("/api/topups", &customer, &serde_json::json!({"amount": 5_000})).await.expect(201);
    let paid = serde_json::json!({"result": "paid"});
    app.post(&format!("/api/sandbox/topups/{}", topup["id"]), &customer, &paid).await.expect(200);
    (customer, open, done, cancelled)
}

#[tokio::test]
async fn a_healthy_system_has_no_violation_even_while_it_works() {
    let app = TestApp::start().await;
    lived(&app).await;
    let market = Market::at(&[&app], 4, Duration::ZERO).await;
    for _ in 0..5 {
        assert_eq!(broken(&app).await, [""; 0]);
    }
    market.close().await;
    assert_eq!(broken(&app).await, [""; 0]);
}

#[tokio::test]
async fn each_kind_of_damage_is_named() {
    let app = TestApp::start().await;
    let (customer, open, done, cancelled) = lived(&app).await;
    let wallet = format!("user_id = {} and kind = 'wallet'", customer.id);
    let account = format!("account_id = (select id from accounts where {wallet})");
    let damages = [
        (
            format!("update accounts set available = available + 1 where {wallet}"),
            format!("update accounts set available = available - 1 where {wallet}"),
            vec!["each account is what its last entry says", "people hold what came in and was not kept"],
        ),
        (
            format!("update entries set seq = 100 where {account} and seq = 2"),
            format!("update entries set seq = 2 where {account} and seq = 100"),
            vec!["entries are numbered without gaps", "no entry is beyond its account"],
        ),
        (
            format!("update entries set available_delta = available_delta - 1 where {account} and seq = 2"),
            format!("update entries set available_delta = available_delta + 1 where {account} and seq = 2"),
            vec!["each entry's balances follow from the one before", "each operation sums to zero"],
        ),
        (
            format!("update holds set state = 'released' where order_id = {open}"),
            format!("update holds set state = 'active' where order_id = {open}"),
            vec!["a living order has an active hold of its price", "what is held on an account is the sum of its active holds"],
        ),
        (
            format!("update holds set state = 'released' where order_id = {done}"),
            format!("update holds set state = 'captured' where order_id = {done}"),
            vec!["a finished order's hold was captured"],
        ),
        (
            format!("update holds set state = 'captured' where order_id = {cancelled}"),
            format!("update holds set state = 'released' where order_id = {cancelled}"),
            vec!["a cancelled or failed order's hold was released"],
        ),
        (
            format!("update system_entries set amount = amount + 1 where order_id = {done}"),
            format!("update system_entries set amount = amount - 1 where order_id = {done}"),
            vec!["each operation sums to zero", "each finished order's commission was kept", "people hold what came in and was not kept"],
        ),
        (
            format!("update orders set price = price - 1, payout = payout - 1 where id = {done}"),
            format!("update orders set price = price + 1, payout = payout + 1 where id = {done}"),
            vec!["each executor was paid what the order says"],
        ),
        (
            format!("update orders set executor_id = {} where id = {open}", customer.id),
            format!("update orders set executor_id = null where id = {open}"),
            vec!["an order has an executor exactly while it is taken"],
        ),
        (
            format!("update operations set outcome = 'pending' where id = 'settle:{done}'"),
            format!("update operations set outcome = 'done' where id = 'settle:{done}'"),
            vec!["each entry belongs to an operation that was done", "no operation was committed without a result"],
        ),
        (
            "update topups set amount = amount + 1".to_owned(),
            "update topups set amount = amount - 1".to_owned(),
            vec!["each received top-up was credited once"],
        ),
    ];
    for (harm, mend, named) in &damages {
        damage(&app, harm).await;
        let found = broken(&app).await;
        for check in named {
            assert!(found.contains(check), "after `{harm}`: {found:?}");
        }
        damage(&app, mend).await;
        assert_eq!(broken(&app).await, [""; 0], "after `{mend}`");
    }
}
