//! What people are told, on every node and exactly once.

mod channels;
mod choosing;
mod inbox;
mod sharing;
mod subscriptions;

use serde_json::{Value, json};

use crate::support::{TestApp, User, until};

/// What the user was told, newest first.
pub(crate) async fn told(app: &TestApp, user: &User) -> Vec<Value> {
    let listed = app.get("/api/notifications?limit=100", user).await.expect(200);
    listed["items"].as_array().unwrap().clone()
}

/// The events of it, oldest first.
pub(crate) async fn events(app: &TestApp, user: &User) -> Vec<String> {
    told(app, user).await.iter().rev().map(|notice| notice["event"].as_str().unwrap().to_owned()).collect()
}

pub(crate) async fn unread(app: &TestApp, user: &User) -> u64 {
    app.get("/api/notifications", user).await.expect(200)["unread"].as_u64().unwrap()
}

/// Waits until these are the user's events, oldest first.
pub(crate) async fn until_told(app: &TestApp, user: &User, expected: &[&str]) {
    until(&format!("{expected:?}"), async || events(app, user).await == expected).await;
}

pub(crate) async fn read_up_to(app: &TestApp, user: &User, up_to: u64) -> u64 {
    app.post("/api/notifications/read", user, &json!({"up_to": up_to})).await.expect(200)["unread"].as_u64().unwrap()
}
