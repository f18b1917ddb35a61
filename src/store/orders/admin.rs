//! All orders, as admins look through them.

use sqlx::{MySql, QueryBuilder};

use super::rows::COLUMNS;
use super::{Of, index};
use crate::domain::order::{Order, Status};
use crate::store::{Store, StoreError};

/// A text is looked for among so many orders a page; the next page goes on where this one stopped.
const LOOKED_THROUGH: u32 = 2_000;

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

impl AdminFilter {
    /// Everything but the text.
    fn push(&self, query: &mut QueryBuilder<MySql>, below: u64) {
        let index = match (self.customer_id, self.executor_id) {
            // Few wait for a verdict, and have an index of their own.
            _ if self.is_disputed => "",
            (Some(_), _) => index(Of::Customer, self.status),
            (None, Some(_)) => index(Of::Executor, self.status),
            (None, None) => "",
        };
        query.push(" from orders").push(index).push(" where id < ").push_bind(below);
        if let Some(status) = self.status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        if self.is_disputed {
            query.push(" and disputed_at is not null and status in ('in_work', 'submitted')");
        }
        if let Some(id) = self.customer_id {
            query.push(" and customer_id = ").push_bind(id);
        }
        if let Some(id) = self.executor_id {
            query.push(" and executor_id = ").push_bind(id);
        }
        query.push(" order by id desc limit ");
    }
}

impl Store {
    /// Orders with a number below `below`, the newest first.
    pub async fn all_orders(&self, filter: &AdminFilter, below: u64, limit: u32) -> Result<AdminPage, StoreError> {
        let Some(text) = &filter.text else {
            let mut query = QueryBuilder::new("select ");
            query.push(COLUMNS);
            filter.push(&mut query, below);
            let orders = self.named(query.push_bind(limit).build_query_as().fetch_all(&self.pool).await?).await?;
            let next = orders.last().filter(|_| orders.len() == limit as usize).map(|order| order.id);
            return Ok(AdminPage { orders, next });
        };
        // No index finds a part of a title: a window of titles is read, and no more.
        let mut query = QueryBuilder::new("select id, title");
        filter.push(&mut query, below);
        let titles: Vec<(u64, String)> = query.push_bind(LOOKED_THROUGH).build_query_as().fetch_all(&self.pool).await?;
        let lowest = titles.last().filter(|_| titles.len() == LOOKED_THROUGH as usize).map(|(id, _)| *id);
        let wanted = text.to_lowercase();
        let mut fitting = titles.into_iter().filter(|(_, title)| title.to_lowercase().contains(&wanted)).map(|(id, _)| id);
        let ids: Vec<u64> = fitting.by_ref().take(limit as usize).collect();
        let next = if fitting.next().is_some() { ids.last().copied() } else { lowest };
        let mut orders = self.orders_by_id(&ids).await?;
        orders.sort_unstable_by_key(|order| std::cmp::Reverse(order.id));
        Ok(AdminPage { orders, next })
    }
}
