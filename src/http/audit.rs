//! The audit and its repairs, for admins.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::Query;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Of an audit that was still running when it was asked for.
    number: Option<i64>,
}

pub(super) async fn audit(State(api): State<Api>, Caller(session): Caller, Query(which): Query<Which>) -> Answer {
    ok(&api.flow.audit_for(&session.actor, which.number).await?)
}

pub(super) async fn repair(State(api): State<Api>, Caller(session): Caller, Query(which): Query<Which>) -> Answer {
    ok(&api.flow.repair_for(&session.actor, which.number).await?)
}
