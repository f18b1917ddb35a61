//! Billing operations over HTTP. Other systems command them with a service token; a user may transfer what is theirs.

use std::borrow::Cow;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::caller::{MaybeCaller, bearer};
use super::error::{Answer, Problem, accepted, billing, ok_json};
use super::extract::{Json, Query, Segment};
use crate::domain::billing::{After, Deed, EXPIRES_S_MAX, OPERATION_ID_MAX, Request, read};
use crate::domain::ledger::AccountKind;
use crate::domain::money::{AMOUNT_MAX, Currency};
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::user::Role;
use crate::flow::Scope;

/// Who commands.
pub(super) enum Commander {
    Service,
    Admin,
    User(u64),
}

impl FromRequestParts<Api> for Commander {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if let Some(token) = bearer(&parts.headers) {
            // Sessions are known from memory and are the more frequent.
            if api.live.sessions().find(token).await?.is_none() {
                let service = api.flow.service(token).await?.ok_or(Refusal::Unauthenticated)?;
                tracing::debug!(service = service.name, id = service.id, "a service calls");
                return Ok(Self::Service);
            }
        }
        let MaybeCaller(session) = MaybeCaller::from_request_parts(parts, api).await?;
        let session = session.ok_or(Refusal::Unauthenticated)?;
        Ok(if session.actor.role == Role::Admin { Self::Admin } else { Self::User(session.actor.user.id) })
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Wait {
    wait: Option<String>,
}

/// A command as it came: what is wrong with it is for its own answer to say.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Command(Value);

/// A command that was put into the queue.
#[derive(Serialize, JsonSchema)]
pub(super) struct Pending<'a> {
    operation_id: &'a str,
    status: &'static str,
}

/// What became of a command: the very bytes that its queue was answered with.
pub(super) enum Outcome {}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        "BillingCommand".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // A member that is absent and one that is null are the same.
        let or_null = |schema: &Value| json!({"anyOf": [schema, {"type": "null"}]});
        let (account, currency) = (generator.subschema_for::<AccountKind>().to_value(), generator.subschema_for::<Currency>().to_value());
        let (account, currency) = (or_null(&account), or_null(&currency));
        let id = json!({"type": "integer", "minimum": 1, "maximum": i64::MAX});
        let amount = json!({"type": "integer", "minimum": 1, "maximum": AMOUNT_MAX});
        let seconds = or_null(&json!({"type": "integer", "minimum": 1, "maximum": EXPIRES_S_MAX}));
        let on_account = json!({"user_id": id, "account": account, "currency": currency, "amount": amount});
        let on_hold = json!({"hold_id": id, "user_id": or_null(&id), "account": account, "currency": currency, "amount": or_null(&amount)});
        let with = |members: &Value, name: &str, schema: &Value| {
            let mut members = members.clone();
            members[name] = schema.clone();
            members
        };
        let command = |types: &[&str], required: &[&str], members: &Value| {
            let members = with(members, "type", &json!({"enum": types}));
            json!({"required": required, "properties": members})
        };
        json_schema!({
            "type": "object",
            "required": ["operation_id", "type"],
            "properties": {
                "operation_id": {"type": "string", "pattern": format!("^[!-~]{{1,{OPERATION_ID_MAX}}}$"),
                    "description": "The same id with the same body is the same operation, carried out once"},
            },
            "oneOf": [
                command(&["credit", "debit"], &["user_id", "amount"], &on_account),
                command(&["hold"], &["user_id", "amount"], &with(&on_account, "expires_s", &seconds)),
                command(&["capture"], &["hold_id"], &with(&on_hold, "to_user_id", &or_null(&id))),
                command(&["release"], &["hold_id"], &on_hold),
                // Of whoever is signed in, where nobody is named.
                command(&["transfer"], &["to_user_id", "amount"], &with(&with(&on_account, "to_user_id", &id), "user_id", &or_null(&id))),
            ],
            "examples": [{"operation_id": "invoice-17", "type": "transfer", "user_id": 1, "to_user_id": 2, "amount": 15_000}],
        })
    }
}

impl JsonSchema for Outcome {
    fn schema_name() -> Cow<'static, str> {
        "BillingOutcome".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let after = generator.subschema_for::<After>();
        json_schema!({
            "type": "object",
            "required": ["operation_id", "status"],
            "properties": {
                "operation_id": {"type": "string"},
                "status": {"enum": ["done", "refused"]},
                "code": {"type": "string"},
                "detail": {"type": "string"},
                "result": {"type": "object", "properties": {"accounts": {"type": "array", "items": after}, "hold_id": {"type": "integer"}}},
            },
        })
    }
}

impl Wait {
    /// Seconds, or yes and no. The operation is carried out at once, so any time is enough.
    fn is_asked(&self) -> Result<bool, Problem> {
        match self.wait.as_deref() {
            None | Some("0" | "false" | "no") => Ok(false),
            Some("" | "true" | "yes") => Ok(true),
            Some(seconds) if seconds.parse::<u32>().is_ok() => Ok(true),
            Some(_) => Err(Invalid::new("wait", Reason::Malformed, "`wait` is a number of seconds, or true").into()),
        }
    }
}

/// With `wait` the answer; without it 202, and the answer comes by the queue and at the operation's address.
pub(super) async fn command(
    State(api): State<Api>,
    commander: Commander,
    Query(wait): Query<Wait>,
    Json(Command(mut body)): Json<Command>,
) -> Answer {
    let is_asked = wait.is_asked()?;
    if let (Commander::User(user_id), Value::Object(members)) = (&commander, &mut body) {
        members.entry("user_id").or_insert_with(|| (*user_id).into());
    }
    let text = body.to_string();
    let request = read(&text).map_err(|unreadable| Invalid::new("operation_id", Reason::Malformed, unreadable.no.detail))?;
    let scope = match commander {
        Commander::Service => Scope::Services,
        Commander::Admin => {
            return Err(Problem::forbidden("operations are commanded with a service token; see `orderboard service token`"));
        }
        Commander::User(user_id) => {
            may(user_id, &request)?;
            Scope::User(user_id)
        }
    };
    let is_for_queue = !is_asked && scope == Scope::Services && request.deed.is_ok();
    if is_for_queue && api.flow.enqueue(&text).await {
        return accepted(&Pending { operation_id: &request.operation_id, status: "pending" });
    }
    billing(api.flow.carry_out_one(scope, &request).await?.text)
}

/// A user moves their own free money to somebody else, and nothing more.
fn may(user_id: u64, request: &Request) -> Result<(), Problem> {
    match &request.deed {
        Ok(Deed::Transfer { from, .. }) if from.user_id == user_id => Ok(()),
        Ok(Deed::Transfer { .. }) => Err(Problem::forbidden("`user_id` must be you: a transfer takes from your own account")),
        Ok(_) => Err(Problem::forbidden("users may only transfer; other operations need a service token")),
        Err(no) if no.code == "self_transfer" || no.code == "invalid" => Ok(()),
        Err(_) => Err(Problem::forbidden("users may only transfer; other operations need a service token")),
    }
}

pub(super) async fn show(State(api): State<Api>, commander: Commander, Segment(id): Segment) -> Answer {
    // Operations' ids are ASCII, and so is their column, which would not even be compared with anything else.
    if !id.is_ascii() {
        return Err(Refusal::NotFound("operation").into());
    }
    let found = match commander {
        Commander::Service | Commander::Admin => api.flow.operation(Scope::Services, &id).await?,
        Commander::User(user_id) => api.flow.operation_of_user(user_id, &id).await?,
    };
    Ok(ok_json(found.ok_or(Refusal::NotFound("operation"))?))
}
