//! The contract: what the description of the API promises. Every answer that any test gets is held against it, so a status, a
//! code or a member that is not described fails the test that met it.
//!
//! Of JSON Schema it knows what our types are described with, and stops at what it does not know.

use std::sync::LazyLock;

use orderboard::http::{Mode, describe, table};
use serde_json::Value;

use super::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| describe(table().into_iter(), Mode::Development));
/// Verb, path, and the path's parts.
static ROUTES: LazyLock<Vec<(&'static str, &'static str, Vec<&'static str>)>> =
    LazyLock::new(|| table().iter().map(|route| (route.verb.as_str(), route.path, route.path.split('/').collect())).collect());

/// Words for people, or for clients that make requests.
const SAYS_NOTHING: [&str; 7] = ["title", "description", "examples", "default", "format", "pattern", "$comment"];

fn refer(target: &str) -> &'static Value {
    DOCUMENT.pointer(target.trim_start_matches('#')).unwrap()
}

/// The route of this path; the one with the fewest names in braces is the nearest.
fn route_of(verb: &str, path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
    let fits =
        |ours: &[&str]| ours.len() == parts.len() && ours.iter().zip(&parts).all(|(ours, given)| ours.starts_with('{') || ours == given);
    let (_, nearest, _) = ROUTES.iter().filter(|(_, _, ours)| fits(ours)).min_by_key(|(_, path, _)| path.matches('{').count())?;
    ROUTES.iter().find(|(known, path, _)| known == &verb && path == nearest).map(|(_, path, _)| *path)
}

/// Panics where the description does not promise this answer. What no route answers is not described.
#[track_caller]
pub(super) fn hold(verb: &str, path: &str, answer: &Answer) {
    let Some(route) = route_of(verb, path) else { return };
    // What is no HTTP, or has too many headers, no route has seen.
    if matches!(answer.status, 400 | 431) && answer.body.is_empty() {
        return;
    }
    // A route that does not exist on this node.
    if answer.status == 404 && answer.text().contains("there is nothing at this address") {
        return;
    }
    let about = format!("{verb} {path}: {} {}", answer.status, answer.text());
    let promised = &DOCUMENT["paths"][route][verb.to_lowercase()]["responses"][answer.status.to_string()];
    assert!(promised.is_object(), "no such status is promised: {about}");
    for (name, header) in promised["headers"].as_object().into_iter().flatten() {
        let is_required = refer(header["$ref"].as_str().unwrap())["required"] == true;
        assert!(!is_required || answer.header(&name.to_lowercase()).is_some(), "{name} is promised: {about}");
    }
    let content = &promised["$ref"].as_str().map_or(promised, refer)["content"];
    let Some(media_type) = answer.header("content-type") else {
        return assert!(content.is_null() && answer.body.is_empty(), "a media type is promised: {about}");
    };
    assert!(content[media_type].is_object(), "{media_type} is not promised: {about}");
    if media_type.contains("json") && answer.header("content-encoding").is_none() {
        let mut faults = Vec::new();
        check(&content[media_type]["schema"], &answer.json(), "", &mut faults);
        assert!(faults.is_empty(), "{}: {about}", faults.join("; "));
    }
}

fn check(schema: &'static Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else { return };
    for (keyword, rule) in schema {
        let is_kept = match keyword.as_str() {
            "$ref" => {
                check(refer(rule.as_str().unwrap()), value, at, faults);
                true
            }
            "type" => is_one_of(rule, |name| is_type(name, value)),
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
            "required" => is_all_of(rule, |name| !value.is_object() || value.get(name).is_some()),
            "allOf" => rule.as_array().unwrap().iter().all(|schema| fits(schema, value)),
            "anyOf" => rule.as_array().unwrap().iter().any(|schema| fits(schema, value)),
            "oneOf" => rule.as_array().unwrap().iter().filter(|schema| fits(schema, value)).count() == 1,
            "properties" | "items" | "additionalProperties" => {
                check_members(schema, keyword, value, at, faults);
                true
            }
            word => {
                assert!(SAYS_NOTHING.contains(&word), "`{word}` is not known here");
                true
            }
        };
        if !is_kept {
            faults.push(format!("{at} breaks {keyword} {rule}"));
        }
    }
}

fn fits(schema: &'static Value, value: &Value) -> bool {
    let mut faults = Vec::new();
    check(schema, value, "", &mut faults);
    faults.is_empty()
}

fn check_members(schema: &'static serde_json::Map<String, Value>, keyword: &str, value: &Value, at: &str, faults: &mut Vec<String>) {
    let rule = &schema[keyword];
    match (keyword, value) {
        ("items", Value::Array(items)) => {
            items.iter().enumerate().for_each(|(place, item)| check(rule, item, &format!("{at}/{place}"), faults))
        }
        ("properties", Value::Object(members)) => {
            for (name, member) in members {
                check(&rule[name], member, &format!("{at}/{name}"), faults);
            }
        }
        ("additionalProperties", Value::Object(members)) => {
            for (name, member) in members.iter().filter(|(name, _)| schema.get("properties").is_none_or(|known| known.get(name).is_none()))
            {
                if rule == false {
                    faults.push(format!("{at}/{name} is not promised"));
                }
                check(rule, member, &format!("{at}/{name}"), faults);
            }
        }
        _ => {}
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}

/// One name, or a list of them.
fn is_one_of(names: &Value, is_so: impl Fn(&str) -> bool) -> bool {
    names.as_str().map_or_else(|| names.as_array().unwrap().iter().any(|name| is_so(name.as_str().unwrap())), &is_so)
}

fn is_all_of(names: &Value, is_so: impl Fn(&str) -> bool) -> bool {
    names.as_array().unwrap().iter().all(|name| is_so(name.as_str().unwrap()))
}
