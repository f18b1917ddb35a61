//! Old orders' texts and histories move out of the way, and nobody who reads them notices.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::{TestApp, User, until};

/// Everything that can be read of an order by its two sides.
async fn told(app: &TestApp, order: u64, customer: &User, executor: &User) -> Vec<Value> {
    let mut told = Vec::new();
    for user in [customer, executor] {
        told.push(app.get(&format!("/api/orders/{order}"), user).await.json());
        told.push(app.get(&format!("/api/orders/{order}/timeline"), user).await.json());
        for list in ["list=mine", "list=contracts", "list=mine&status=done"] {
            told.push(app.get(&format!("/api/orders?{list}"), user).await.expect(200));
        }
        told.push(app.get(&format!("/api/users/{}", customer.id), user).await.expect(200));
    }
    told
}

/// A contract with a history, done or cancelled.
async fn finished(app: &TestApp, customer: &User, executor: &User) -> u64 {
    let order = app.order(customer, 1_000).await;
    app.accept(executor, order).await.expect(200);
    app.post(&format!("/api/orders/{order}/submit"), executor, &json!({"report": "It is green now."})).await.expect(200);
    app.post(&format!("/api/orders/{order}/reject"), customer, &json!({"reason": "Greener, please."})).await.expect(200);
    app.post(&format!("/api/orders/{order}/submit"), executor, &json!({"report": "Very green."})).await.expect(200);
    app.act(customer, order, "confirm").await.expect(200);
    order
}

async fn age(app: &TestApp, order: u64, days: u32) {
    sqlx::query("update orders set created_at = created_at - interval ? day, finished_at = finished_at - interval ? day where id = ?")
        .bind(days)
        .bind(days)
        .bind(order)
        .execute(&app.sql)
        .await
        .unwrap();
}

async fn count(app: &TestApp, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}"))).fetch_one(&app.sql).await.unwrap()
}

/// Archives whatever was finished before yesterday; how many orders.
async fn archive(app: &TestApp) -> u64 {
    let flow = app.app().flow.clone();
    app.run(async move {
        let (mut orders, mut place) = (0, 0);
        loop {
            let archived = flow.archive_orders(place, OffsetDateTime::now_utc() - Duration::from_secs(86_400)).await.unwrap();
            orders += archived.orders;
            match archived.next {
                Some(next) => place = next,
                None => return orders,
            }
        }
    })
    .await
}

#[tokio::test]
async fn everything_about_an_old_order_reads_as_before() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(1_000_000).await, app.executor().await, app.admin().await);
    let old = finished(&app, &customer, &executor).await;
    age(&app, old, 2).await;
    let cancelled = app.order(&customer, 1_000).await;
    app.act(&customer, cancelled, "cancel").await.expect(200);
    age(&app, cancelled, 2).await;
    let before = (told(&app, old, &customer, &executor).await, told(&app, cancelled, &customer, &executor).await);
    let listed = app.get("/api/admin/orders", &admin).await.expect(200);
    assert!(before.0[0]["report"].is_string() && before.0[1]["items"].as_array().unwrap().len() > 4, "{:?}", before.0);

    assert_eq!(archive(&app).await, 2);
    assert_eq!((count(&app, "order_texts").await, count(&app, "order_events").await), (0, 0));
    assert_eq!(count(&app, "order_texts_archive").await, 2);
    assert!(count(&app, "order_events_archive").await >= 5);
    assert_eq!((told(&app, old, &customer, &executor).await, told(&app, cancelled, &customer, &executor).await), before);
    assert_eq!(app.get("/api/admin/orders", &admin).await.expect(200), listed);
    // A second time nothing is left to do.
    assert_eq!(archive(&app).await, 0);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn what_lives_or_was_finished_lately_stays_where_it_is() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let old = finished(&app, &customer, &executor).await;
    age(&app, old, 2).await;
    let open = app.order(&customer, 1_000).await;
    age(&app, open, 30).await;
    let in_work = app.order(&customer, 1_000).await;
    app.accept(&executor, in_work).await.expect(200);
    let lately = finished(&app, &customer, &executor).await;
    assert_eq!(archive(&app).await, 1);
    let hot: Vec<u64> = sqlx::query_scalar("select order_id from order_texts order by order_id").fetch_all(&app.sql).await.unwrap();
    assert_eq!(hot, [open, in_work, lately]);
    // They go on as if nothing had been.
    let edit = json!({"version": 1, "description": "Blue."});
    assert_eq!(app.call("PATCH", &format!("/api/orders/{open}"), Some(&customer.token), &edit).await.expect(200)["description"], "Blue.");
    app.post(&format!("/api/orders/{in_work}/submit"), &executor, &json!({"report": "Done."})).await.expect(200);
}

#[tokio::test]
async fn a_walk_goes_past_many_orders_in_parts() {
    let app = TestApp::start().await;
    let customer = app.customer(1_000_000).await;
    let order = app.order(&customer, 1_000).await;
    app.act(&customer, order, "cancel").await.expect(200);
    age(&app, order, 3).await;
    let columns = "version, status, assignment, acceptance, customer_id, category, title, currency, price, payout, commission, rate_bp, \
                   floor_bp, commission_mode, created_at, finished_at";
    for _ in 0..9 {
        let double = format!("insert into orders ({columns}) select {columns} from orders");
        sqlx::query(sqlx::AssertSqlSafe(double)).execute(&app.sql).await.unwrap();
    }
    sqlx::query("insert ignore into order_texts (order_id, description) select id, 'Green.' from orders").execute(&app.sql).await.unwrap();
    assert_eq!(archive(&app).await, 512);
    assert_eq!((count(&app, "order_texts").await, count(&app, "order_texts_archive").await), (0, 512));
}

#[tokio::test]
async fn two_nodes_that_archive_at_once_move_everything_once() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    for _ in 0..5 {
        let order = finished(&app, &customer, &executor).await;
        age(&app, order, 2).await;
    }
    let (one, other) = tokio::join!(archive(&app), archive(&beside));
    assert_eq!(one + other, 5);
    assert_eq!((count(&app, "order_texts").await, count(&app, "order_texts_archive").await), (0, 5));
}

#[tokio::test]
async fn a_worker_does_it_by_itself() {
    let app = TestApp::start_with(|config| config.limits.archive_after_days = 0).await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let order = finished(&app, &customer, &executor).await;
    age(&app, order, 2).await;
    let _worker = app.beside_with(|config| config.limits.archive_after_days = 1).await;
    until("the order is archived", async || count(&app, "order_texts_archive").await == 1).await;
    assert_eq!(app.get(&format!("/api/orders/{order}"), &customer).await.expect(200)["report"], "Very green.");
}
