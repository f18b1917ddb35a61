//! The names of everything the bus keeps in Redis. Nothing else builds a key.

use super::BusError;
use crate::domain::news::Item;

pub(super) struct Keys {
    pub(super) meta: String,
    pub(super) history: String,
    pub(super) channel: String,
    /// What was carried lately, and the older half of it.
    pub(super) carried: [String; 2],
    /// A cluster carries messages in shards: on the node that keeps the keys.
    pub(super) is_sharded: bool,
    private: String,
    attempts: String,
}

impl Keys {
    /// Braces are refused: they would move the hash tag and spread the keys over the slots of a cluster.
    pub(super) fn new(prefix: &str, is_sharded: bool) -> Result<Self, BusError> {
        if prefix.is_empty() || prefix.contains(['{', '}']) || prefix.contains(char::is_whitespace) {
            return Err(BusError::Config(format!("{prefix:?} cannot be a key prefix")));
        }
        Ok(Self {
            meta: format!("{{{prefix}}}:news:meta"),
            history: format!("{{{prefix}}}:news:history"),
            channel: format!("{{{prefix}}}:news"),
            is_sharded,
            carried: [format!("{{{prefix}}}:news:carried"), format!("{{{prefix}}}:news:carried:before")],
            private: format!("{{{prefix}}}:u:"),
            attempts: format!("{{{prefix}}}:a:"),
        })
    }

    /// Under which name the newest version carried for a row is remembered; what one user alone was sent is another thing.
    pub(super) fn carried_name(item: &Item) -> String {
        let whose = if item.audience.is_some() { "private:" } else { "" };
        format!("{whose}{}:{}", item.kind.as_str(), item.id)
    }

    /// The channel of what concerns one user alone.
    pub(super) fn private(&self, user_id: u64) -> String {
        format!("{}{user_id}", self.private)
    }

    /// Whose channel this is.
    pub(super) fn user_of(&self, channel: &str) -> Option<u64> {
        channel.strip_prefix(&self.private)?.parse().ok()
    }

    /// Where attempts are counted.
    pub(super) fn attempts(&self, name: &str) -> String {
        format!("{}{name}", self.attempts)
    }

    /// The command that sends on a channel.
    pub(super) fn verb(&self) -> &'static str {
        if self.is_sharded { "SPUBLISH" } else { "PUBLISH" }
    }
}
