//! Orders: reading them, and every conditional UPDATE that moves one but for taking (see `take_lane`).

mod admin;
mod archive;
mod choices;
mod disputes;
mod events;
mod rows;
mod writes;

use sqlx::{MySql, QueryBuilder};

use self::rows::TextsRow;
use super::{Store, StoreError, by_ids, padded};
use crate::domain::order::{FullOrder, Order, Status};

pub use self::admin::AdminFilter;
pub use self::archive::{Unarchived, archive};
pub use self::choices::{choose, count_applicants, open_for_applicant, touch_for_applicant};
pub use self::disputes::{dispute, fail};
pub use self::events::record;
pub(super) use self::rows::COLUMNS;
pub use self::rows::OrderRow;
pub use self::writes::{NewOrder, Submission, abandon, cancel, edit, finish, freeze, insert, newest_but, reject, submit, unfreeze};

/// Which orders a list shows; always newest first, by id.
#[derive(Clone, Debug)]
pub enum Listed {
    /// Everybody's open orders, of one category or of all.
    Open {
        category: Option<String>,
    },
    OfCustomer {
        user_id: u64,
        status: Option<Status>,
    },
    OfExecutor {
        user_id: u64,
        status: Option<Status>,
    },
}

/// What an order says.
#[derive(sqlx::FromRow)]
pub struct Texts {
    pub order_id: u64,
    pub title: String,
    pub description: String,
}

/// One side's orders.
#[derive(Clone, Copy)]
enum Of {
    Customer,
    Executor,
}

/// Which index is walked for one side's orders. Left alone MariaDB takes all orders of a person, or all of a status, and skips those
/// above the page one by one: 0.4 s where somebody has half a million. By force it begins at the page. A status that few orders
/// have is the shorter walk by its own index, and the server knows which those are.
fn index(of: Of, status: Option<Status>) -> &'static str {
    match (of, status) {
        (Of::Customer, None | Some(Status::Done | Status::Cancelled)) => " force index (of_customer)",
        (Of::Executor, None | Some(Status::Done | Status::Cancelled)) => " force index (of_executor)",
        _ => "",
    }
}

impl Listed {
    fn index(&self) -> &'static str {
        match self {
            Listed::Open { .. } => "",
            Listed::OfCustomer { status, .. } => index(Of::Customer, *status),
            Listed::OfExecutor { status, .. } => index(Of::Executor, *status),
        }
    }
}

impl Store {
    /// One page: orders with an id below `below`, at most `limit`.
    pub async fn orders(&self, listed: &Listed, below: u64, limit: u32) -> Result<Vec<Order>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from orders").push(listed.index()).push(" where id < ").push_bind(below);
        let status = match listed {
            Listed::Open { category } => {
                if let Some(category) = category {
                    query.push(" and category = ").push_bind(category.clone());
                }
                Some(Status::Open)
            }
            Listed::OfCustomer { user_id, status } => {
                query.push(" and customer_id = ").push_bind(*user_id);
                *status
            }
            Listed::OfExecutor { user_id, status } => {
                query.push(" and executor_id = ").push_bind(*user_id);
                *status
            }
        };
        if let Some(status) = status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        query.push(" order by id desc limit ").push_bind(limit);
        let rows = query.build_query_as().fetch_all(&self.pool).await?;
        self.named(rows).await
    }

    /// Open orders newer than this one, the oldest first.
    pub async fn open_above(&self, id: u64, limit: u32) -> Result<Vec<Order>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from orders where status = 'open' and id > ").push_bind(id);
        query.push(" order by id limit ").push_bind(limit);
        let rows = query.build_query_as().fetch_all(&self.pool).await?;
        self.named(rows).await
    }

    /// What these orders say; for those who search them.
    pub async fn order_texts(&self, ids: &[u64]) -> Result<Vec<Texts>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query: QueryBuilder<MySql> = QueryBuilder::new(
            "select o.id order_id, o.title, t.description from orders o join order_texts t on t.order_id = o.id where o.id in (",
        );
        let mut list = query.separated(", ");
        for id in padded(ids.to_vec()) {
            list.push_bind(id);
        }
        query.push(")");
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }

    pub async fn order(&self, id: u64) -> Result<Option<Order>, StoreError> {
        Ok(self.orders_by_id(&[id]).await?.pop())
    }

    /// The present state of these orders, for news; unknown ids are left out.
    pub async fn orders_by_id(&self, ids: &[u64]) -> Result<Vec<Order>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = by_ids(COLUMNS, "orders", ids).build_query_as().fetch_all(&self.pool).await?;
        self.named(rows).await
    }

    /// An order with its long texts.
    pub async fn full_order(&self, id: u64) -> Result<Option<FullOrder>, StoreError> {
        let Some(order) = self.order(id).await? else { return Ok(None) };
        let texts: Option<TextsRow> = sqlx::query_as(
            // Of an old order they lie in the archive; one statement sees each order's texts in one place.
            "select coalesce(t.description, a.description) description, coalesce(t.report, a.report) report, \
                    coalesce(t.reject_reason, a.reject_reason) reject_reason, \
                    coalesce(t.dispute_reason, a.dispute_reason) dispute_reason, o.floor_bp, o.commission_mode \
             from orders o left join order_texts t on t.order_id = o.id left join order_texts_archive a on a.order_id = o.id \
             where o.id = ? and (t.order_id is not null or a.order_id is not null)",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let texts = texts.ok_or_else(|| StoreError::Corrupt(format!("order {id} has no texts")))?;
        let executor_id = order.executor.as_ref().map(|executor| executor.id);
        Ok(Some(FullOrder {
            order,
            executor_id,
            floor_bp: texts.floor_bp,
            mode: texts.commission_mode,
            description: texts.description,
            report: texts.report,
            reject_reason: texts.reject_reason,
            dispute_reason: texts.dispute_reason,
        }))
    }

    /// Submitted orders whose time to be confirmed by the customer is over.
    pub async fn orders_to_confirm(&self, now: time::OffsetDateTime, limit: u32) -> Result<Vec<u64>, StoreError> {
        Ok(sqlx::query_scalar("select id from orders where confirm_by <= ? and status = 'submitted' order by confirm_by limit ?")
            .bind(now)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The order of a row that was read elsewhere.
    pub async fn order_of(&self, row: OrderRow) -> Result<Order, StoreError> {
        let id = row.id;
        self.named(vec![row]).await?.pop().ok_or_else(|| StoreError::Corrupt(format!("order {id} has no names")))
    }

    pub(super) async fn named(&self, rows: Vec<OrderRow>) -> Result<Vec<Order>, StoreError> {
        let ids = rows.iter().flat_map(|row| [Some(row.customer_id), row.executor_id]).flatten().collect();
        let names = self.names_of(ids).await?;
        rows.into_iter().map(|row| row.order(&names)).collect()
    }
}
