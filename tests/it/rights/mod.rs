//! Who may do what: every route of the table, asked by everybody, must answer exactly what is written in `rows`. A new route
//! without a row fails, and so does a row that disagrees with who the table says may call.

mod place;
mod rows;
mod sources;

use std::collections::BTreeSet;

use orderboard::domain::user::Role;
use orderboard::http::{Who, table};
use serde_json::Value;

use crate::support::{Answer, Request};
use place::{PEOPLE, Place};
use rows::{Row, rows};

fn role(person: &str) -> Option<Role> {
    match person {
        "guest" => None,
        "customer" | "other customer" => Some(Role::Customer),
        "executor" | "other executor" => Some(Role::Executor),
        "admin" => Some(Role::Admin),
        other => panic!("nobody is called {other}"),
    }
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let routes: BTreeSet<(&str, &str)> = table().iter().map(|route| (route.verb.as_str(), route.path)).collect();
    let told: BTreeSet<(&str, &str)> = rows().iter().map(|row| (row.verb, row.path)).collect();
    let without_row: Vec<_> = routes.difference(&told).collect();
    let without_route: Vec<_> = told.difference(&routes).collect();
    assert!(without_row.is_empty(), "say in tests/it/rights/rows.rs who may do this: {without_row:?}");
    assert!(without_route.is_empty(), "there is no such route: {without_route:?}");
}

#[test]
fn rows_agree_with_the_table() {
    for row in rows() {
        let route = table().into_iter().find(|route| (route.verb.as_str(), route.path) == (row.verb, row.path)).unwrap();
        for (person, expected) in PEOPLE.iter().zip(row.expected) {
            let is_let_in = !["401", "403", "404"].contains(&expected);
            let may = route.who.may(role(person));
            assert!(may || !is_let_in, "{} {}: the table lets no {person} in, the row says {expected}", row.verb, row.path);
            if route.who != Who::Anybody && *person == "guest" {
                assert_eq!(expected, "401", "{} {}: a guest is asked to sign in", row.verb, row.path);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_do_exactly_what_is_theirs_to_do() {
    let place = Place::open().await;
    let mut wrong = Vec::new();
    for row in rows() {
        for (person, expected) in PEOPLE.iter().zip(row.expected) {
            let (answer, asked) = ask(&place, &row, person).await;
            let got = told(&answer);
            if got != expected {
                wrong.push(format!("{asked} as {person}: {got} instead of {expected}: {}", answer.text()));
            }
            if ["guest", "other customer", "other executor"].contains(person) {
                let leaked = place.secrets.iter().find(|secret| answer.text().contains(secret.as_str()));
                wrong.extend(leaked.map(|secret| format!("{asked} tells {person} {secret:?}: {}", answer.text())));
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers:\n{}", wrong.len(), wrong.join("\n"));
    place.app.assert_books_balance().await;
}

/// Each time something fresh to do it to.
async fn ask(place: &Place, row: &Row, person: &str) -> (Answer, String) {
    let thing = place.make(row.thing).await;
    let path = thing.fill(row.path);
    let path = format!("{path}{}", thing.fill(row.query));
    let body: Value = if row.body.is_empty() { Value::Null } else { serde_json::from_str(&thing.fill(row.body)).expect(row.body) };
    let token = place.session(person).await;
    let answer = place.app.send(&Request::new(row.verb, &path).bearer(token.as_deref()).json(&body)).await;
    (answer, format!("{} {path} ({})", row.verb, row.thing))
}

/// The status, and the code where it is not the one that everybody expects of that status.
fn told(answer: &Answer) -> String {
    let is_problem = answer.header("content-type") == Some("application/problem+json");
    let code = if is_problem { answer.problem()["code"].as_str().unwrap().to_owned() } else { String::new() };
    match (answer.status, code.as_str()) {
        (status, "") | (status @ 401, "unauthenticated") | (status @ 403, "forbidden") | (status @ 404, "not_found") => status.to_string(),
        (status, code) => format!("{status} {code}"),
    }
}
