//! What a request of a route carries: parameters and bodies.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::Generators;
use crate::http::routes::Route;

pub(super) fn parameters(route: &Route, generators: &mut Generators) -> Vec<Value> {
    let mut all: Vec<Value> = route.path.split('/').filter_map(|part| in_path(part, route, generators)).collect();
    if let Some(query) = route.taking.query {
        all.extend(in_query(query(&mut generators.takes)));
    }
    if route.taking.has_key {
        let about = "Makes a repeated request the same request";
        all.push(json!({"name": "Idempotency-Key", "in": "header", "required": false, "description": about,
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"}, "example": "7f3a"}));
    }
    all
}

fn in_path(part: &str, route: &Route, generators: &mut Generators) -> Option<Value> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    let schema = match route.taking.segment {
        Some(segment) => segment(&mut generators.takes).to_value(),
        None => json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX}),
    };
    Some(json!({"name": name, "in": "path", "required": true, "schema": schema}))
}

/// Each member of the type is a parameter.
fn in_query(query: Schema) -> Vec<Value> {
    let query = query.to_value();
    let required: Vec<&Value> = query["required"].as_array().into_iter().flatten().collect();
    let members = query["properties"].as_object().cloned().unwrap_or_default();
    let parameter = |(name, schema): (String, Value)| {
        let is_required = required.iter().any(|required| **required == name.as_str());
        let mut schema = without_null(schema);
        let about = schema.as_object_mut().and_then(|members| members.remove("description"));
        let mut parameter = json!({"name": name, "in": "query", "required": is_required, "schema": schema});
        if let Some(about) = about {
            parameter["description"] = about;
        }
        parameter
    };
    members.into_iter().map(parameter).collect()
}

/// A query says nothing by leaving out, never by `null`.
fn without_null(mut schema: Value) -> Value {
    let is_null = |value: &Value| *value == "null" || value["type"] == "null" || value.is_null();
    let Some(members) = schema.as_object_mut() else { return schema };
    if let Some(types) = members.get("type").and_then(Value::as_array) {
        let rest: Vec<Value> = types.iter().filter(|value| !is_null(value)).cloned().collect();
        members.insert("type".to_owned(), if rest.len() == 1 { rest[0].clone() } else { rest.into() });
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !is_null(value));
    }
    let choices = members.get("anyOf").and_then(Value::as_array).filter(|choices| choices.iter().any(is_null)).cloned();
    if let Some(choices) = choices {
        members.remove("anyOf");
        let rest: Vec<Value> = choices.into_iter().filter(|choice| !is_null(choice)).collect();
        match rest.as_slice() {
            [Value::Object(only)] => members.extend(only.clone()),
            _ => drop(members.insert("anyOf".to_owned(), rest.into())),
        }
    }
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
    schema
}

pub(super) fn body(route: &Route, generators: &mut Generators) -> Option<Value> {
    let (media_type, schema) = match (route.taking.body, route.taking.form) {
        (Some(body), _) => ("application/json", body(&mut generators.takes)),
        (None, Some(form)) => ("application/x-www-form-urlencoded", form(&mut generators.takes)),
        (None, None) => return None,
    };
    let content = Map::from_iter([(media_type.to_owned(), json!({"schema": schema}))]);
    Some(json!({"required": route.taking.is_body_required, "content": content}))
}
