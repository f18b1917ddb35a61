//! Answers: the only place where a status is decided. Errors are RFC 9457 problems with a stable `code` and the facts
//! of the refusal beside the English detail; what is technical is logged here, once, and not shown.

pub mod codes;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use self::codes::Code;
use super::figures::Trouble;
use crate::domain::limits::{LimitName, Reached};
use crate::domain::order::unix_ms;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::flow::{Fault, FlowError};
use crate::store::StoreError;

/// An error as it is answered.
#[derive(Debug)]
pub(super) struct Problem {
    code: Code,
    detail: String,
    facts: Map<String, Value>,
    retry_after_s: Option<u32>,
    /// What the log says of it; for admins, and never part of the answer.
    cause: Option<Box<str>>,
    /// For whoever counts what is refused.
    reached: Option<LimitName>,
}

pub(super) type Answer = Result<Response, Problem>;

impl Problem {
    fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), facts: Map::new(), retry_after_s: None, cause: None, reached: None }
    }

    fn with(mut self, facts: Value) -> Self {
        if let Value::Object(facts) = facts {
            self.facts.extend(facts);
        }
        self
    }

    fn caused_by(mut self, cause: &impl ToString) -> Self {
        self.cause = Some(cause.to_string().into());
        self
    }

    fn limit(detail: String, retry_after_s: u32) -> Self {
        let problem = Self::new(codes::LIMIT, detail).with(json!({"retry_after_s": retry_after_s}));
        Self { retry_after_s: Some(retry_after_s), ..problem }
    }

    pub(super) fn forbidden(detail: &str) -> Self {
        Self::new(codes::FORBIDDEN, detail)
    }

    pub(super) fn no_route() -> Self {
        Self::new(codes::NOT_FOUND, "there is nothing at this address")
    }

    /// The body or the query is not what this address takes.
    pub(super) fn unreadable(kind: Unreadable, detail: impl Into<String>) -> Self {
        let code = match kind {
            Unreadable::Syntax => codes::BROKEN,
            Unreadable::Values => codes::INVALID,
            Unreadable::TooLarge => codes::TOO_LARGE,
            Unreadable::MediaType => codes::MEDIA_TYPE,
            Unreadable::TooSlow => codes::TOO_SLOW,
        };
        Self::new(code, detail).with(json!({"reason": Reason::Malformed.as_str()}))
    }

    pub(super) fn unavailable(detail: &str) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(codes::UNAVAILABLE, detail) }
    }

    pub(super) fn internal() -> Self {
        let detail = "something broke on our side; nothing was half-done, and it has been logged. Try again, and tell us if it stays";
        Self::new(codes::INTERNAL, detail)
    }

    pub(super) fn panicked() -> Self {
        Self::internal().caused_by(&"a handler panicked; the log says where")
    }

    pub(super) fn upgrade_required() -> Self {
        Self::new(codes::UPGRADE_REQUIRED, "this address speaks websocket (RFC 6455, version 13) only")
    }
}

/// What is wrong with a request before any rule has looked at it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unreadable {
    Syntax,
    Values,
    TooLarge,
    MediaType,
    TooSlow,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(invalid) => invalid.into(),
            Refusal::Unauthenticated => Problem::new(codes::UNAUTHENTICATED, "sign in first; your session may have ended"),
            Refusal::WrongCredentials => Problem::new(codes::WRONG_CREDENTIALS, "this e-mail address and password do not belong together"),
            Refusal::WrongPassword => Problem::new(codes::WRONG_PASSWORD, "this is not your present password; nothing was changed"),
            Refusal::LinkOver => {
                let detail = "this link was used, is too old, or was overtaken by another change; ask for a new one";
                Problem::new(codes::LINK_OVER, detail)
            }
            Refusal::NoMail => Problem::new(codes::NO_MAIL, "no mail is sent from here, so no link can come by mail; ask the admins"),
            Refusal::Forbidden(why) => Problem::forbidden(why),
            Refusal::NotFound(what) => Problem::new(codes::NOT_FOUND, format!("there is no such {what}, or it is not yours to see")),
            Refusal::Taken { by, at } => {
                let at_text = at.format(&Rfc3339).unwrap_or_default();
                let detail = format!("{} took this order at {at_text}; it is theirs", by.name);
                Problem::new(codes::TAKEN, detail).with(json!({"by": by, "at": at_text, "at_ms": unix_ms(at)}))
            }
            Refusal::Frozen => Problem::new(codes::FROZEN, "the customer has frozen this order; it may come back"),
            Refusal::Cancelled => Problem::new(codes::CANCELLED, "the customer has cancelled this order"),
            Refusal::OwnOrder => Problem::new(codes::OWN_ORDER, "this is your own order; somebody else has to take it"),
            Refusal::Stale { status, version } => {
                let status = status.as_str();
                Problem::new(codes::STALE, format!("the order is {status} now, which does not allow this; look at it again"))
                    .with(json!({"order_status": status, "version": version}))
            }
            Refusal::ForFirstTaker => {
                Problem::new(codes::FIRST_TAKER, "the first who takes this order gets it; take it instead of applying")
            }
            Refusal::NotDisputed { status, version } => {
                let status = status.as_str();
                Problem::new(codes::NOT_DISPUTED, format!("the order is {status} and nobody asks for a verdict; only a dispute is decided"))
                    .with(json!({"order_status": status, "version": version}))
            }
            Refusal::Disputed => Problem::new(codes::DISPUTED, "this contract is in dispute; wait for the administrator's verdict"),
            Refusal::Changed { changes, order } => {
                Problem::new(codes::CHANGED, "the customer has edited this order since you saw it; see what is different and decide again")
                    .with(json!({"changes": changes, "order": order}))
            }
            Refusal::InsufficientFunds { available, needed, currency } => Problem::new(
                codes::INSUFFICIENT_FUNDS,
                format!("{needed} minor units of {currency} are needed and {available} are free; top up first"),
            )
            .with(json!({"available": available, "needed": needed, "currency": currency})),
            Refusal::Mismatch => {
                Problem::new(codes::MISMATCH, "this Idempotency-Key was used with another body; use a new key for a new request")
            }
            Refusal::EmailTaken => Problem::new(codes::EMAIL_TAKEN, "somebody has registered with this e-mail address; sign in instead"),
            Refusal::CategoryExists => {
                Problem::new(codes::EXISTS, "there is a category with this slug already; change that one, or choose another slug")
            }
            Refusal::TopupDecided => Problem::new(codes::STALE, "this payment was decided the other way already"),
            Refusal::PayoutDecided { status } => {
                let status = status.as_str();
                Problem::new(codes::STALE, format!("this payout is {status} already; nothing was done"))
                    .with(json!({"payout_status": status}))
            }
            Refusal::UserClosed => Problem::new(codes::USER_CLOSED, "this user is closed; only what is held may still be paid or released"),
            Refusal::NothingToSweep => {
                Problem::new(codes::NOTHING_TO_SWEEP, "nothing is free among the earnings, so there is nothing to move")
            }
            Refusal::Limit { what, retry_after_s } => {
                Problem::limit(format!("too many {what}; try again in {retry_after_s} s"), retry_after_s)
            }
            Refusal::Limited(reached) => {
                let Reached { limit, allowed, retry_after_s } = reached;
                let detail = format!("at most {allowed} {}; nothing was done. Try again in {retry_after_s} s", limit.of());
                let problem = Problem::limit(detail, retry_after_s).with(json!({"limit": limit, "allowed": allowed}));
                Problem { reached: Some(limit), ..problem }
            }
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Problem::new(codes::INVALID, invalid.detail).with(json!({"field": invalid.field, "reason": invalid.reason.as_str()}))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_disconnect() || error.is_conflict() {
            tracing::warn!(%error, "the database did not answer");
            metrics::counter!("orderboard_database_unavailable_total").increment(1);
            return Problem::unavailable("the database does not answer at the moment; nothing was half-done, try again shortly")
                .caused_by(&error);
        }
        tracing::error!(%error, "the database refused a statement");
        Problem::internal().caused_by(&error)
    }
}

impl From<FlowError> for Problem {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Refused(refusal) => refusal.into(),
            FlowError::Store(error) => error.into(),
            FlowError::Internal(detail) => {
                tracing::error!(detail, "an invariant does not hold");
                Problem::internal().caused_by(&detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status_of(&self.code);
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "code": self.code.name,
            "detail": self.detail,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.facts);
        }
        let mut response = typed(status, "application/problem+json", body.to_string());
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(reached) = self.reached {
            response.extensions_mut().insert(reached);
        }
        if status.is_server_error() {
            let cause = self.cause.map_or(self.detail, String::from);
            response.extensions_mut().insert(Trouble { code: self.code.name, cause });
        }
        response
    }
}

/// Whether the answer is that nobody knows the caller.
pub(super) fn is_unknown(response: &Response) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
}

/// Whether something was told, or the caller has it already; neither a refusal nor the way to another address.
pub(super) fn is_told(response: &Response) -> bool {
    response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(codes::METHOD_NOT_ALLOWED, "this address does not take that method")
}

fn status_of(code: &Code) -> StatusCode {
    StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// 200 with a value as JSON.
pub(super) fn ok(value: &impl serde::Serialize) -> Answer {
    Ok(typed(StatusCode::OK, "application/json", to_json(value)?))
}

/// 200 with JSON that was written before.
pub(super) fn ok_json(json: String) -> Response {
    typed(StatusCode::OK, "application/json", json)
}

/// 202: it will be done.
pub(super) fn accepted(value: &impl serde::Serialize) -> Answer {
    Ok(typed(StatusCode::ACCEPTED, "application/json", to_json(value)?))
}

/// A billing operation's stored answer: 200 with the very bytes when it was done, and a problem with its code, its detail
/// and the whole answer as `answer` when it was refused.
pub(super) fn billing(text: String) -> Answer {
    #[derive(serde::Deserialize)]
    struct Told<'a> {
        operation_id: Value,
        #[serde(borrow)]
        code: Option<std::borrow::Cow<'a, str>>,
        detail: Option<String>,
    }
    let told: Told<'_> = serde_json::from_str(&text).map_err(|_| Problem::internal())?;
    let Some(code) = told.code else { return Ok(ok_json(text)) };
    let status = status_of(codes::of_billing(&code).unwrap_or(&codes::SET_ASIDE));
    let mut body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": told.detail,
        "operation_id": told.operation_id,
    });
    let answer: Value = serde_json::from_str(&text).map_err(|_| Problem::internal())?;
    if let Value::Object(members) = &mut body {
        if let Some(Value::Object(facts)) = answer.get("result") {
            for (name, fact) in facts {
                members.entry(name.clone()).or_insert_with(|| fact.clone());
            }
        }
        members.insert("answer".into(), answer);
    }
    Ok(typed(status, "application/problem+json", body.to_string()))
}

/// 201 with a value as JSON.
pub(super) fn created(value: &impl serde::Serialize) -> Answer {
    Ok(created_json(to_json(value)?))
}

/// 201 with JSON that was written before.
pub(super) fn created_json(json: String) -> Response {
    typed(StatusCode::CREATED, "application/json", json)
}

pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

pub(super) fn not_modified() -> Response {
    StatusCode::NOT_MODIFIED.into_response()
}

pub(super) fn switching_protocols(headers: [(HeaderName, HeaderValue); 4]) -> Response {
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// The browser goes on to this path, by GET.
pub(super) fn see_other(path: &str) -> Answer {
    let place = HeaderValue::from_str(path).map_err(|_| Problem::internal())?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response())
}

/// What the payment gateway is told when it is not believed: plain text, which is what its protocol speaks.
pub(super) fn not_believed(fault: &Fault) -> Response {
    let (status, text) = match fault {
        Fault::NoGateway => (StatusCode::NOT_FOUND, "no gateway is set up here".to_owned()),
        Fault::Unreadable(what) => (StatusCode::BAD_REQUEST, format!("bad request: {what}")),
        Fault::BadSign => (StatusCode::FORBIDDEN, "bad sign".to_owned()),
        Fault::Test => (StatusCode::FORBIDDEN, "bad sign: test payments are not taken here".to_owned()),
        Fault::Unknown => (StatusCode::NOT_FOUND, "unknown InvId".to_owned()),
        Fault::WrongSum { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "wrong sum".to_owned()),
    };
    typed(status, "text/plain; charset=utf-8", text)
}

/// 200 with a body of any type.
pub(super) fn typed_ok(content_type: &'static str, body: impl Into<Body>) -> Response {
    typed(StatusCode::OK, content_type, body)
}

fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static(content_type))], body.into()).into_response()
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::internal()
    })
}
