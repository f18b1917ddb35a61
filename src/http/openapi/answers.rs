//! What a route answers: what it is for, and every refusal that may come instead.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Generators;
use crate::domain::order::FullOrder;
use crate::domain::user::Party;
use crate::http::error::codes::{self, Code};
use crate::http::routes::{Answered, Body, Route, Verb, Who, schema_of};

const PROBLEM: &str = "application/problem+json";

/// The refusals of a route: of everything, of who may call, of what it takes, and of its own rules.
fn refusals(route: &Route) -> BTreeMap<u16, Vec<Code>> {
    let mut all = vec![codes::LIMIT, codes::INTERNAL, codes::UNAVAILABLE];
    if route.verb != Verb::Get {
        // By a page of another site.
        all.push(codes::FORBIDDEN);
    }
    match route.who {
        Who::Anybody => {}
        Who::SignedIn | Who::Services => all.push(codes::UNAUTHENTICATED),
        Who::Customers | Who::Executors | Who::Parties | Who::Admins => all.extend([codes::UNAUTHENTICATED, codes::FORBIDDEN]),
    }
    all.extend(route.taking.refusals.iter().chain(&route.refusals));
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in all {
        let known = by_status.entry(code.status).or_default();
        if !known.contains(&code) {
            known.push(code);
        }
    }
    by_status
}

pub(super) fn of(route: &Route, generators: &mut Generators) -> Value {
    let mut all: Map<String, Value> = Map::new();
    for Answered { status, body } in &route.answers {
        let mut answer = json!({"description": meaning(*status)});
        match body {
            Body::Nothing => {}
            Body::Json(schema) => answer["content"]["application/json"] = json!({"schema": schema(&mut generators.answers)}),
            Body::Text(media_type) => answer["content"][*media_type] = json!({"schema": {"type": "string"}}),
        }
        if is_sourced(route, *status) {
            answer["headers"] = json!({
                "Server-Timing": {"$ref": "#/components/headers/ServerTiming"},
                "Age": {"$ref": "#/components/headers/Age"},
            });
        }
        all.insert(status.to_string(), answer);
    }
    if all.contains_key("304") {
        for answer in all.values_mut() {
            answer["headers"]["ETag"] = json!({"$ref": "#/components/headers/ETag"});
        }
    }
    for (status, codes) in refusals(route) {
        let problem = match codes.as_slice() {
            [only] if !all.contains_key(&status.to_string()) => json!({"$ref": format!("#/components/responses/{}", component(only))}),
            _ => response(&codes),
        };
        match all.get_mut(&status.to_string()) {
            // Plain text for the gateway, and a problem for what is wrong before it is looked at.
            Some(known) => known["content"][PROBLEM] = problem["content"][PROBLEM].clone(),
            None => drop(all.insert(status.to_string(), problem)),
        }
    }
    all.into()
}

/// Whether this answer says where it comes from.
fn is_sourced(route: &Route, status: u16) -> bool {
    route.verb == Verb::Get && route.path.starts_with("/api/") && matches!(status, 200..300 | 304)
}

fn meaning(status: u16) -> &'static str {
    match status {
        101 => "The connection is a websocket now",
        201 => "It was made",
        202 => "It will be done",
        204 => "It was done; there is nothing to tell",
        303 => "The browser goes on to the page",
        304 => "The caller has it already",
        400..=499 => "The gateway is not believed",
        _ => "It is so",
    }
}

/// The name of a refusal's own answer; one code may stand with several statuses.
fn component(code: &Code) -> String {
    format!("{}_{}", code.name, code.status)
}

/// Answers that are one refusal, named so that routes can refer to them.
pub(super) fn components() -> Value {
    codes::ALL.iter().map(|code| (component(code), response(&[*code]))).collect::<Map<_, _>>().into()
}

/// Headers that answers name.
pub(super) fn headers() -> Value {
    json!({
        "RetryAfter": {"description": "Seconds after which to try again", "required": true, "schema": {"type": "integer", "minimum": 1}},
        "ServerTiming": {
            "description": "`source;desc=` where the answer comes from: `mysql`, read for it; `memory`, what the node remembers of that; or `node`, \
                what it knows by itself. `age;dur=` how old that is, in milliseconds",
            "required": true,
            "schema": {"type": "string"},
        },
        "Age": {"description": "The same age in seconds, where the source is `memory`", "schema": {"type": "integer", "minimum": 0}},
        "ETag": {"description": "For `If-None-Match`", "required": true, "schema": {"type": "string"}},
    })
}

fn response(codes: &[Code]) -> Value {
    let names: Vec<&str> = codes.iter().map(|code| code.name).collect();
    let means: Vec<String> = codes.iter().map(|code| format!("`{}`: {}", code.name, code.means)).collect();
    let schema = json!({"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": names}}});
    let mut response = json!({"description": means.join("\n\n"), "content": {PROBLEM: {"schema": schema}}});
    if codes.iter().any(|code| matches!(code.status, 429 | 503)) {
        response["headers"] = json!({"Retry-After": {"$ref": "#/components/headers/RetryAfter"}});
    }
    response
}

/// A refusal (RFC 9457). Beside these it may carry the facts of its code.
pub(super) fn problem(generators: &mut Generators) -> Value {
    let (party, order) = (schema_of::<Party>(&mut generators.answers), schema_of::<FullOrder>(&mut generators.answers));
    let names: std::collections::BTreeSet<&str> = codes::ALL.iter().map(|code| code.name).collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string", "description": "The status in words"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"enum": names, "description": "Stable; what programs look at"},
            "detail": {"type": "string", "description": "What happened, what it means, and what to do, in English"},
            "field": {"type": "string", "description": "Of `invalid`: which part of the request"},
            "reason": {"type": "string", "description": "Of `invalid`: why"},
            "by": party,
            "at": {"type": "string", "format": "date-time"},
            "at_ms": {"type": "integer"},
            "order_status": {"type": "string"},
            "payout_status": {"type": "string"},
            "version": {"type": "integer"},
            "limit": {"type": "string", "description": "Of `limit`: which one"},
            "allowed": {"type": "integer", "description": "Of `limit`: its figure"},
            "retry_after_s": {"type": "integer", "minimum": 1},
            "changes": {"type": "object", "description": "Of `changed`: `from` and `to` of each field that is different"},
            "order": order,
            "available": {"type": "integer"},
            "needed": {"type": "integer"},
            "currency": {"type": "string"},
            "operation_id": {"type": "string"},
            "answer": {"type": "object", "description": "Of a billing operation: its whole outcome"},
        },
        "examples": [{"type": "about:blank", "title": "Conflict", "status": 409, "code": "frozen",
            "detail": "the customer has frozen this order; it may come back"}],
    })
}
