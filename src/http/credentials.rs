//! Changing what one signs in with, and the way back in for whoever has forgotten it.

use axum::extract::{ConnectInfo, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use super::error::{Answer, accepted, no_content};
use super::extract::Json;
use super::server::Peer;
use super::sessions::admit;
use crate::domain::text;
use crate::flow::Attempt;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    current: String,
    #[schemars(length(min = text::PASSWORD_CHARS_MIN, max = text::PASSWORD_CHARS_MAX))]
    new: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEmail {
    password: String,
    #[schemars(email, length(max = text::EMAIL_CHARS_MAX))]
    email: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgot {
    #[schemars(email, length(max = text::EMAIL_CHARS_MAX))]
    email: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    token: String,
    #[schemars(length(min = text::PASSWORD_CHARS_MIN, max = text::PASSWORD_CHARS_MAX))]
    password: String,
}

pub(super) async fn change_password(State(api): State<Api>, Caller(session): Caller, Json(body): Json<NewPassword>) -> Answer {
    let ended = api.flow.change_password(&session.actor, body.current, body.new).await?;
    forget(&api, &ended);
    Ok(no_content())
}

pub(super) async fn change_email(State(api): State<Api>, Caller(session): Caller, Json(body): Json<NewEmail>) -> Answer {
    let ended = api.flow.change_email(&session.actor, body.password, &body.email).await?;
    forget(&api, &ended);
    api.live.sessions().reread(session.actor.user.id);
    Ok(no_content())
}

/// Nothing is told.
#[derive(Serialize, JsonSchema)]
pub(super) struct Empty {}

/// The same answer, as soon, whether the address is known or not.
pub(super) async fn forgot(State(api): State<Api>, ConnectInfo(peer): ConnectInfo<Peer>, Json(body): Json<Forgot>) -> Answer {
    admit(&api, Attempt::Forgot, peer, &body.email).await?;
    api.flow.forgot_password(&body.email)?;
    accepted(&Empty {})
}

pub(super) async fn reset(State(api): State<Api>, Json(body): Json<Reset>) -> Answer {
    let ended = api.flow.reset_password(&body.token, body.password).await?;
    forget(&api, &ended);
    Ok(no_content())
}

/// This node forgets the sessions before it answers; the others follow with the news.
fn forget(api: &Api, ended: &[u64]) {
    ended.iter().for_each(|session_id| api.live.sessions().forget(*session_id));
}
