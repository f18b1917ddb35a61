//! New orders are told to those who asked to be told of them.

use serde_json::{Value, json};

use super::{events, told, unread, until_told};
use crate::support::{TestApp, User, until};

async fn subscribe(app: &TestApp, user: &User, category: &str, wish: &Value) -> Value {
    app.call("PUT", &format!("/api/subscriptions/{category}"), Some(&user.token), wish).await.expect(200)
}

async fn order_in(app: &TestApp, customer: &User, category: Option<&str>, price: i64) -> u64 {
    app.create_order(customer, price, &json!({"category": category})).await["id"].as_u64().unwrap()
}

/// The orders that the user was told of, in the order of the telling.
async fn orders(app: &TestApp, user: &User) -> Vec<u64> {
    told(app, user).await.iter().rev().map(|notice| notice["facts"]["order_id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn subscriptions_are_put_listed_changed_and_ended() {
    let app = TestApp::start().await;
    let executor = app.executor().await;
    let made = subscribe(&app, &executor, "it", &json!({"price_min": 5_000, "sound": true})).await;
    assert_eq!((&made["category"], &made["price_min"], &made["sound"]), (&json!("it"), &json!(5_000), &json!(true)));
    subscribe(&app, &executor, "all", &Value::Null).await;
    subscribe(&app, &executor, "it", &json!({"price_min": null})).await;
    let listed = app.get("/api/subscriptions", &executor).await.expect(200);
    let items: Vec<(&Value, &Value, &Value)> =
        listed["items"].as_array().unwrap().iter().map(|one| (&one["category"], &one["price_min"], &one["sound"])).collect();
    assert_eq!(items, [(&json!("all"), &Value::Null, &json!(false)), (&json!("it"), &Value::Null, &json!(false))]);
    for _ in 0..2 {
        assert_eq!(app.call("DELETE", "/api/subscriptions/it", Some(&executor.token), &Value::Null).await.status, 204);
    }
    assert_eq!(app.get("/api/subscriptions", &executor).await.expect(200)["items"].as_array().unwrap().len(), 1);
    for (category, wish) in [("comets", json!({})), ("it", json!({"price_min": 0})), ("it", json!({"price_max": 1})), ("%D1%8F", json!({}))]
    {
        let refused = app.call("PUT", &format!("/api/subscriptions/{category}"), Some(&executor.token), &wish).await;
        assert_eq!(refused.problem()["status"], 422, "{category} {wish}");
    }
    assert_eq!(app.call("DELETE", "/api/subscriptions/%D1%8F", Some(&executor.token), &Value::Null).await.status, 204);
    for (method, path) in [("GET", "/api/subscriptions"), ("PUT", "/api/subscriptions/it"), ("DELETE", "/api/subscriptions/it")] {
        app.call(method, path, None, &Value::Null).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn subscribers_hear_of_new_orders_from_their_price_on_once_and_live() {
    let app = TestApp::start().await;
    let other = app.beside().await;
    let (customer, of_it, of_all, picky) =
        (app.customer(1_000_000).await, app.executor().await, app.executor().await, app.executor().await);
    subscribe(&app, &of_it, "it", &Value::Null).await;
    subscribe(&app, &of_all, "all", &Value::Null).await;
    subscribe(&app, &of_all, "it", &Value::Null).await;
    subscribe(&app, &picky, "it", &json!({"price_min": 10_000})).await;
    subscribe(&app, &customer, "all", &Value::Null).await;
    let mut socket = other.watcher(Some(&of_it.token)).await;
    socket.until("a count", |state| state.notice_count() == Some((0, 0))).await;
    let cheap = order_in(&app, &customer, Some("it"), 9_999).await;
    until_told(&app, &of_all, &["order_new"]).await;
    let dear = order_in(&app, &customer, Some("it"), 10_000).await;
    until_told(&app, &of_all, &["order_new"; 2]).await;
    let nowhere = order_in(&app, &customer, None, 50_000).await;
    until_told(&app, &of_all, &["order_new"; 3]).await;
    let repair = order_in(&app, &customer, Some("repair"), 50_000).await;
    until_told(&app, &of_all, &["order_new"; 4]).await;
    socket.until("two notices", |state| state.notices.len() == 2 && state.notice_count() == Some((2, 0))).await;
    assert_eq!(socket.state.notices[&1]["facts"]["order_id"], cheap);
    assert_eq!(orders(&app, &of_it).await, [cheap, dear]);
    assert_eq!(orders(&app, &of_all).await, [cheap, dear, nowhere, repair]);
    assert_eq!(orders(&app, &picky).await, [dear]);
    assert_eq!(events(&app, &customer).await, [""; 0], "not of one's own");
    let facts = told(&app, &picky).await[0]["facts"].clone();
    assert_eq!((&facts["price"], &facts["category"], &facts["by"]["id"]), (&json!(10_000), &json!("it"), &json!(customer.id)));
    // What happens to an order later makes it no new order.
    app.act(&customer, dear, "freeze").await.expect(200);
    app.act(&customer, dear, "unfreeze").await.expect(200);
    let last = order_in(&app, &customer, Some("it"), 10_000).await;
    until("the last one", async || orders(&app, &picky).await.last() == Some(&last)).await;
    assert_eq!(orders(&app, &picky).await, [dear, last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_subscribers_are_told_off_the_posters_path_and_exactly_once_though_the_node_dies_meanwhile() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let customer = app.customer(1_000_000).await;
    let many = app.executors(1_000).await;
    let mut rows = sqlx::QueryBuilder::new("insert into subscriptions (user_id, category, created_at) ");
    rows.push_values(&many, |mut row, user| {
        row.push_bind(user.id).push("'it', utc_timestamp(6)");
    });
    rows.build().execute(&app.sql).await.unwrap();
    let doomed = app.beside_with(|config| config.is_worker = true).await;
    until("it works", async || {
        let holder: String = sqlx::query_scalar("select holder from leases where name = 'notices'").fetch_one(&app.sql).await.unwrap();
        !holder.is_empty()
    })
    .await;
    let order = order_in(&app, &customer, Some("it"), 1_000).await;
    let count = async || sqlx::query_scalar::<_, i64>("select count(*) from notifications").fetch_one(&app.sql).await.unwrap();
    until("some are told", async || count().await > 0).await;
    doomed.kill();
    let told_by_the_first = count().await;
    let _second = app.beside_with(|config| config.is_worker = true).await;
    until("all are told", async || count().await >= 1_000).await;
    println!("{told_by_the_first} were told before the node died");
    assert_eq!(count().await, 1_000);
    for user in [&many[0], &many[500], &many[999]] {
        assert_eq!((orders(&app, user).await, unread(&app, user).await), (vec![order], 1));
    }
}
