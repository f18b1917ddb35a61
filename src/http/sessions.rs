//! Registering, signing in and out, who one is, and the list of one's sessions.

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::http::header::{SET_COOKIE, USER_AGENT};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Api;
use super::caller::{Caller, MaybeCaller, set_cookie};
use super::error::{Answer, created, no_content, ok};
use super::extract::{Id, Json};
use super::lists::Listed;
use super::server::Peer;
use super::source::of_node;
use crate::domain::ledger::Account;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::schema::Moment;
use crate::domain::text;
use crate::domain::user::{Language, Role};
use crate::flow::{Attempt, ProfileDraft, Registration, SignedIn};
use crate::store::sessions::SessionRow;

const DEVICE_CHARS_MAX: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    #[schemars(email, length(max = text::EMAIL_CHARS_MAX))]
    email: String,
    #[schemars(length(min = text::PASSWORD_CHARS_MIN, max = text::PASSWORD_CHARS_MAX))]
    password: String,
    #[schemars(length(min = 1, max = text::NAME_CHARS_MAX))]
    name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    email: String,
    password: String,
    #[schemars(with = "Role")]
    role: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Oneself")]
pub(super) struct User<'a> {
    id: u64,
    name: &'a str,
    email: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Registered<'a> {
    user: User<'a>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedIn<'a> {
    token: &'a str,
    role: Role,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    expires_at: OffsetDateTime,
    user: User<'a>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Me<'a> {
    user: User<'a>,
    role: Role,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    expires_at: OffsetDateTime,
    about: &'a str,
    /// In which letters are written.
    #[schemars(with = "Language")]
    language: &'a str,
    /// Whether earnings flow on into the wallet.
    sweeps_earnings: bool,
    accounts: Vec<Account>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    #[schemars(length(min = 1, max = text::NAME_CHARS_MAX))]
    name: Option<String>,
    #[schemars(length(max = text::ABOUT_CHARS_MAX))]
    about: Option<String>,
    #[schemars(with = "Option<Language>")]
    language: Option<String>,
    sweeps_earnings: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct SessionItem {
    id: u64,
    #[schemars(with = "Role")]
    role: String,
    device: String,
    address: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    last_seen_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    expires_at: OffsetDateTime,
    current: bool,
}

pub(super) async fn register(State(api): State<Api>, ConnectInfo(peer): ConnectInfo<Peer>, Json(body): Json<Register>) -> Answer {
    let registration = Registration::parse(&body.email, &body.name, &body.password)?;
    admit(&api, Attempt::Register, peer, &body.email).await?;
    let (user, email) = api.flow.register(registration).await?;
    created(&Registered { user: User { id: user.id, name: &user.name, email: &email } })
}

pub(super) async fn login(
    State(api): State<Api>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    Json(body): Json<Login>,
) -> Answer {
    let role = Role::parse(&body.role).ok_or_else(|| Invalid::new("role", Reason::Role, "`role` is customer, executor or admin"))?;
    admit(&api, Attempt::SignIn, peer, &body.email).await?;
    let fresh = api.flow.sign_in(&body.email, body.password, role, &device(&headers), &peer.address()).await?;
    api.attempts.forgive(Attempt::SignIn, &body.email).await;
    signed_in(&api, &fresh)
}

/// Refuses what was tried too often, from this address or with this e-mail address.
pub(super) async fn admit(api: &Api, attempt: Attempt, peer: Peer, email: &str) -> Result<(), Refusal> {
    Ok(api.attempts.admit(&api.flow.limits(), attempt, &peer.address(), email).await?)
}

/// Tells a fresh session to its owner, in the answer and as the cookie.
pub(super) fn signed_in(api: &Api, signed_in: &SignedIn) -> Answer {
    let lifetime_s = (signed_in.expires_at - OffsetDateTime::now_utc()).whole_seconds();
    let mut response = ok(&LoggedIn {
        token: &signed_in.token,
        role: signed_in.role,
        expires_at: signed_in.expires_at,
        user: User { id: signed_in.user.id, name: &signed_in.user.name, email: &signed_in.email },
    })?;
    response.headers_mut().append(SET_COOKIE, set_cookie(api.mode, &signed_in.token, lifetime_s)?);
    Ok(response)
}

/// Signing out without being signed in is done already.
pub(super) async fn logout(State(api): State<Api>, MaybeCaller(session): MaybeCaller) -> Answer {
    if let Some(session) = session {
        end_one(&api, &session.actor, session.actor.session_id).await?;
    }
    let mut response = no_content();
    response.headers_mut().append(SET_COOKIE, set_cookie(api.mode, "", 0)?);
    Ok(response)
}

pub(super) async fn me(State(api): State<Api>, Caller(session): Caller) -> Answer {
    let id = session.actor.user.id;
    let accounts = api.store.accounts_of(id).await?;
    // Read anew: what the session remembers of its user may be half a minute old.
    let own = api.store.own_profile(id).await?.ok_or(Refusal::Unauthenticated)?;
    ok(&Me {
        user: User { id, name: &own.name, email: &own.email },
        role: session.actor.role,
        expires_at: session.expires_at,
        about: &own.about,
        language: &own.language,
        sweeps_earnings: own.sweeps_earnings,
        accounts,
    })
}

/// Who is calling, if anybody: for pages, which cannot see the cookie and whose visitors are guests as often as not.
pub(super) async fn whose(State(api): State<Api>, MaybeCaller(session): MaybeCaller) -> Answer {
    match session {
        Some(session) => me(State(api), Caller(session)).await,
        None => Ok(of_node(ok(&serde_json::Value::Null)?)),
    }
}

/// One's own profile and settings: what is named changes.
pub(super) async fn change_settings(State(api): State<Api>, Caller(session): Caller, Json(body): Json<Settings>) -> Answer {
    let Settings { name, about, language, sweeps_earnings } = body;
    api.flow.change_profile(&session.actor, ProfileDraft { name, about, language, sweeps_earnings }).await?;
    api.live.sessions().reread(session.actor.user.id);
    me(State(api), Caller(session)).await
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller) -> Answer {
    let rows = api.store.sessions_of(session.actor.user.id, OffsetDateTime::now_utc()).await?;
    let item = |row: SessionRow| SessionItem {
        current: row.id == session.actor.session_id,
        id: row.id,
        role: row.role,
        device: row.device,
        address: row.address,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
    };
    ok(&Listed::whole(rows.into_iter().map(item).collect()))
}

pub(super) async fn end(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    end_one(&api, &session.actor, id).await?;
    Ok(no_content())
}

/// This node forgets the session before it answers; the others follow with the news.
async fn end_one(api: &Api, actor: &crate::domain::user::Actor, session_id: u64) -> Result<(), super::error::Problem> {
    api.flow.end_session(actor, session_id).await?;
    api.live.sessions().forget(session_id);
    Ok(())
}

pub(super) fn device(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    agent.chars().filter(|c| !c.is_control()).take(DEVICE_CHARS_MAX).collect()
}
