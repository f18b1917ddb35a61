//! What handlers take from requests: bodies, queries, ids and idempotency keys, each refused with a problem that says
//! what is wrong.

use std::time::Duration;

use axum::body::HttpBody as _;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::{Problem, Unreadable};
use crate::domain::refusal::{Invalid, Reason, Refusal};

/// 8,000 characters of description, each written as two `\uXXXX` escapes, still fit.
const BODY_BYTES_MAX: usize = 128 * 1024;
const BODY_WITHIN: Duration = Duration::from_secs(15);
const KEY_LEN_MAX: usize = 255;

/// A JSON body. Unknown fields are refused by the types themselves.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
        if !is_json {
            return Err(Problem::unreadable(Unreadable::MediaType, "send JSON, with `Content-Type: application/json`"));
        }
        parse(&body(request.into_body()).await?).map(Json)
    }
}

/// A JSON body that may be missing.
pub(super) struct MaybeJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = body(request.into_body()).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

/// The body, whole, within its size and its time.
pub(super) async fn body(body: Body) -> Result<bytes::Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(bytes::Bytes::new());
    }
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) => {
            Err(Problem::unreadable(Unreadable::TooLarge, format!("a body is at most {BODY_BYTES_MAX} bytes")))
        }
        Ok(Err(_)) => Err(Problem::unreadable(Unreadable::Syntax, "the body broke off")),
        Err(_) => Err(Problem::unreadable(Unreadable::TooSlow, "the body did not arrive within 15 s")),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde also takes a list of a type's fields in the order of their declaration, which is nobody's contract.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::unreadable(Unreadable::Values, "the body cannot be used: send an object, not a list"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = if error.is_data() { Unreadable::Values } else { Unreadable::Syntax };
        Problem::unreadable(kind, format!("the body cannot be used: {error}"))
    })
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The query string.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|query: axum::extract::Query<T>| Self(query.0))
            .map_err(|error| Problem::unreadable(Unreadable::Values, format!("the query cannot be used: {}", error.body_text())))
    }
}

/// The number in a path. What is no number names nothing.
pub(super) struct Id(pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Segment(id) = Segment::from_request_parts(parts, state).await?;
        id.parse().map(Self).map_err(|_| Refusal::NotFound("thing").into())
    }
}

/// The text in a path. What is no text names nothing.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        segment.map(|Path(text)| Self(text)).map_err(|_| Refusal::NotFound("thing").into())
    }
}

/// The `Idempotency-Key` header, where the caller sent one.
pub(super) struct Key(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let usable = |key: &&str| !key.is_empty() && key.len() <= KEY_LEN_MAX && key.chars().all(|c| c.is_ascii_graphic());
        match value.to_str().ok().filter(usable) {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => Err(Invalid::new(
                "Idempotency-Key",
                Reason::Malformed,
                format!("`Idempotency-Key` is 1 to {KEY_LEN_MAX} visible ASCII characters"),
            )
            .into()),
        }
    }
}
