//! What this node remembers of the database, for admins; and having all nodes forget it.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, no_content, ok};
use super::lists::Listed;
use super::source::of_node;
use crate::domain::refusal::Refusal;
use crate::domain::user::Role;

#[derive(Serialize, JsonSchema)]
pub(super) struct Remembered {
    name: &'static str,
    entries: u64,
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller) -> Answer {
    if session.actor.role != Role::Admin {
        return Err(Refusal::Forbidden("only admins see what a node remembers").into());
    }
    let (names, accounts) = api.store.remembered();
    let items = vec![
        Remembered { name: "names", entries: names },
        Remembered { name: "accounts", entries: accounts },
        Remembered { name: "sessions", entries: api.live.sessions().remembered() },
        Remembered { name: "categories", entries: api.flow.categories().len() as u64 },
        Remembered { name: "open_orders", entries: api.catalog.remembered() },
    ];
    Ok(of_node(ok(&Listed::whole(items))?))
}

pub(super) async fn clear(State(api): State<Api>, Caller(session): Caller) -> Answer {
    api.flow.clear_caches(&session.actor).await?;
    // The others hear of it as news of a setting; whoever asks this node next is to find nothing of before.
    api.live.sessions().forget_all();
    api.catalog.read_again();
    api.flow.refresh_categories().await?;
    Ok(no_content())
}
