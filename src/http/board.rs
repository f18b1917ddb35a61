//! The board as one cacheable answer: the same object as the websocket's snapshot, compressed once for all who ask.

use std::borrow::Cow;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, VARY};
use axum::http::{HeaderMap, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::Api;
use super::caching::{is_known, takes_gzip};
use super::error::{Answer, Problem, not_modified, typed_ok};
use super::extract::Query;
use super::source::of_memory;
use crate::domain::order::BoardOrder;
use crate::domain::refusal::Refusal;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BoardQuery {
    /// `all`, or `category:SLUG`.
    board: Option<String>,
}

/// A board at one moment, as the websocket tells it.
pub(super) enum Snapshot {}

impl JsonSchema for Snapshot {
    fn schema_name() -> Cow<'static, str> {
        "Board".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let order = generator.subschema_for::<BoardOrder<'_>>();
        json_schema!({
            "type": "object",
            "required": ["type", "board", "epoch", "seq", "checksum", "orders"],
            "properties": {
                "type": {"const": "snapshot"},
                "board": {"type": "string"},
                "epoch": {"type": "string"},
                "seq": {"type": "integer", "minimum": 0},
                "checksum": {"type": "integer", "minimum": 0, "description": "CRC-32 of `id:version,` over the orders"},
                "orders": {"type": "array", "maxItems": 1_000, "items": order},
            },
        })
    }
}

pub(super) async fn snapshot(State(api): State<Api>, headers: HeaderMap, Query(query): Query<BoardQuery>) -> Answer {
    let name = query.board.as_deref().unwrap_or("all");
    let board = api.live.board(name).ok_or(Refusal::NotFound("board"))?;
    let snapshot = board.snapshot();
    let is_gzip = takes_gzip(&headers);
    // Each coding has a tag of its own: a strong tag promises the very bytes.
    let etag = format!("\"{}{}\"", snapshot.etag(), if is_gzip { "-gz" } else { "" });
    let mut response = if is_known(&headers, &etag) {
        not_modified()
    } else if is_gzip {
        let mut response = typed_ok("application/json", snapshot.gzip().await);
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        typed_ok("application/json", snapshot.json())
    };
    let etag = HeaderValue::from_str(&etag).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(ETAG, etag);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    Ok(of_memory(response, api.flow.boards_age()))
}
