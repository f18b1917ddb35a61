//! What happens to every request: it runs in a task of its own, is refused where its caller asks too often, is bounded in time,
//! counted, and a panic in it is an answer and not the end of the connection.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use dashmap::DashMap;

use super::caller::Known;
use super::debug::Watched;
use super::error::{Problem, is_unknown};
use super::figures::{Asked, Trouble, is_ours};
use super::limits::{Asker, Counted};
use super::server::Peer;
use super::{Api, debug, origin, source};
use crate::domain::limits::LimitName;
use crate::domain::refusal::Refusal;

/// The longest a client waits. The work goes on to its end: what it does is never left half-done.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The route whose speed matters most has a metric of its own.
pub(super) const ACCEPT: &str = "/api/orders/{id}/accept";
static ACCEPT_SECONDS: LazyLock<metrics::Histogram> = LazyLock::new(|| metrics::histogram!("orderboard_accept_seconds"));

/// The times of a route's answers with this status. Found again without making up its name anew, which costs more than counting.
fn timing(route: &str, status: u16) -> metrics::Histogram {
    static TIMINGS: LazyLock<DashMap<String, Vec<(u16, metrics::Histogram)>>> = LazyLock::new(DashMap::new);
    let known = TIMINGS.get(route).and_then(|by| by.iter().find(|(of, _)| *of == status).map(|(_, timing)| timing.clone()));
    known.unwrap_or_else(|| {
        let timing = metrics::histogram!("orderboard_http_seconds", "route" => route.to_owned(), "status" => status.to_string());
        TIMINGS.entry(route.to_owned()).or_default().push((status, timing.clone()));
        timing
    })
}

/// One layer and not three: each layer of its own costs every request a copy of what lies within, and a box.
pub(super) fn around(routes: Router<Api>, api: Api) -> Router<Api> {
    routes.layer(from_fn_with_state(api, measure))
}

/// Runs the request in a task that outlives its client.
async fn detach(work: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, tokio::spawn(work)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(%error, "a handler panicked");
            metrics::counter!("orderboard_panics_total").increment(1);
            Problem::panicked().into_response()
        }
        Err(_) => {
            metrics::counter!("orderboard_answers_too_late_total").increment(1);
            Problem::unavailable("this takes longer than 30 s; ask again whether it was done before repeating it").into_response()
        }
    }
}

/// Notes what the request asks of the databases, where that is wanted.
async fn watched(api: Api, request: Request, next: Next) -> Response {
    if !debug::is_wanted(&api, request.headers()) {
        return admitted(&api, request, next).await;
    }
    let headers = request.headers().clone();
    let (calls, mut response) = debug::watch(Box::pin(admitted(&api, request, next))).await;
    // Known from memory by now, unless it is a page that was asked for.
    if let Ok(known) = Known::find(&api, &headers).await {
        response.extensions_mut().insert(Watched { calls, known });
    }
    response
}

/// Finds out who is calling, and serves whoever has not asked too often.
async fn admitted(api: &Api, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_limited = path.starts_with("/api/") || path == "/ws";
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|peer| peer.0);
    let Some(peer) = peer.filter(|_| is_limited) else { return next.run(request).await };
    let address = api.proxies.caller(peer.ip(), request.headers());
    // Whom the database could not be asked for is a guest here; whoever needs to know asks again, and says what is wrong.
    let known = Known::find(api, request.headers()).await.ok();
    let who = Asker::new(known.as_ref().unwrap_or(&Known::Guest), address);
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let counted = Counted::new(path, route, known.as_ref().unwrap_or(&Known::Guest));
    let limits = api.flow.limits();
    if let Err(reached) = api.gate.admit(&limits, who, counted) {
        api.gate.note(who, reached.limit);
        return Problem::from(Refusal::from(reached)).into_response();
    }
    let extensions = request.extensions_mut();
    if address != peer.ip() {
        extensions.insert(ConnectInfo(peer.at(address)));
    }
    known.into_iter().for_each(|known| drop(extensions.insert(known)));
    let mut response = next.run(request).await;
    if let Some(limit) = response.extensions_mut().remove::<LimitName>() {
        api.gate.note(who, limit);
    }
    if counted == Counted::WhenUnknown && is_unknown(&response) {
        api.gate.count_unknown(&limits, who);
    }
    response
}

/// One metric and, at debug level, one log event a request.
async fn measure(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = api.debug.next_id();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = match origin::guard(&api, &request) {
        Ok(()) => detach(watched(api.clone(), request, next)).await,
        Err(problem) => problem.into_response(),
    };
    let route = route.as_ref().map_or("page", MatchedPath::as_str);
    let took = started.elapsed();
    let status = response.status().as_u16();
    tracing::debug!(http.method = %method, http.route = route, http.status = status, http.id = id, duration_ms = took.as_millis() as u64, "request");
    source::tell(&method, route, &mut response);
    let asked = debug::Asked { id: &id, method: method.as_str(), route, took, status };
    api.debug.keep(&api, &asked, &mut response);
    if is_ours(route, status) {
        let trouble = response.extensions_mut().remove().unwrap_or(Trouble { code: "internal", cause: String::new() });
        api.figures.errors.note(&Asked { method: method.as_str(), route, status, took }, &trouble);
    }
    if route == ACCEPT {
        ACCEPT_SECONDS.record(took.as_secs_f64());
    }
    timing(route, status).record(took.as_secs_f64());
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin"));
    response
}
