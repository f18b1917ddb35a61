//! Contracts in dispute: a side asks for a verdict, an admin gives it.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::{Id, Json};
use crate::domain::text::DESCRIPTION_CHARS_MAX;
use crate::flow::Verdict;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Complaint {
    #[schemars(length(min = 1, max = DESCRIPTION_CHARS_MAX))]
    reason: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    verdict: Verdict,
    #[schemars(length(min = 1, max = DESCRIPTION_CHARS_MAX))]
    comment: String,
}

pub(super) async fn dispute(State(api): State<Api>, Caller(session): Caller, Id(id): Id, Json(body): Json<Complaint>) -> Answer {
    ok(&api.flow.dispute_order(&session.actor, id, &body.reason).await?)
}

pub(super) async fn arbitrate(State(api): State<Api>, Caller(session): Caller, Id(id): Id, Json(body): Json<Decision>) -> Answer {
    ok(&api.flow.arbitrate(&session.actor, id, body.verdict, &body.comment).await?)
}
