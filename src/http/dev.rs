//! For trying things out by hand, in development only and from this machine only: being somebody else.

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::MaybeCaller;
use super::error::Answer;
use super::extract::Json;
use super::server::Peer;
use super::sessions::{device, signed_in};
use crate::domain::refusal::Refusal;
use crate::domain::user::Role;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// Whoever is calling, where nobody is named: then only the role changes.
    user_id: Option<u64>,
    role: Role,
}

/// Signs in as anybody without a password.
pub(super) async fn switch(
    State(api): State<Api>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    MaybeCaller(session): MaybeCaller,
    headers: HeaderMap,
    Json(body): Json<Switch>,
) -> Answer {
    if !peer.is_here() {
        return Err(Refusal::Forbidden("only from the machine on which this node runs").into());
    }
    let own = session.map(|session| session.actor.user.id);
    let user_id = body.user_id.or(own).ok_or(Refusal::Unauthenticated)?;
    let switched = api.flow.switch_user(user_id, body.role, &device(&headers), &peer.address()).await?;
    signed_in(&api, &switched)
}
