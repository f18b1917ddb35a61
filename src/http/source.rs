//! Where an answer comes from and how old it is: every answer to GET under `/api/` says so in `Server-Timing`, which browsers show
//! beside the request and tell their page. `source` is `memory` (what this node remembers of the database; then `Age`, too), `node`
//! (what it knows by itself: its settings, its figures) or `mysql`; `age` is in milliseconds. What a handler says nothing of was
//! read of the database for this very answer.

use std::time::Duration;

use axum::http::header::AGE;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;

use super::error::is_told;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// It is what this node remembers of the database, which said so that long ago.
pub(super) fn of_memory(mut response: Response, age: Duration) -> Response {
    let told = format!("source;desc=\"memory\", age;dur={}", age.as_millis());
    let headers = response.headers_mut();
    headers.insert(AGE, HeaderValue::from(age.as_secs()));
    if let Ok(told) = HeaderValue::try_from(told) {
        headers.insert(SERVER_TIMING, told);
    }
    response
}

/// It is what this node knows without any database.
pub(super) fn of_node(mut response: Response) -> Response {
    response.headers_mut().insert(SERVER_TIMING, HeaderValue::from_static("source;desc=\"node\", age;dur=0"));
    response
}

/// Says it of an answer whose handler did not.
pub(super) fn tell(method: &Method, route: &str, response: &mut Response) {
    if matches!(*method, Method::GET | Method::HEAD) && route.starts_with("/api/") && is_told(response) {
        let database = HeaderValue::from_static("source;desc=\"mysql\", age;dur=0");
        response.headers_mut().entry(SERVER_TIMING).or_insert(database);
    }
}

/// What else is to be seen beside the request.
pub(super) fn tell_more(response: &mut Response, figures: &str) {
    let headers = response.headers_mut();
    let told = headers.get(SERVER_TIMING).and_then(|told| told.to_str().ok());
    let all = told.map_or_else(|| figures.to_owned(), |told| format!("{told}, {figures}"));
    if let Ok(all) = HeaderValue::try_from(all) {
        headers.insert(SERVER_TIMING, all);
    }
}
