//! What admins switch for all nodes: rows of JSON, which each node reads again as often as the sweep comes by.

use std::time::Instant;

use super::{Flow, FlowError, caches, commission_policy, debug_switch, limits};

impl Flow {
    /// Reads the settings again; other nodes' admins may have switched them.
    pub async fn refresh_settings(&self) -> Result<(), FlowError> {
        let asked = Instant::now();
        let settings = self.store.settings(&[commission_policy::SETTING, limits::SETTING, debug_switch::SETTING, caches::SETTING]).await?;
        let value = |name: &str| settings.get(name).map(String::as_str);
        self.apply_policy(value(commission_policy::SETTING))?;
        self.apply_limits(value(limits::SETTING))?;
        self.apply_debug(value(debug_switch::SETTING))?;
        self.apply_caches(value(caches::SETTING))?;
        self.settings_read.note(asked);
        Ok(())
    }
}
