//! The names of everything the bus keeps in Redis. Nothing else builds a key.

use super::BusError;
use crate::domain::news::Subject;

pub(super) struct Keys {
    pub(super) meta: String,
    pub(super) history: String,
    pub(super) channel: String,
    versions: String,
}

impl Keys {
    /// Braces are refused: they would move the hash tag and spread the keys over the slots of a cluster.
    pub(super) fn new(prefix: &str) -> Result<Self, BusError> {
        if prefix.is_empty() || prefix.contains(['{', '}']) || prefix.contains(char::is_whitespace) {
            return Err(BusError::Config(format!("{prefix:?} cannot be a key prefix")));
        }
        Ok(Self {
            meta: format!("{{{prefix}}}:news:meta"),
            history: format!("{{{prefix}}}:news:history"),
            channel: format!("{{{prefix}}}:news"),
            versions: format!("{{{prefix}}}:v"),
        })
    }

    /// Where the newest version carried for a row is remembered.
    pub(super) fn version(&self, subject: Subject) -> String {
        format!("{}:{}:{}", self.versions, subject.kind.as_str(), subject.id)
    }
}
