//! All orders, as admins look through them.

use sqlx::{MySql, QueryBuilder};

use super::rows::COLUMNS;
use crate::domain::order::{Order, Status};
use crate::store::{Store, StoreError};

/// A text is looked for among so many orders a page; the next page goes on where this one stopped.
const LOOKED_THROUGH: u32 = 5_000;

/// What says nothing takes everything.
#[derive(Clone, Debug, Default)]
pub struct AdminFilter {
    pub status: Option<Status>,
    /// Waits for a verdict.
    pub is_disputed: bool,
    pub customer_id: Option<u64>,
    pub executor_id: Option<u64>,
    /// Part of a title, as it is written.
    pub text: Option<String>,
}

/// A page, and the number below which the next one begins.
pub struct AdminPage {
    pub orders: Vec<Order>,
    pub next: Option<u64>,
}

impl Store {
    /// Orders with a number below `below`, the newest first.
    pub async fn all_orders(&self, filter: &AdminFilter, below: u64, limit: u32) -> Result<AdminPage, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from orders where id < ").push_bind(below);
        if let Some(status) = filter.status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        if filter.is_disputed {
            query.push(" and disputed_at is not null and status in ('in_work', 'submitted')");
        }
        if let Some(id) = filter.customer_id {
            query.push(" and customer_id = ").push_bind(id);
        }
        if let Some(id) = filter.executor_id {
            query.push(" and executor_id = ").push_bind(id);
        }
        let Some(text) = &filter.text else {
            query.push(" order by id desc limit ").push_bind(limit);
            let orders = self.named(query.build_query_as().fetch_all(&self.pool).await?).await?;
            let next = orders.last().filter(|_| orders.len() == limit as usize).map(|order| order.id);
            return Ok(AdminPage { orders, next });
        };
        // No index finds a part of a title: a window of orders is read, and no more.
        query.push(" order by id desc limit ").push_bind(LOOKED_THROUGH);
        let looked_through = self.named(query.build_query_as().fetch_all(&self.pool).await?).await?;
        let lowest = looked_through.last().filter(|_| looked_through.len() == LOOKED_THROUGH as usize).map(|order| order.id);
        let wanted = text.to_lowercase();
        let mut orders: Vec<Order> = looked_through.into_iter().filter(|order| order.title.to_lowercase().contains(&wanted)).collect();
        let is_cut = orders.len() > limit as usize;
        orders.truncate(limit as usize);
        let next = if is_cut { orders.last().map(|order| order.id) } else { lowest };
        Ok(AdminPage { orders, next })
    }
}
