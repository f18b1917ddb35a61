//! An order's row as MySQL holds it, and its way into the domain.

use time::OffsetDateTime;

use crate::domain::order::{Acceptance, Assignment, Order, Status, unix_ms};
use crate::store::StoreError;
use crate::store::names::Known;

pub(in crate::store) const COLUMNS: &str = "id, version, status, title, category, price, payout, commission, rate_bp, currency, customer_id, \
     executor_id, assignment, acceptance, applicants, created_at, accepted_at, submitted_at, finished_at, confirm_by";

/// Not yet with the names of its people.
#[derive(Debug, sqlx::FromRow)]
pub struct OrderRow {
    pub(in crate::store) id: u64,
    version: u64,
    status: String,
    title: String,
    category: Option<String>,
    price: i64,
    payout: i64,
    commission: i64,
    rate_bp: u16,
    currency: String,
    pub(super) customer_id: u64,
    pub(super) executor_id: Option<u64>,
    assignment: String,
    acceptance: String,
    applicants: u32,
    created_at: OffsetDateTime,
    accepted_at: Option<OffsetDateTime>,
    submitted_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    confirm_by: Option<OffsetDateTime>,
}

/// What only one order's own page reads.
#[derive(sqlx::FromRow)]
pub(super) struct TextsRow {
    pub(super) description: String,
    pub(super) report: Option<String>,
    pub(super) reject_reason: Option<String>,
    pub(super) floor_bp: u16,
    pub(super) commission_mode: String,
}

impl OrderRow {
    pub(in crate::store) fn is_taken_by(&self, executor_id: u64, at: OffsetDateTime) -> bool {
        self.executor_id == Some(executor_id) && self.accepted_at == Some(at) && self.status == Status::InWork.as_str()
    }

    pub(super) fn order(self, names: &Known) -> Result<Order, StoreError> {
        let status =
            Status::parse(&self.status).ok_or_else(|| StoreError::Corrupt(format!("order {} has status {}", self.id, self.status)))?;
        Ok(Order {
            id: self.id,
            version: self.version,
            status,
            title: self.title,
            category: self.category,
            price: self.price,
            payout: self.payout,
            commission: self.commission,
            rate_bp: self.rate_bp,
            currency: self.currency,
            customer: names.party(self.customer_id),
            executor: self.executor_id.map(|id| names.party(id)),
            assignment: if self.assignment == "first" { Assignment::First } else { Assignment::Chosen },
            acceptance: if self.acceptance == "auto" { Acceptance::Auto } else { Acceptance::Confirm },
            applicants: self.applicants,
            created_ms: unix_ms(self.created_at),
            accepted_ms: self.accepted_at.map(unix_ms),
            submitted_ms: self.submitted_at.map(unix_ms),
            finished_ms: self.finished_at.map(unix_ms),
            confirm_by_ms: self.confirm_by.map(unix_ms),
            created_at: self.created_at,
            accepted_at: self.accepted_at,
        })
    }
}
