//! Billing operations over HTTP. Other systems command them with a service token; a user may transfer what is theirs.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::Value;

use super::Api;
use super::caller::{MaybeCaller, bearer};
use super::error::{Answer, Problem, accepted_json, billing, ok_json};
use super::extract::{Json, Query, Segment};
use crate::domain::billing::{Deed, Request, read};
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

#[derive(Deserialize)]
pub(super) struct Wait {
    wait: Option<String>,
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
pub(super) async fn command(State(api): State<Api>, commander: Commander, Query(wait): Query<Wait>, Json(mut body): Json<Value>) -> Answer {
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
        return Ok(accepted_json(&serde_json::json!({"operation_id": request.operation_id, "status": "pending"})));
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
    let found = match commander {
        Commander::Service | Commander::Admin => api.flow.operation(Scope::Services, &id).await?,
        Commander::User(user_id) => api.flow.operation_of_user(user_id, &id).await?,
    };
    Ok(ok_json(found.ok_or(Refusal::NotFound("operation"))?))
}
