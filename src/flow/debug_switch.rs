//! The debug switch: for a while every node notes what each request asks of MySQL and Redis, for admins to look at. It ends by
//! itself, so that nobody has to remember it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Flow, FlowError};
use crate::domain::order::unix_ms;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::user::{Actor, Role};
use crate::store::StoreError;

pub(super) const SETTING: &str = "debug";
/// Long enough to see what one is looking for.
pub const DEBUG_MINUTES_MAX: u32 = 60;

impl Flow {
    /// Until when every request is noted, in milliseconds of unix time; nothing when it is over.
    pub fn debugs_until_ms(&self) -> Option<i64> {
        let until_ms = self.debugs_until_ms.load(Ordering::Relaxed);
        (until_ms != 0 && until_ms > unix_ms(OffsetDateTime::now_utc())).then_some(until_ms)
    }

    /// An admin switches it on for so many minutes, on all nodes; with none it is off.
    pub async fn switch_debug(&self, actor: &Actor, minutes: u32) -> Result<(), FlowError> {
        if actor.role != Role::Admin {
            return Err(Refusal::Forbidden("only admins switch the debug mode").into());
        }
        if minutes > DEBUG_MINUTES_MAX {
            return Err(Invalid::new("minutes", Reason::TooLarge, format!("`minutes` is 1 to {DEBUG_MINUTES_MAX}")).into());
        }
        let until_ms = match minutes {
            0 => 0,
            minutes => unix_ms(OffsetDateTime::now_utc() + Duration::from_secs(60 * u64::from(minutes))),
        };
        self.store.put_setting(SETTING, &until_ms.to_string()).await?;
        self.debugs_until_ms.store(until_ms, Ordering::Relaxed);
        tracing::info!(admin = actor.user.id, minutes, "the debug mode was switched");
        Ok(())
    }

    pub(super) fn apply_debug(&self, value: Option<&str>) -> Result<(), FlowError> {
        let corrupt = |value: &str| StoreError::Corrupt(format!("setting {SETTING} is {value}"));
        let until_ms = value.map_or(Ok(0), |value| value.parse().map_err(|_| corrupt(value)))?;
        self.debugs_until_ms.store(until_ms, Ordering::Relaxed);
        Ok(())
    }
}
