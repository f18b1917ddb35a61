//! Who is calling: the session of a bearer token, or of the cookie. A header beats a cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::error::Problem;
use super::{Api, Mode};
use crate::domain::refusal::Refusal;
use crate::store::sessions::Session;

/// Who is calling, found before anything else is done for a request, and kept with it.
#[derive(Clone)]
pub(super) enum Known {
    Member(Arc<Session>),
    Guest,
    /// Somebody whose token opens no session: one that has ended, or a service's.
    Stranger,
}

impl Known {
    pub(super) async fn find(api: &Api, headers: &HeaderMap) -> Result<Self, Problem> {
        let bearer = bearer(headers);
        let Some(token) = bearer.or_else(|| cookie(headers, api.mode)) else { return Ok(Self::Guest) };
        Ok(match api.live.sessions().find(token).await? {
            Some(session) => Self::Member(session),
            // A token that was meant to say who is calling and does not is an error; a stale cookie makes a guest.
            None if bearer.is_some() => Self::Stranger,
            None => Self::Guest,
        })
    }
}

/// A caller who is signed in.
pub(super) struct Caller(pub(super) Arc<Session>);

/// A caller who may be a guest.
pub(super) struct MaybeCaller(pub(super) Option<Arc<Session>>);

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let MaybeCaller(session) = MaybeCaller::from_request_parts(parts, api).await?;
        Ok(Self(session.ok_or(Refusal::Unauthenticated)?))
    }
}

impl FromRequestParts<Api> for MaybeCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let known = match parts.extensions.get::<Known>() {
            Some(known) => known.clone(),
            None => Known::find(api, &parts.headers).await?,
        };
        match known {
            Known::Member(session) => Ok(Self(Some(session))),
            Known::Guest => Ok(Self(None)),
            Known::Stranger => Err(Refusal::Unauthenticated.into()),
        }
    }
}

/// The bearer token, if the caller named one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session cookie's token.
pub(super) fn cookie(headers: &HeaderMap, mode: Mode) -> Option<&str> {
    named_cookie(headers, cookie_name(mode))
}

pub(super) fn named_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// `Set-Cookie` that signs in for `lifetime_s`; with 0 it signs out.
pub(super) fn set_cookie(mode: Mode, token: &str, lifetime_s: i64) -> Result<HeaderValue, Problem> {
    let name = cookie_name(mode);
    let secure = if mode == Mode::Production { "; Secure" } else { "" };
    let line = format!("{name}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age={}{secure}", lifetime_s.max(0));
    HeaderValue::from_str(&line).map_err(|_| Problem::internal())
}

pub(super) fn cookie_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Development => "sid",
        Mode::Production => "__Host-sid",
    }
}
