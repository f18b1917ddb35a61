//! What an admin sees and switches.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::Json;
use super::source::of_memory;
use crate::domain::commission::{Mode, Policy};
use crate::domain::refusal::Refusal;
use crate::domain::user::Role;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPolicy {
    #[schemars(range(min = 1, max = 5_000))]
    rate_bp: u16,
    #[schemars(range(max = 5_000))]
    floor_bp: u16,
    mode: Mode,
}

pub(super) async fn commission(State(api): State<Api>, Caller(session): Caller) -> Answer {
    if session.actor.role != Role::Admin {
        return Err(Refusal::Forbidden("only admins see the commission's settings").into());
    }
    Ok(of_memory(ok(&api.flow.policy())?, api.flow.settings_age()))
}

pub(super) async fn switch_commission(State(api): State<Api>, Caller(session): Caller, Json(body): Json<NewPolicy>) -> Answer {
    let policy = Policy::new(body.rate_bp, body.floor_bp, body.mode)?;
    api.flow.switch_policy(&session.actor, policy).await?;
    ok(&policy)
}
