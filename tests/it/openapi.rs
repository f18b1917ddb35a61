//! The description of the API: whole, of this very node, and cheap to ask for again. That every answer is as it says, each test of
//! this binary checks (`support/contract.rs`).

use orderboard::http::{Mode, Place, table};
use serde_json::Value;

use crate::support::{Request, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_cached_by_its_tag() {
    let app = TestApp::start().await;
    let first = app.call("GET", "/api/openapi.json", None, &Value::Null).await;
    assert_eq!(first.expect(200)["openapi"], "3.1.0");
    let etag = first.header("etag").unwrap();
    let again = app.send(&Request::new("GET", "/api/openapi.json").header("if-none-match", etag)).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = app.beside().await.call("GET", "/api/openapi.json", None, &Value::Null).await;
    assert_eq!(other.header("etag"), Some(etag), "the same on every node");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_describes_the_routes_that_it_has() {
    let app = TestApp::start_with(|config| config.mode = Mode::Production).await;
    let document = app.call("GET", "/api/openapi.json", None, &Value::Null).await.expect(200);
    let paths = document["paths"].as_object().unwrap();
    for route in table() {
        assert_eq!(paths.contains_key(route.path), route.place == Place::Everywhere, "{}", route.path);
        let answer = app.call(route.verb.as_str(), &route.path.replace(['{', '}'], ""), None, &Value::Null).await;
        let is_missing = answer.status == 404 && answer.text().contains("there is nothing at this address");
        assert_eq!(is_missing, route.place != Place::Everywhere, "{}: {}", route.path, answer.text());
    }
}
