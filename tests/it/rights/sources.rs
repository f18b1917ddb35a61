//! Every answer says where it comes from, and that is so: what says `mysql` has asked MySQL, what says anything else has not.

use serde_json::{Value, json};

use super::place::{PEOPLE, Place};
use super::rows::{Row, rows};
use crate::support::{Answer, Request};

const DEBUG: &str = "/api/admin/debug";
/// They ask in tasks of their own, which are not heard.
const UNHEARD: [&str; 2] = ["/api/admin/audit", "/api/billing/operations/{id}"];

/// What an answer says of itself; an admin's may say more behind it while requests are watched.
fn source(answer: &Answer) -> &str {
    let told = answer.header("server-timing").unwrap_or_default();
    let mut parts = told.split(", ");
    let mut part = |begin| parts.next().and_then(|part| part.strip_prefix(begin)).unwrap_or_else(|| panic!("{told}"));
    let source = part("source;desc=\"").trim_end_matches('"');
    let age: u64 = part("age;dur=").parse().unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(answer.header("age").map(|age| age.parse().unwrap()), (source == "memory").then_some(age / 1_000), "{told}");
    source
}

/// How many statements the answer has cost.
async fn statements(place: &Place, answer: &Answer, admin: &str) -> u64 {
    let id = answer.header("x-request-id").unwrap();
    let kept = place.app.call("GET", &format!("{DEBUG}/requests/{id}"), Some(admin), &Value::Null).await.expect(200);
    kept["mysql_calls"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_says_truly_where_it_comes_from() {
    orderboard::telemetry::log(orderboard::http::listener());
    let place = Place::open().await;
    let admin = place.session("admin").await.unwrap();
    place.app.call("PUT", DEBUG, Some(&admin), &json!({"on": true})).await.expect(200);
    let mut wrong = Vec::new();
    let is_read = |row: &Row| row.verb == "GET" && row.path.starts_with("/api/");
    for row in rows().iter().filter(|row| is_read(row)) {
        let thing = place.make(row.thing).await;
        let path = thing.fill(&format!("{}{}", row.path, row.query));
        for person in PEOPLE {
            let token = place.session(person).await;
            let ask = async || place.app.send(&Request::new("GET", &path).bearer(token.as_deref())).await;
            // The session is known from the first one on.
            let (_, answer) = (ask().await, ask().await);
            if answer.status >= 300 {
                let told = answer.header("server-timing").unwrap_or_default();
                assert!(!told.contains("source;"), "{path}: {told}");
            } else if !UNHEARD.contains(&row.path) {
                let (source, statements) = (source(&answer), statements(&place, &answer, &admin).await);
                if (source == "mysql") != (statements > 0) {
                    wrong.push(format!("{path} as {person}: {source}, {statements} statements"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
