//! An order's row as MySQL holds it, and its way into the domain.

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use time::OffsetDateTime;

use crate::domain::order::{Acceptance, Assignment, Order, Status, unix_ms};
use crate::store::StoreError;
use crate::store::names::Known;

/// In the order in which [`OrderRow`] reads them.
pub(in crate::store) const COLUMNS: &str = "id, version, status, title, category, price, payout, commission, rate_bp, currency, customer_id, \
     executor_id, assignment, acceptance, applicants, created_at, accepted_at, submitted_at, finished_at, confirm_by, edited_version";

/// Not yet with the names of its people.
#[derive(Debug)]
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
    edited_version: u64,
}

/// By place and not by name: looking twenty names up costs more than reading what they name.
impl sqlx::FromRow<'_, MySqlRow> for OrderRow {
    fn from_row(row: &MySqlRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(0)?,
            version: row.try_get(1)?,
            status: row.try_get(2)?,
            title: row.try_get(3)?,
            category: row.try_get(4)?,
            price: row.try_get(5)?,
            payout: row.try_get(6)?,
            commission: row.try_get(7)?,
            rate_bp: row.try_get(8)?,
            currency: row.try_get(9)?,
            customer_id: row.try_get(10)?,
            executor_id: row.try_get(11)?,
            assignment: row.try_get(12)?,
            acceptance: row.try_get(13)?,
            applicants: row.try_get(14)?,
            created_at: row.try_get(15)?,
            accepted_at: row.try_get(16)?,
            submitted_at: row.try_get(17)?,
            finished_at: row.try_get(18)?,
            confirm_by: row.try_get(19)?,
            edited_version: row.try_get(20)?,
        })
    }
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
            edited_version: self.edited_version,
        })
    }
}
