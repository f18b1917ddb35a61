//! People as others see them: what they did is counted where it is done, once, whoever does it at the same moment.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::market::Market;
use crate::support::{TestApp, User, until};

async fn profile(app: &TestApp, user: &User) -> Value {
    // As a guest: it is public.
    app.call("GET", &format!("/api/users/{}", user.id), None, &Value::Null).await.expect(200)
}

fn rub(amount: i64) -> Value {
    json!([{"currency": "RUB", "amount": amount}])
}

#[tokio::test]
async fn a_profile_tells_what_its_owner_did_on_either_side() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let fresh = profile(&app, &executor).await;
    assert_eq!(fresh["customer"], json!({"orders_created": 0, "money_in_orders": [], "orders_done": 0}));
    assert_eq!(fresh["executor"], json!({"orders_completed": 0, "money_received": []}));

    let [open, cancelled, done, automatic] = [
        app.order(&customer, 10_000).await,
        app.order(&customer, 20_000).await,
        app.order(&customer, 40_000).await,
        app.create_order(&customer, 80_000, &json!({"acceptance": "auto"})).await["id"].as_u64().unwrap(),
    ];
    app.act(&customer, cancelled, "cancel").await.expect(200);
    app.act(&customer, cancelled, "cancel").await.expect(200);
    // What is edited counts as it is now.
    let edit = json!({"version": 1, "price": 11_000});
    app.call("PATCH", &format!("/api/orders/{open}"), Some(&customer.token), &edit).await.expect(200);
    for order in [open, done, automatic] {
        app.accept(&executor, order).await.expect(200);
    }
    for order in [done, automatic] {
        app.act(&executor, order, "submit").await.expect(200);
    }
    assert_eq!(profile(&app, &customer).await["customer"], json!({"orders_created": 4, "money_in_orders": rub(131_000), "orders_done": 1}));
    app.act(&customer, done, "confirm").await.expect(200);
    app.act(&customer, done, "confirm").await.expect(200);

    let shown = profile(&app, &customer).await;
    assert_eq!(shown["customer"], json!({"orders_created": 4, "money_in_orders": rub(131_000), "orders_done": 2}));
    assert_eq!(shown["executor"]["orders_completed"], 0);
    let paid: i64 =
        sqlx::query_scalar("select cast(sum(payout) as signed) from orders where status = 'done'").fetch_one(&app.sql).await.unwrap();
    assert_eq!(profile(&app, &executor).await["executor"], json!({"orders_completed": 2, "money_received": rub(paid)}));
    assert!(shown["created_at"].is_string() && shown.get("email").is_none(), "{shown}");

    app.call("PATCH", "/api/me", Some(&customer.token), &json!({"about": "Fences."})).await.expect(200);
    assert_eq!(profile(&app, &customer).await["about"], "Fences.");
    for nobody in ["999999", "x", "-1"] {
        app.call("GET", &format!("/api/users/{nobody}"), None, &Value::Null).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn what_is_asked_for_twice_or_by_many_is_counted_once() {
    let one = TestApp::start().await;
    let two = one.beside().await;
    // The two work for each other, so that their rows are added to in both directions at once.
    let (ann, bob) = (one.customer(1_000_000).await, one.customer(1_000_000).await);
    let (ann_works, bob_works) = (one.also(&ann, "executor").await, one.also(&bob, "executor").await);
    let mut orders = Vec::new();
    for _ in 0..8 {
        for (customer, executor) in [(&ann, &bob_works), (&bob, &ann_works)] {
            let order = one.order(customer, 10_000).await;
            one.accept(executor, order).await.expect(200);
            one.act(executor, order, "submit").await.expect(200);
            orders.push((order, customer));
        }
    }
    let nodes = [&one, &two];
    let confirming = orders.iter().flat_map(|(order, by)| (0..4).map(move |time| nodes[time % 2].act(by, *order, "confirm")));
    for answer in join_all(confirming).await {
        answer.expect(200);
    }
    for user in [&ann, &bob] {
        let shown = profile(&one, user).await;
        assert_eq!(shown["customer"], json!({"orders_created": 8, "money_in_orders": rub(80_000), "orders_done": 8}));
        assert_eq!(shown["executor"], json!({"orders_completed": 8, "money_received": rub(72_000)}));
    }
    let flow = one.app().flow.clone();
    let findings = one.run(async move { flow.audit().await.unwrap() }).await;
    assert!(findings.iter().all(|finding| finding.violations.is_empty()));
}

#[tokio::test]
async fn figures_are_right_after_a_market_and_are_counted_anew_beside_one() {
    let app = TestApp::start().await;
    let market = Market::at(&[&app], 4, Duration::ZERO).await;
    let done =
        async || -> i64 { sqlx::query_scalar("select count(*) from orders where status = 'done'").fetch_one(&app.sql).await.unwrap() };
    until("work was paid", async || done().await > 20).await;
    let damaged: u64 = sqlx::query_scalar("select user_id from user_statistics where orders_done > 0 order by user_id limit 1")
        .fetch_one(&app.sql)
        .await
        .unwrap();
    sqlx::query("update user_statistics set orders_done = orders_done - 1, money_in_orders = money_in_orders + 5 where user_id = ?")
        .bind(damaged)
        .execute(&app.sql)
        .await
        .unwrap();
    let flow = app.app().flow.clone();
    let repaired = app.run(async move { flow.repair().await.unwrap() }).await;
    assert_eq!(repaired.mended.len(), 1, "{repaired:#?}");
    assert_eq!(repaired.mended[0].subject, format!("user {damaged}"));
    let seen = done().await;
    until("more work was paid", async || done().await > seen + 20).await;
    market.close().await;
    let flow = app.app().flow.clone();
    let findings = app.run(async move { flow.audit().await.unwrap() }).await;
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.violations.is_empty()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
