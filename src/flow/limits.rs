//! The limits in force: what this node was started with, and what an admin has set instead, for all nodes, as a setting that each
//! reads again as often as the sweep comes by.

use std::sync::Arc;
use std::time::Duration;

use super::{Flow, FlowError};
use crate::domain::limits::{LimitName, Limits, LimitsSet, ORDERS_PER};
use crate::domain::refusal::Refusal;
use crate::domain::user::{Actor, Role};
use crate::store::{MySqlConnection, StoreError, orders};

pub(super) const SETTING: &str = "limits";

impl Flow {
    pub fn limits(&self) -> Limits {
        **self.limits.load()
    }

    /// What this node was started with.
    pub fn limits_at_start(&self) -> Limits {
        self.config.limits
    }

    /// What an admin has set, for all nodes.
    pub async fn limits_set(&self) -> Result<LimitsSet, FlowError> {
        self.store.setting(SETTING).await?.map_or(Ok(LimitsSet::default()), |value| read(&value))
    }

    /// An admin sets limits anew: what is not named is as each node was started.
    pub async fn set_limits(&self, actor: &Actor, set: &LimitsSet) -> Result<(), FlowError> {
        if actor.role != Role::Admin {
            return Err(Refusal::Forbidden("only admins set the limits").into());
        }
        set.check()?;
        self.store.put_setting(SETTING, &serde_json::to_string(set)?).await?;
        self.limits.store(Arc::new(self.config.limits.with(set)));
        tracing::info!(admin = actor.user.id, ?set, "the limits were set");
        Ok(())
    }

    pub(super) fn apply_limits(&self, value: Option<&str>) -> Result<(), FlowError> {
        let set = value.map_or(Ok(LimitsSet::default()), read)?;
        let limits = self.config.limits.with(&set);
        if limits != self.limits() {
            self.limits.store(Arc::new(limits));
        }
        Ok(())
    }
}

fn read(value: &str) -> Result<LimitsSet, FlowError> {
    serde_json::from_str(value).map_err(|_| StoreError::Corrupt(format!("setting {SETTING} is {value}")).into())
}

/// Refuses, and has rolled back, an order that is one too many in 24 hours. Called under the lock of the customer's wallet, so
/// that orders made at the same moment see each other.
pub(super) async fn one_more_order(
    connection: &mut MySqlConnection,
    limits: &Limits,
    customer_id: u64,
    at: time::OffsetDateTime,
) -> Result<(), FlowError> {
    let Some(before) = limits.orders_day.checked_sub(1) else { return Ok(()) };
    let Some(made_at) = orders::newest_but(connection, customer_id, before).await? else { return Ok(()) };
    let free_at = made_at + ORDERS_PER;
    match Duration::try_from(free_at - at) {
        Ok(wait) if wait > Duration::ZERO => Err(Refusal::from(limits.reached(LimitName::OrdersDay, wait)).into()),
        _ => Ok(()),
    }
}
