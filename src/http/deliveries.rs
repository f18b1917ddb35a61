//! Letters and messages, for admins: what could not be sent, why, and trying it again.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Api;
use super::caller::Caller;
use super::error::{Answer, Problem, ok};
use super::extract::{Query, Segment};
use super::lists::{LIMIT_MAX, Listed, page};
use crate::domain::refusal::Refusal;
use crate::domain::schema::Moment;
use crate::domain::user::{Actor, Role};
use crate::store::deliveries::{Channel, DeliveryRow, DeliveryState};

/// What is tried again is wanted for so long.
const WANTED_AGAIN_FOR: Duration = Duration::days(1);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    channel: Option<Channel>,
    state: Option<DeliveryState>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct Item {
    /// `mail-17`, `telegram-4`.
    id: String,
    channel: Channel,
    user_id: u64,
    what: String,
    #[schemars(with = "DeliveryState")]
    state: String,
    attempts: u16,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    due_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    deadline: OffsetDateTime,
    error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<Moment>")]
    done_at: Option<OffsetDateTime>,
}

impl Item {
    fn new(channel: Channel, row: DeliveryRow) -> Self {
        let name = if channel == Channel::Mail { "mail" } else { "telegram" };
        Self {
            id: format!("{name}-{}", row.id),
            channel,
            user_id: row.user_id,
            what: row.what,
            state: row.state,
            attempts: row.attempts,
            due_at: row.due_at,
            deadline: row.deadline,
            error: row.last_error,
            created_at: row.created_at,
            done_at: row.done_at,
        }
    }
}

/// One channel's, mail unless another is named; those that were given up, unless another state is named.
pub(super) async fn list(State(api): State<Api>, Caller(session): Caller, Query(which): Query<Which>) -> Answer {
    only_admins(&session.actor)?;
    let page = page(which.limit, which.cursor.as_deref())?;
    let channel = which.channel.unwrap_or(Channel::Mail);
    let state = which.state.unwrap_or(DeliveryState::Dead);
    let rows = api.store.deliveries(channel, state, page.below, page.limit).await?;
    let listed = Listed::new(rows, page, |row: &DeliveryRow| row.id);
    ok(&listed.map(|row| Item::new(channel, row)))
}

/// Begins anew what was given up. Asked again: how it is now.
pub(super) async fn retry(State(api): State<Api>, Caller(session): Caller, Segment(id): Segment) -> Answer {
    only_admins(&session.actor)?;
    let (channel, number) = parse(&id).ok_or(Refusal::NotFound("delivery"))?;
    let now = OffsetDateTime::now_utc();
    if api.store.retry_delivery(channel, number, now, now + WANTED_AGAIN_FOR).await? {
        tracing::info!(delivery = id, by = session.actor.user.id, "a delivery that was given up is tried again");
    }
    let row = api.store.delivery(channel, number).await?.ok_or(Refusal::NotFound("delivery"))?;
    ok(&Item::new(channel, row))
}

fn parse(id: &str) -> Option<(Channel, u64)> {
    let (name, number) = id.split_once('-')?;
    let channel = match name {
        "mail" => Channel::Mail,
        "telegram" => Channel::Telegram,
        _ => return None,
    };
    Some((channel, number.parse().ok()?))
}

fn only_admins(actor: &Actor) -> Result<(), Problem> {
    match actor.role {
        Role::Admin => Ok(()),
        _ => Err(Refusal::Forbidden("only admins see what is sent").into()),
    }
}
