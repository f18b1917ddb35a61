use std::collections::BTreeSet;

use serde_json::Value;

use super::{Generators, Mode, describe};
use crate::http::routes::{Route, Who, table};

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.insert(target.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = describe(table().into_iter(), Mode::Development);
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| item.as_object().expect("verbs").keys().map(move |verb| (path.clone(), verb.to_uppercase())))
        .collect();
    let listed: BTreeSet<(String, String)> = table().iter().map(|route| (route.path.to_owned(), route.verb.as_str().to_owned())).collect();
    assert_eq!(described, listed);
}

#[test]
fn whatever_is_referred_to_is_there() {
    let document = describe(table().into_iter(), Mode::Development);
    let mut targets = BTreeSet::new();
    references(&document, &mut targets);
    assert!(targets.len() > 60, "{}", targets.len());
    for target in targets {
        let place = target.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(place).is_some(), "{target}");
    }
}

/// A name that two types share would show as `Name2`; what goes in and what comes out under one name must be the same.
#[test]
fn no_two_types_share_a_name() {
    let mut generators = Generators::new();
    for route in table() {
        super::operation(&route, &mut generators);
    }
    let (taken, answered) = (generators.takes.take_definitions(true), generators.answers.take_definitions(true));
    for (name, schema) in taken.iter().chain(&answered) {
        assert!(!name.ends_with(|last: char| last.is_ascii_digit()), "{name}");
        if let (Some(into), Some(out)) = (taken.get(name), answered.get(name)) {
            assert_eq!(into, out, "{name}: {schema}");
        }
    }
}

#[test]
fn a_route_says_what_it_answers() {
    let silent: Vec<&str> = table().iter().filter(|route| route.answers.is_empty()).map(|route| route.path).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

/// Where guests are not let in, the handler looks at the caller; and where a role is asked for, too.
#[test]
fn a_route_that_is_not_for_everybody_looks_at_who_calls() {
    let disagrees = |route: &Route| (route.who == Who::Anybody) == route.taking.needs_caller;
    let wrong: Vec<String> =
        table().iter().filter(|route| disagrees(route)).map(|route| format!("{:?} {}", route.verb, route.path)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
