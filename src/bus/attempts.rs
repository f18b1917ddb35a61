//! Attempts counted for all nodes together: what may be tried so often and no more, wherever it is tried. One Lua script decides
//! and counts, so two nodes never let the same one through twice.

use std::time::Duration;

use fred::interfaces::{KeysInterface, LuaInterface};
use fred::types::Value;

use super::timed::timed;
use super::{Bus, BusError};
use crate::domain::rate::Rate;

const SCRIPT: &str = include_str!("attempts.lua");

/// One thing under which attempts are counted.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Tells it from all others; no personal data, for it is a key in Redis.
    pub name: String,
    pub rate: Rate,
}

impl Bus {
    /// Counts one attempt under every tally; or says which one is full, and for how long. Then it is counted under none.
    pub async fn attempt(&self, tallies: &[Tally]) -> Result<Option<(usize, Duration)>, BusError> {
        let publisher = &self.shared.publisher;
        let keys: Vec<String> = tallies.iter().map(|tally| publisher.keys.attempts(&tally.name)).collect();
        let us = |ns: u64| Value::from((ns / 1_000).max(1).to_string());
        let arguments: Vec<Value> = tallies.iter().flat_map(|tally| [us(tally.rate.interval_ns), us(tally.rate.ahead_ns)]).collect();
        // EVAL, not EVALSHA: this is rare beside the checking of a password, and works on a server that has just started.
        let script = publisher.link.scripts()?;
        let (full, wait_us): (usize, u64) = timed("EVAL attempts", script.eval(SCRIPT, keys, arguments)).await?;
        Ok(full.checked_sub(1).map(|place| (place, Duration::from_micros(wait_us))))
    }

    /// Forgets what was counted under this name.
    pub async fn forgive(&self, name: &str) -> Result<(), BusError> {
        let publisher = &self.shared.publisher;
        let commands = publisher.link.commands();
        let _: u64 = timed("DEL attempts", commands.del(publisher.keys.attempts(name))).await?;
        Ok(())
    }
}
