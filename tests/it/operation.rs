//! What an admin sees of a node while it runs: how fast it is, how much it does, what went wrong.

use serde_json::{Value, json};

use crate::support::{OwnMariaDb, TestApp};

const FIGURES: &str = "/api/admin/figures";

fn route<'a>(figures: &'a Value, name: &str) -> Option<&'a Value> {
    figures["routes"].as_array().unwrap().iter().find(|route| route["route"] == name)
}

#[tokio::test]
async fn figures_are_for_admins_only() {
    let app = TestApp::start().await;
    app.call("GET", FIGURES, None, &Value::Null).await.refused(401, "unauthenticated");
    for user in [app.customer(0).await, app.executor().await] {
        app.get(FIGURES, &user).await.refused(403, "forbidden");
    }
    app.get(FIGURES, &app.admin().await).await.expect(200);
}

#[tokio::test]
async fn a_node_tells_what_it_did_under_its_own_name() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(10_000).await, app.executor().await, app.admin().await);
    let watcher = app.watcher(None).await;
    let before = app.get(FIGURES, &admin).await.expect(200);
    let order = app.order(&customer, 1_000).await;
    app.accept(&executor, order).await.expect(200);
    let figures = app.get(FIGURES, &admin).await.expect(200);

    assert_eq!(figures["node"], watcher.state.hello["node"]);
    let accepts = |figures: &Value| route(figures, "/api/orders/{id}/accept").map_or(0, |route| route["requests"].as_u64().unwrap());
    assert!(accepts(&figures) > accepts(&before), "{figures}");
    let timed = route(&figures, "/api/orders/{id}/accept").unwrap();
    assert!(timed["p50_ms"].as_f64().unwrap() <= timed["p99_ms"].as_f64().unwrap(), "{timed}");
    let last = figures["series"].as_array().unwrap().last().unwrap();
    assert_eq!(last["sockets"], 1);
    assert!(last["requests_per_s"].as_f64().unwrap() > 0.0, "{last}");
    assert!(last["at_ms"].as_i64().unwrap() >= before["now_ms"].as_i64().unwrap());
}

#[tokio::test]
async fn errors_of_ours_are_remembered_with_their_cause_and_refusals_are_not() {
    let mut mariadb = OwnMariaDb::start().await;
    let app = TestApp::start_with(|config| config.database_url = mariadb.url().to_owned()).await;
    let (customer, admin) = (app.customer(10_000).await, app.admin().await);
    app.post("/api/orders", &customer, &json!({"title": "", "price": 1_000})).await.refused(422, "invalid");
    let before = app.get(FIGURES, &admin).await.expect(200);
    assert_eq!(before["recent_errors"], json!([]));

    mariadb.kill().await;
    app.get("/api/orders", &customer).await.refused(503, "unavailable");
    // The admin is known to the node, so this is told even while the database is away.
    let figures = app.get(FIGURES, &admin).await.expect(200);
    let errors = figures["recent_errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = &errors[0];
    assert_eq!((&error["method"], &error["route"]), (&json!("GET"), &json!("/api/orders")));
    assert_eq!((&error["status"], &error["code"]), (&json!(503), &json!("unavailable")));
    assert!(!error["cause"].as_str().unwrap().contains("nothing was half-done"), "the log's words and not the answer's: {error}");
}
