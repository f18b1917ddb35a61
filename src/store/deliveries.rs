//! Letters and messages, as an admin sees them: what waits, what was sent, and what was given up.

use schemars::JsonSchema;
use sqlx::{MySql, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError};

/// By which way something is sent: each has an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Mail,
    Telegram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Waiting,
    Sent,
    Dead,
}

impl DeliveryState {
    fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Sent => "sent",
            DeliveryState::Dead => "dead",
        }
    }
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DeliveryRow {
    /// Its number among those of its channel.
    pub id: u64,
    pub user_id: u64,
    /// Which letter, or of which event.
    pub what: String,
    pub state: String,
    pub attempts: u16,
    pub due_at: OffsetDateTime,
    pub deadline: OffsetDateTime,
    pub last_error: Option<String>,
    pub created_at: OffsetDateTime,
    pub done_at: Option<OffsetDateTime>,
}

impl Channel {
    fn columns(self) -> &'static str {
        match self {
            Channel::Mail => {
                "select id, user_id, letter as what, state, attempts, due_at, deadline, last_error, created_at, done_at from mail_outbox"
            }
            Channel::Telegram => {
                "select id, user_id, event as what, state, attempts, due_at, deadline, last_error, created_at, done_at from telegram_outbox"
            }
        }
    }
}

impl Store {
    /// One page of a channel, newest first.
    pub async fn deliveries(&self, channel: Channel, state: DeliveryState, below: u64, limit: u32) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut query = QueryBuilder::<MySql>::new(channel.columns());
        query.push(" where state = ").push_bind(state.as_str()).push(" and id < ").push_bind(below);
        query.push(" order by id desc limit ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }

    pub async fn delivery(&self, channel: Channel, id: u64) -> Result<Option<DeliveryRow>, StoreError> {
        let mut query = QueryBuilder::<MySql>::new(channel.columns());
        query.push(" where id = ").push_bind(id);
        Ok(query.build_query_as().fetch_optional(&self.pool).await?)
    }

    /// What was given up begins anew and is wanted until `deadline`; false when it is not dead.
    pub async fn retry_delivery(
        &self,
        channel: Channel,
        id: u64,
        now: OffsetDateTime,
        deadline: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let statement = match channel {
            Channel::Mail => {
                "update mail_outbox set state = 'waiting', attempts = 0, due_at = ?, deadline = ?, done_at = null where id = ? and state = 'dead'"
            }
            Channel::Telegram => {
                "update telegram_outbox set state = 'waiting', attempts = 0, due_at = ?, deadline = ?, done_at = null where id = ? and state = 'dead'"
            }
        };
        let done = sqlx::query(statement).bind(now).bind(deadline).bind(id).execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }
}
