//! The commission policy in force: kept in the database, cached by each node for as long as a sweep takes to come by.

use std::sync::Arc;

use super::{Flow, FlowError};
use crate::domain::commission::{Mode, Policy};
use crate::domain::refusal::Refusal;
use crate::domain::user::{Actor, Role};
use crate::store::StoreError;

pub(super) const SETTING: &str = "commission";

#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    rate_bp: u16,
    floor_bp: u16,
    mode: Mode,
}

impl Flow {
    /// The policy that the next order will keep.
    pub fn policy(&self) -> Policy {
        **self.policy.load()
    }

    /// Takes over what the setting says; without one the policy stays as it is.
    pub(super) fn apply_policy(&self, value: Option<&str>) -> Result<(), FlowError> {
        let Some(value) = value else { return Ok(()) };
        let corrupt = || StoreError::Corrupt(format!("setting {SETTING} is {value}"));
        let stored: Stored = serde_json::from_str(value).map_err(|_| corrupt())?;
        let policy = Policy::new(stored.rate_bp, stored.floor_bp, stored.mode).map_err(|_| corrupt())?;
        self.policy.store(Arc::new(policy));
        Ok(())
    }

    /// An admin switches the policy for orders to come; orders made before keep theirs.
    pub async fn switch_policy(&self, actor: &Actor, policy: Policy) -> Result<(), FlowError> {
        if actor.role != Role::Admin {
            return Err(Refusal::Forbidden("only admins set the commission").into());
        }
        let stored = Stored { rate_bp: policy.rate_bp(), floor_bp: policy.floor_bp(), mode: policy.mode() };
        self.store.put_setting(SETTING, &serde_json::to_string(&stored)?).await?;
        self.policy.store(Arc::new(policy));
        Ok(())
    }
}
