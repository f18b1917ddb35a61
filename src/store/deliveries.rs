//! Letters and messages on their way out, a table for each channel. Here, as an admin sees them: what waits, what was sent, and what
//! was given up; in `queue`, as workers send them.

mod queue;

use schemars::JsonSchema;
use sqlx::{MySql, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError};

pub use self::queue::{Delivery, Fate, Taking, end, take};

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
    fn table(self) -> &'static str {
        match self {
            Channel::Mail => "mail_outbox",
            Channel::Telegram => "telegram_outbox",
        }
    }

    /// The column that says what is sent.
    fn what(self) -> &'static str {
        match self {
            Channel::Mail => "letter",
            Channel::Telegram => "event",
        }
    }

    /// Where it is sent, as far as that is kept with it.
    fn reader(self) -> &'static str {
        match self {
            Channel::Mail => "address, language",
            Channel::Telegram => "null as address, null as language",
        }
    }

    fn select(self) -> QueryBuilder<MySql> {
        let mut query = QueryBuilder::new("select id, user_id, ");
        query.push(self.what()).push(" as what, state, attempts, due_at, deadline, last_error, created_at, done_at from ");
        query.push(self.table());
        query
    }
}

impl Store {
    /// One page of a channel, newest first.
    pub async fn deliveries(&self, channel: Channel, state: DeliveryState, below: u64, limit: u32) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut query = channel.select();
        // Left alone the server reads all that were sent and sorts them.
        query.push(" force index (in_state) where state = ").push_bind(state.as_str()).push(" and id < ").push_bind(below);
        query.push(" order by id desc limit ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }

    pub async fn delivery(&self, channel: Channel, id: u64) -> Result<Option<DeliveryRow>, StoreError> {
        let mut query = channel.select();
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
        let mut query = QueryBuilder::<MySql>::new("update ");
        query.push(channel.table()).push(" set state = 'waiting', attempts = 0, due_at = ").push_bind(now);
        query.push(", deadline = ").push_bind(deadline).push(", done_at = null where id = ").push_bind(id).push(" and state = 'dead'");
        let done = query.build().execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }
}
