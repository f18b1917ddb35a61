//! The description of the API for machines (OpenAPI 3.1), made of the table of routes and of the types that handlers take and
//! answer. It is written once, when somebody first asks for it, and tells of the routes that exist on this node.

mod answers;
mod takings;

use std::borrow::Cow;
use std::sync::OnceLock;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::caching::is_known;
use super::caller::cookie_name;
use super::error::{Answer, Problem, not_modified, typed_ok};
use super::routes::{self, Place, Route, Who};
use super::source::of_node;
use super::{Api, Doors, Mode};

/// The description, once somebody has asked for it.
#[derive(Default)]
pub struct Description(OnceLock<Written>);

struct Written {
    json: Bytes,
    etag: HeaderValue,
}

/// An OpenAPI document.
pub(super) enum Document {}

impl JsonSchema for Document {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "required": ["openapi", "info", "paths"], "properties": {"openapi": {"const": VERSION}}})
    }
}

const VERSION: &str = "3.1.0";
const ABOUT: &str = "A real-time order board with its own money. Money is integer minor units of its currency (kopecks). Moments are RFC 3339 \
     in UTC; fields that end in `_ms` are milliseconds since 1970. Lists take `limit` and `cursor` and answer `{items, next}`. A refusal is \
     `application/problem+json` (RFC 9457) with a stable `code`. `Idempotency-Key` makes a repeated POST or PATCH the same request: the same \
     bytes are answered, a refusal included. Unsafe requests that rely on the cookie need an `Origin` of the same host.";

pub(super) async fn show(State(api): State<Api>, headers: HeaderMap) -> Answer {
    let written = match api.description.0.get() {
        Some(written) => written,
        None => {
            let written = write(&api)?;
            api.description.0.get_or_init(|| written)
        }
    };
    let is_known = written.etag.to_str().is_ok_and(|etag| is_known(&headers, etag));
    let mut response = if is_known { not_modified() } else { typed_ok("application/json", written.json.clone()) };
    response.headers_mut().insert(ETAG, written.etag.clone());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    Ok(of_node(response))
}

fn write(api: &Doors) -> Result<Written, Problem> {
    let json = Bytes::from(describe(routes::here(api), api.mode).to_string());
    let hash: String = Sha256::digest(&json).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let etag = HeaderValue::from_str(&format!("\"{hash}\"")).map_err(|_| Problem::internal())?;
    Ok(Written { json, etag })
}

/// What goes in and what comes out are told apart: a field that may be left out of a request is always there in an answer.
pub(super) struct Generators {
    takes: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Generators {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self { takes: settings().for_deserialize().into_generator(), answers: settings().for_serialize().into_generator() }
    }

    fn schemas(mut self) -> Map<String, Value> {
        let mut all = self.takes.take_definitions(true);
        all.extend(self.answers.take_definitions(true));
        all
    }
}

/// The description of these routes, as they are in this mode.
pub fn describe(routes: impl Iterator<Item = Route>, mode: Mode) -> Value {
    let mut generators = Generators::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[route.verb.as_str().to_lowercase()] = operation(&route, &mut generators);
    }
    let responses = answers::components();
    let mut schemas = Map::from_iter([("Problem".to_owned(), answers::problem(&mut generators))]);
    schemas.extend(generators.schemas());
    json!({
        "openapi": VERSION,
        "info": {"title": "orderboard", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": TAGS.map(|(name, about)| json!({"name": name, "description": about})),
        "paths": paths,
        "components": {"schemas": schemas, "responses": responses, "headers": answers::headers(), "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "The token of `/api/login`, or a service's"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": cookie_name(mode), "description": "Set by `/api/login`"},
        }},
    })
}

const TAGS: [(&str, &str); 8] = [
    ("people", "Registering, signing in and out, oneself, and others"),
    ("orders", "The board, and everything that is done with an order"),
    ("money", "Accounts, top-ups and payouts"),
    ("billing", "Operations that other systems command"),
    ("gateway", "The payment gateway, and the sandbox that stands in for it"),
    ("notifications", "What people are told, and by which ways"),
    ("admin", "What admins see, decide and switch"),
    ("operation", "For balancers, operators and machines"),
];

fn tag(path: &str) -> &'static str {
    match path.trim_start_matches("/api/").split('/').next().unwrap_or_default() {
        "admin" => "admin",
        "accounts" | "payouts" | "topups" => "money",
        "billing" => "billing",
        "robokassa" | "sandbox" => "gateway",
        "notifications" | "subscriptions" => "notifications",
        "me" if path.ends_with("/channels") || path.ends_with("/telegram") => "notifications",
        "orders" | "board" | "quote" | "categories" | "applications" => "orders",
        "register" | "login" | "logout" | "me" | "password" | "users" | "session" | "sessions" | "dev" => "people",
        _ => "operation",
    }
}

fn operation(route: &Route, generators: &mut Generators) -> Value {
    let mut operation = json!({
        "operationId": name(route),
        "tags": [tag(route.path)],
        "summary": route.what,
        "description": callers(route),
        "security": security(route),
        "responses": answers::of(route, generators),
    });
    let parameters = takings::parameters(route, generators);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = takings::body(route, generators) {
        operation["requestBody"] = body;
    }
    operation
}

/// `post_api_orders_id_accept`.
fn name(route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(route.verb.as_str().to_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}

fn callers(route: &Route) -> String {
    let who = match route.who {
        Who::Anybody => "For everybody, guests too.",
        Who::SignedIn => "For whoever is signed in.",
        Who::Customers => "For customers.",
        Who::Executors => "For executors.",
        Who::Parties => "For the two sides of a contract.",
        Who::Admins => "For admins.",
        Who::Services => "For other systems with a service token; users for what is theirs.",
    };
    let place = match route.place {
        Place::Everywhere => "",
        Place::Sandbox => " Only where the sandbox is the payment gateway.",
        Place::Development => " Only in development.",
    };
    let more = if route.more.is_empty() { String::new() } else { format!("\n\n{}", route.more) };
    format!("{who}{place}{more}")
}

fn security(route: &Route) -> Value {
    match (route.taking.needs_caller, route.taking.knows_caller) {
        (true, _) => json!([{"bearer": []}, {"cookie": []}]),
        (false, true) => json!([{}, {"bearer": []}, {"cookie": []}]),
        (false, false) => json!([]),
    }
}

#[cfg(test)]
mod tests;
