//! The audit: reads one consistent picture of all money while the system works, and names every place where something
//! that must hold does not. It changes nothing.

use super::{Flow, FlowError};
use crate::store::audit::{CHECKS, TOLD_MAX, Violation, run};
use crate::store::{Store, StoreError};

/// What one check found.
#[derive(Debug, serde::Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub violations: Vec<Violation>,
    /// There are more than are told.
    pub has_more: bool,
    /// What a person should do; nothing where all is well.
    pub advice: Option<&'static str>,
}

impl Flow {
    /// Runs every check on one snapshot; a finding each, in the catalogue's order.
    pub async fn audit(&self) -> Result<Vec<Finding>, FlowError> {
        let mut connection = self.store.open_for_audit().await?;
        let mut snapshot = Store::begin_snapshot(&mut connection).await?;
        let mut findings = Vec::with_capacity(CHECKS.len());
        for check in CHECKS {
            let mut violations = run(&mut snapshot, check).await?;
            let has_more = violations.len() > TOLD_MAX;
            violations.truncate(TOLD_MAX);
            let advice = (!violations.is_empty()).then_some(check.advice);
            findings.push(Finding { check: check.name, violations, has_more, advice });
        }
        snapshot.rollback().await.map_err(StoreError::from)?;
        Ok(findings)
    }
}
