//! What a request asks of MySQL and Redis, and how long each took: for every request while an admin has switched that on, and for a
//! request of an admin's that carries `X-Debug`. The answer's body and headers stay as they are but for `Server-Timing`, which
//! tells admins more; the whole list is kept on the node that answered, for a while, under the request's id.
//!
//! Every answer has an id, `X-Request-Id`: the node's name and a number.

mod calls;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::calls::listener;
pub(super) use self::calls::watch;
use self::calls::{Call, Calls, Kind};
use super::Api;
use super::caller::{Caller, Known};
use super::error::{Answer, ok};
use super::extract::{Json, Segment};
use super::source::{of_node, tell_more};
use crate::domain::order::unix_ms;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::user::Role;
use crate::flow::DEBUG_MINUTES_MAX;

const KEPT_MAX: usize = 200;
/// Calls that `Server-Timing` names one by one.
const TIMED_MAX: usize = 20;
const DESCRIPTION_CHARS_MAX: usize = 60;
const MINUTES_DEFAULT: u32 = 10;

/// This node's memory of the requests that were watched.
pub struct Debug {
    node: String,
    number: AtomicU64,
    kept: Mutex<VecDeque<Arc<Kept>>>,
}

/// A request that was watched.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WatchedRequest")]
pub(super) struct Kept {
    #[serde(flatten)]
    head: Head,
    calls: Vec<Call>,
    /// More were made than are kept.
    calls_left_out: usize,
}

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "WatchedHead")]
struct Head {
    id: String,
    at_ms: i64,
    method: String,
    route: String,
    status: u16,
    user_id: Option<u64>,
    took_us: u64,
    mysql_us: u64,
    redis_us: u64,
    mysql_calls: usize,
    redis_calls: usize,
}

/// What was asked, and what came of it.
pub(super) struct Asked<'a> {
    pub(super) id: &'a str,
    pub(super) method: &'a str,
    pub(super) route: &'a str,
    pub(super) took: Duration,
    pub(super) status: u16,
}

/// What was watched of a request; travels with the answer to where it is kept, and is never sent.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) calls: Arc<Calls>,
    /// Who asked, where that could be found out.
    pub(super) known: Known,
}

impl Watched {
    fn is_admins(&self) -> bool {
        matches!(&self.known, Known::Member(session) if session.actor.role == Role::Admin)
    }
}

/// Whether a request is to be watched. Whose it is turns out later: what was noted for nobody is forgotten.
pub(super) fn is_wanted(api: &Api, headers: &HeaderMap) -> bool {
    headers.contains_key("x-debug") || api.flow.debugs_until_ms().is_some()
}

impl Debug {
    pub fn new(node: String) -> Self {
        Self { node, number: AtomicU64::new(0), kept: Mutex::default() }
    }

    pub(super) fn next_id(&self) -> String {
        format!("{}-{:x}", self.node, self.number.fetch_add(1, Ordering::Relaxed))
    }

    /// Keeps what was watched, where somebody wanted it.
    pub(super) fn keep(&self, api: &Api, asked: &Asked<'_>, response: &mut Response) {
        let Some(watched) = response.extensions_mut().remove::<Watched>() else { return };
        if !watched.is_admins() && api.flow.debugs_until_ms().is_none() {
            return;
        }
        let (calls, calls_left_out) = watched.calls.take();
        let kept = Kept { head: Head::new(asked, &watched.known, &calls), calls, calls_left_out };
        if watched.is_admins() {
            tell_more(response, &timing(&kept));
        }
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(KEPT_MAX - 1);
        all.push_front(Arc::new(kept));
    }

    fn heads(&self) -> Vec<Head> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|kept| kept.head.clone()).collect()
    }

    fn find(&self, id: &str) -> Option<Arc<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|kept| kept.head.id == id).cloned()
    }
}

impl Head {
    fn new(asked: &Asked<'_>, known: &Known, calls: &[Call]) -> Self {
        let of = |kind: Kind| calls.iter().filter(move |call| call.kind == kind);
        Self {
            id: asked.id.to_owned(),
            at_ms: unix_ms(OffsetDateTime::now_utc()),
            method: asked.method.to_owned(),
            route: asked.route.to_owned(),
            status: asked.status,
            user_id: match known {
                Known::Member(session) => Some(session.actor.user.id),
                Known::Guest | Known::Stranger => None,
            },
            took_us: u64::try_from(asked.took.as_micros()).unwrap_or(u64::MAX),
            mysql_us: of(Kind::Mysql).map(|call| call.took_us).sum(),
            redis_us: of(Kind::Redis).map(|call| call.took_us).sum(),
            mysql_calls: of(Kind::Mysql).count(),
            redis_calls: of(Kind::Redis).count(),
        }
    }
}

/// The figures as a header that browsers show beside the request.
fn timing(kept: &Kept) -> String {
    let ms = |us: u64| format!("{}.{:03}", us / 1_000, us % 1_000);
    let head = &kept.head;
    let mut line = format!(
        "total;dur={}, db;dur={};desc=\"{} statements\", redis;dur={};desc=\"{} commands\"",
        ms(head.took_us),
        ms(head.mysql_us),
        head.mysql_calls,
        ms(head.redis_us),
        head.redis_calls
    );
    for (number, call) in kept.calls.iter().take(TIMED_MAX).enumerate() {
        let is_plain = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        let text: String = call.call.chars().filter(is_plain).take(DESCRIPTION_CHARS_MAX).collect();
        let name = if call.kind == Kind::Redis { "redis" } else { "db" };
        line.push_str(&format!(", {name}-{number};dur={};desc=\"{text}\"", ms(call.took_us)));
    }
    line
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DebugMode")]
pub(super) struct Told {
    on: bool,
    until_ms: Option<i64>,
    /// Watched by this node, newest first; each in full at `/api/admin/debug/requests/{id}`.
    requests: Vec<Head>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DebugSwitch")]
#[serde(deny_unknown_fields)]
pub(super) struct Switched {
    on: bool,
    #[schemars(range(min = 1, max = DEBUG_MINUTES_MAX))]
    minutes: Option<u32>,
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller) -> Answer {
    only_admins(session.actor.role)?;
    let until_ms = api.flow.debugs_until_ms();
    Ok(of_node(ok(&Told { on: until_ms.is_some(), until_ms, requests: api.debug.heads() })?))
}

pub(super) async fn switch(State(api): State<Api>, Caller(session): Caller, Json(body): Json<Switched>) -> Answer {
    only_admins(session.actor.role)?;
    if body.minutes == Some(0) {
        return Err(Invalid::new("minutes", Reason::TooSmall, "`minutes` is at least 1; or leave it out and send `on: false`").into());
    }
    let minutes = match (body.on, body.minutes) {
        (true, minutes) => minutes.unwrap_or(MINUTES_DEFAULT),
        // Nothing is switched by a body that is not as described; the switch refuses the figure.
        (false, Some(minutes)) if minutes > DEBUG_MINUTES_MAX => minutes,
        (false, _) => 0,
    };
    api.flow.switch_debug(&session.actor, minutes).await?;
    show(State(api), Caller(session)).await
}

pub(super) async fn request(State(api): State<Api>, Caller(session): Caller, Segment(id): Segment) -> Answer {
    only_admins(session.actor.role)?;
    Ok(of_node(ok(&*api.debug.find(&id).ok_or(Refusal::NotFound("watched request on this node"))?)?))
}

fn only_admins(role: Role) -> Result<(), Refusal> {
    match role {
        Role::Admin => Ok(()),
        Role::Customer | Role::Executor => Err(Refusal::Forbidden("only admins see what requests ask of the databases")),
    }
}
