//! The board as one cacheable answer: the same object as the websocket's snapshot.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use super::Api;
use super::error::{Answer, Problem, not_modified, typed_ok};
use super::extract::Query;
use crate::domain::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoardQuery {
    board: Option<String>,
}

pub(super) async fn snapshot(State(api): State<Api>, headers: HeaderMap, Query(query): Query<BoardQuery>) -> Answer {
    let name = query.board.as_deref().unwrap_or("all");
    let board = api.live.board(name).ok_or(Refusal::NotFound("board"))?;
    let snapshot = board.snapshot();
    let etag = HeaderValue::from_str(&format!("\"{}\"", snapshot.etag())).map_err(|_| Problem::internal())?;
    let mut response = match headers.get(IF_NONE_MATCH) {
        Some(known) if *known == etag => not_modified(),
        _ => typed_ok("application/json", snapshot.json()),
    };
    response.headers_mut().insert(ETAG, etag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    Ok(response)
}
