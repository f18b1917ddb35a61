//! Clients that go away in the middle of a call. A database call that is dropped half-way ruins its connection, and after
//! some dozens the pool; so nothing that a client does may cancel one.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use serde_json::json;

use crate::support::{Connection, Dice, Request, TestApp, until};

const CUTS: u64 = 600;

#[tokio::test]
async fn hundreds_of_calls_cut_off_in_the_middle_leave_the_pool_and_the_books_in_order() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000_000).await, app.executor().await);
    let mut open = Vec::new();
    let mut submitted = Vec::new();
    for _ in 0..60 {
        open.push(app.order(&customer, 1_000).await);
        let id = app.order(&customer, 1_000).await;
        app.accept(&executor, id).await.expect(200);
        app.act(&executor, id, "submit").await.expect(200);
        submitted.push(id);
    }
    let cut = |seed: u64| {
        let mut dice = Dice::new(seed);
        let (path, user) = match dice.below(8) {
            0 | 1 => ("/api/orders".to_owned(), &customer),
            2 => (format!("/api/orders/{}/accept", dice.pick(&open)), &executor),
            3 => (format!("/api/orders/{}/confirm", dice.pick(&submitted)), &customer),
            4 => (format!("/api/orders/{}/cancel", dice.pick(&open)), &customer),
            5 => ("/api/topups".to_owned(), &customer),
            6 => ("/api/payouts".to_owned(), &customer),
            _ => ("/api/me".to_owned(), &executor),
        };
        let method = if path == "/api/me" { "GET" } else { "POST" };
        let body = match path.as_str() {
            "/api/orders" => json!({"title": "Cut", "price": 1_000}),
            "/api/topups" => json!({"amount": 100}),
            "/api/payouts" => json!({"amount": 100, "account": "wallet", "method": "card", "destination": "2200"}),
            _ => json!(null),
        };
        let request = Request::new(method, &path).bearer(Some(&user.token)).json(&body);
        let (address, is_half, wait_us) = (app.address, dice.below(5) == 0, dice.below(4_000) as u64);
        async move {
            let mut connection = Connection::open(address).await.unwrap();
            if is_half {
                connection.send_half(&request).await.unwrap();
            } else {
                connection.send(&request).await.unwrap();
            }
            // Not to wait for anything: to hang up at different depths of the call.
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
        }
    };
    stream::iter(0..CUTS).map(cut).buffer_unordered(24).collect::<Vec<()>>().await;

    let normal = stream::iter(0..100).map(|number| {
        let (app, customer, executor) = (&app, &customer, &executor);
        async move {
            if number % 2 == 0 {
                app.order(customer, 1_000).await;
            } else {
                app.get("/api/me", executor).await.expect(200);
            }
        }
    });
    let all = normal.buffer_unordered(100).collect::<Vec<()>>();
    tokio::time::timeout(Duration::from_secs(5), all).await.expect("the pool is as good as new");

    // What was cut off goes on to its end on the server.
    let mut before = String::new();
    until("all work in hand is done", async || {
        let now = app.fingerprint().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::mem::replace(&mut before, now.clone()) == now
    })
    .await;
    app.assert_books_balance().await;
    let created: i64 = sqlx::query_scalar("select count(*) from orders where title = 'Cut'").fetch_one(&app.sql).await.unwrap();
    assert!(created > 20, "only {created} of the calls that were cut off got through: the test cuts too early");
}
