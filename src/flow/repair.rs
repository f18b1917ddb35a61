//! Mending what the audit found, where that is safe. Every repair looks again under the locks that the ordinary work takes, so
//! it never touches what a running operation is about to write, and finds nothing to do where somebody was faster.
//!
//! What is safe: a row that is derived (an account's balances, a hold's state, a flag) and that contradicts the append-only
//! entries is written again from them, if the entries tell one plain story. Money that is owed by what was decided (a
//! cancelled order's hold, a finished order's pay, a received top-up) moves under the very id that the ordinary path would
//! have used, so that it can never move twice. Everything else could be right in two ways: it is left, with the reason.

mod account;
mod order;
mod payment;
mod statistics;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::transaction::transaction;
use super::{Finding, Flow, FlowError};
use crate::domain::news::Subject;
use crate::domain::sheet::Standing;
use crate::store::audit::{Repair, TOLD_MAX, repairs};
use crate::store::operations::{self, Claim};
use crate::store::{MySqlConnection, books};

/// Violations of one class that one round mends.
const ROUND_MAX: usize = 1_000;
/// One repair may make the next possible; a round in which nothing could be mended is the last.
const ROUNDS_MAX: usize = 100;

/// Something that was mended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Mended {
    pub slug: &'static str,
    pub subject: String,
    /// The operation that did it; its result says the same.
    pub operation_id: String,
    pub before: Value,
    pub after: Value,
}

/// Something that a person has to decide.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Left {
    pub slug: &'static str,
    pub subject: String,
    pub why: String,
}

/// What a repair did, and what is still to be found.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Repaired {
    pub mended: Vec<Mended>,
    pub left: Vec<Left>,
    pub findings: Vec<Finding>,
}

/// What became of one violation.
enum Step {
    Mended(Change),
    /// It is well already.
    Fine,
    Left(String),
}

struct Change {
    operation_id: String,
    before: Value,
    after: Value,
    touched: Vec<Subject>,
}

impl Flow {
    /// Audits, mends what is safe, and audits again until there is nothing left that can be mended. Safe while the system
    /// works and while somebody else repairs, too.
    pub async fn repair(&self) -> Result<Repaired, FlowError> {
        let mut repaired = Repaired::default();
        for round in 1..=ROUNDS_MAX {
            let found = self.look_for(ROUND_MAX).await?;
            let mended_before = repaired.mended.len();
            repaired.left.clear();
            for (check, found) in &found {
                let Some(repair) = check.repair else { continue };
                for violation in &found.violations {
                    let subject = violation.subject.clone();
                    match self.mend(repair, &violation.id).await? {
                        Step::Mended(change) => repaired.mended.push(self.told(check.slug, subject, change)),
                        Step::Fine => {}
                        Step::Left(why) => repaired.left.push(Left { slug: check.slug, subject, why }),
                    }
                }
            }
            if repaired.mended.len() == mended_before || round == ROUNDS_MAX {
                repaired.findings = found.into_iter().map(|(check, found)| Finding::new(check, found, TOLD_MAX)).collect();
                break;
            }
        }
        for left in &repaired.left {
            tracing::warn!(class = left.slug, subject = left.subject, why = left.why, "left for a person");
        }
        Ok(repaired)
    }

    fn told(&self, slug: &'static str, subject: String, change: Change) -> Mended {
        let Change { operation_id, before, after, touched } = change;
        tracing::warn!(class = slug, subject, operation_id, %before, %after, "repaired");
        metrics::counter!("orderboard_repairs_total", "class" => slug).increment(1);
        touched.into_iter().for_each(|subject| self.outbox.announce(subject));
        Mended { slug, subject, operation_id, before, after }
    }

    /// The same look for what the ordinary path does in a transaction of its own.
    async fn any_odd(&self, accounts: &[u64]) -> Result<Option<Step>, FlowError> {
        transaction!(self.store, |connection| {
            let locked = books::lock(connection, accounts.iter().copied()).await?;
            first_odd(connection, &locked).await
        })
    }

    async fn mend(&self, repair: Repair, id: &str) -> Result<Step, FlowError> {
        let Ok(id) = id.parse::<u64>() else { return Ok(Step::Left("its number cannot be read".into())) };
        let step = match repair {
            Repair::Account => self.mend_account(id).await,
            Repair::Closed => self.mend_closed(id).await,
            Repair::OrderHold => self.mend_order(id).await,
            Repair::Settle => self.settle_overdue(id).await,
            Repair::Expire => self.expire_hold(id).await,
            Repair::Topup => self.credit_topup(id).await,
            Repair::Statistics => self.mend_statistics(id).await,
        };
        match step {
            // One that cannot be mended keeps nobody from mending the others; nothing of it was written.
            Err(FlowError::Internal(detail)) => Ok(Step::Left(detail)),
            Err(FlowError::Refused(refusal)) => Ok(Step::Left(format!("refused: {refusal:?}"))),
            step => step,
        }
    }
}

/// The first of these locked accounts that is not what its last entry says, as a reason to wait. Moving money on it would
/// carry the fault into the history, where nothing mends it.
async fn first_odd(connection: &mut MySqlConnection, locked: &[Standing]) -> Result<Option<Step>, FlowError> {
    for account in locked {
        if !repairs::is_as_told(connection, account).await? {
            return Ok(Some(Step::Left(format!("account {} is not what its last entry says: mend it first", account.id))));
        }
    }
    Ok(None)
}

/// Claims a repair's id, or says why it is not to be had. Everything was looked at under locks before, so an id that is taken
/// belongs to a repair of the very same damage, or to the ordinary path, which says that it was done.
async fn claim(connection: &mut MySqlConnection, id: &str, kind: &str, at: OffsetDateTime) -> Result<Option<Step>, FlowError> {
    Ok(match operations::claim(connection, id, kind, &[0; 32], at).await? {
        Claim::New => None,
        Claim::Repeat { .. } | Claim::Mismatch if kind == "repair" => {
            Some(Step::Left(format!("it was mended by {id} before and is broken in the same way again: find out who changes it")))
        }
        Claim::Repeat { .. } | Claim::Mismatch => {
            Some(Step::Left(format!("operation {id} is there already, and the tables do not show what it says: compare its entries")))
        }
    })
}

/// Concludes the repair with what it changed; the caller commits.
async fn conclude(connection: &mut MySqlConnection, change: Change) -> Result<Step, FlowError> {
    let result = json!({"repaired": {"before": change.before, "after": change.after}});
    operations::conclude(connection, &change.operation_id, false, &result.to_string()).await?;
    Ok(Step::Mended(change))
}
