//! What one was told: the list, how much of it is unread, and reading it.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::{Json, Query};
use super::lists::{Listed, PageQuery};
use crate::domain::notice::Told;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Notice")]
pub(super) struct Item {
    #[serde(flatten)]
    told: Told,
    read: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Notices {
    #[serde(flatten)]
    listed: Listed<Item>,
    unread: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    up_to: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Read {
    unread: u32,
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller, Query(query): Query<PageQuery>) -> Answer {
    let page = query.page()?;
    let user_id = session.actor.user.id;
    // The inbox first: what comes in between is listed and counts as unread with the next news.
    let inbox = api.store.inbox(user_id).await?;
    let told = api.store.notices_of(user_id, page.below, page.limit).await?;
    let items = told.into_iter().map(|told| Item { read: told.id <= inbox.read_up_to, told }).collect();
    ok(&Notices { listed: Listed::new(items, page, |item: &Item| item.told.id), unread: inbox.unread })
}

pub(super) async fn read(State(api): State<Api>, Caller(session): Caller, Json(body): Json<Reading>) -> Answer {
    let inbox = api.flow.read_notices(&session.actor, body.up_to).await?;
    ok(&Read { unread: inbox.unread })
}
