//! The limits, for admins: what is in force, what it has refused, and setting it anew for all nodes.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::Json;
use super::limits::{MetBy, MetLimit};
use crate::domain::limits::{Limits, LimitsSet};
use crate::domain::refusal::Refusal;
use crate::domain::user::Role;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LimitsTold")]
pub(super) struct Told {
    in_force: Limits,
    /// What this node was started with.
    configured: Limits,
    /// What an admin has set instead, for all nodes.
    set: LimitsSet,
    /// By this node, in the last hour.
    refused: Refused,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LimitsMet")]
struct Refused {
    by_limit: Vec<MetLimit>,
    /// Those refused most.
    by_caller: Vec<MetBy>,
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller) -> Answer {
    if session.actor.role != Role::Admin {
        return Err(Refusal::Forbidden("only admins see the limits").into());
    }
    let set = api.flow.limits_set().await?;
    let (by_limit, by_caller) = api.gate.refused();
    let configured = api.flow.limits_at_start();
    ok(&Told { in_force: configured.with(&set), configured, set, refused: Refused { by_limit, by_caller } })
}

/// What is not named is as each node was started.
pub(super) async fn set(State(api): State<Api>, Caller(session): Caller, Json(body): Json<LimitsSet>) -> Answer {
    api.flow.set_limits(&session.actor, &body).await?;
    show(State(api), Caller(session)).await
}
