//! What nodes remember of the database so as not to ask it again, and having all of them forget it: for an admin who has changed
//! rows by hand, or wants to know whether it is a memory that is wrong. Everything remembered is read again when it is next needed.

use tokio::sync::watch;

use super::{Flow, FlowError, random_number};
use crate::domain::refusal::Refusal;
use crate::domain::user::{Actor, Role};
use crate::store::StoreError;

pub(super) const SETTING: &str = "caches_cleared";

impl Flow {
    /// Changes whenever everything is to be forgotten, for whoever else remembers something.
    pub fn watch_caches(&self) -> watch::Receiver<u64> {
        self.caches_cleared.subscribe()
    }

    /// An admin has every node forget what it remembers; this one at once, the others within seconds.
    pub async fn clear_caches(&self, actor: &Actor) -> Result<(), FlowError> {
        if actor.role != Role::Admin {
            return Err(Refusal::Forbidden("only admins clear what nodes remember").into());
        }
        let mark = random_number().to_string();
        self.store.put_setting(SETTING, &mark).await?;
        tracing::info!(admin = actor.user.id, "the caches of all nodes are cleared");
        self.apply_caches(Some(&mark))
    }

    pub(super) fn apply_caches(&self, value: Option<&str>) -> Result<(), FlowError> {
        let corrupt = |value: &str| StoreError::Corrupt(format!("setting {SETTING} is {value}"));
        let mark = value.map_or(Ok(0), |value| value.parse().map_err(|_| corrupt(value)))?;
        self.caches_cleared.send_if_modified(|known| {
            let is_new = *known != mark;
            if is_new {
                *known = mark;
                self.store.forget();
            }
            is_new
        });
        Ok(())
    }
}
