//! The audit: reads one consistent picture of all money while the system works, and names every place where something
//! that must hold does not. It changes nothing; `repair` does.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Flow, FlowError};
use crate::store::audit::{Check, Found, TOLD_MAX, Violation, run};
use crate::store::{Store, StoreError};

/// What one check found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    pub slug: &'static str,
    /// The invariant as a sentence.
    pub check: &'static str,
    pub violations: Vec<Violation>,
    /// There are more than are told.
    pub has_more: bool,
    /// What a person should do; nothing where all is well.
    pub advice: Option<&'static str>,
    /// Whether a repair mends what is safe of this class.
    pub can_repair: bool,
}

impl Finding {
    /// Tells at most `max` of the violations.
    pub(super) fn new(check: &Check, found: Found, max: usize) -> Self {
        let Found { mut violations, has_more } = found;
        let has_more = has_more || violations.len() > max;
        violations.truncate(max);
        let advice = (!violations.is_empty()).then_some(check.advice);
        Self { slug: check.slug, check: check.name, violations, has_more, advice, can_repair: check.repair.is_some() }
    }
}

impl Flow {
    /// Runs every check on one snapshot; a finding each, in the catalogue's order.
    pub async fn audit(&self) -> Result<Vec<Finding>, FlowError> {
        let found = self.look_for(TOLD_MAX).await?;
        let findings: Vec<Finding> = found.into_iter().map(|(check, found)| Finding::new(check, found, TOLD_MAX)).collect();
        let broken: Vec<&str> = findings.iter().filter(|finding| !finding.violations.is_empty()).map(|finding| finding.slug).collect();
        if !broken.is_empty() {
            tracing::error!(classes = ?broken, "the audit found violations");
        }
        Ok(findings)
    }

    /// Every class with at most `max` of its violations.
    pub(super) async fn look_for(&self, max: usize) -> Result<Vec<(&'static Check, Found)>, FlowError> {
        let mut connection = self.store.open_for_audit().await?;
        let mut snapshot = Store::begin_snapshot(&mut connection).await?;
        let found = run(&mut snapshot, max).await?;
        snapshot.rollback().await.map_err(StoreError::from)?;
        Ok(found)
    }
}
