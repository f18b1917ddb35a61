//! How one is told of what: by which ways of each event, and the chat at Telegram.

use schemars::JsonSchema;
use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use super::error::{Answer, no_content, ok};
use super::extract::Json;
use crate::domain::notice::{Event, Ways};

#[derive(Serialize, JsonSchema)]
pub(super) struct Channels {
    events: BTreeMap<Event, Ways>,
    mail: Mail,
    telegram: Telegram,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MailChannel")]
pub(super) struct Mail {
    /// Whether this house sends letters.
    available: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TelegramChannel")]
pub(super) struct Telegram {
    available: bool,
    linked: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChannelChanges")]
pub(super) struct Changes {
    events: BTreeMap<Event, Ways>,
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller) -> Answer {
    let (choices, is_linked) = api.store.choices(session.actor.user.id).await?;
    ok(&Channels {
        events: choices.whole(),
        mail: Mail { available: api.flow.sends_mail() },
        telegram: Telegram { available: api.flow.has_telegram(), linked: is_linked },
    })
}

/// Events that are not named stay as they were.
pub(super) async fn change(State(api): State<Api>, Caller(session): Caller, Json(body): Json<Changes>) -> Answer {
    api.flow.choose_ways(&session.actor, body.events).await?;
    show(State(api), Caller(session)).await
}

/// A link that opens the bot and links the chat.
pub(super) async fn link_telegram(State(api): State<Api>, Caller(session): Caller) -> Answer {
    ok(&api.flow.begin_telegram(&session.actor).await?)
}

pub(super) async fn unlink_telegram(State(api): State<Api>, Caller(session): Caller) -> Answer {
    api.flow.unlink_telegram(&session.actor).await?;
    Ok(no_content())
}
