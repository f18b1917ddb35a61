//! Searching the open orders: the catalogue names them, MySQL has the last word.

use std::collections::HashMap;

use super::Api;
use super::error::{Answer, ok};
use super::lists::Listed;
use crate::domain::order::Order;
use crate::domain::search::{Place, Search};

/// Pages of the catalogue that are read for one page of an answer, should many of them have just been taken.
const ROUNDS_MAX: usize = 4;

pub(super) async fn answer(api: &Api, search: &Search, cursor: Option<&str>, limit: u32) -> Answer {
    let mut after: Option<Place> = cursor.map(|cursor| search.sort.read(cursor)).transpose()?;
    let limit = limit as usize;
    api.catalog.catch_up().await?;
    let mut orders: Vec<Order> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let found = api.catalog.search(search, after, limit - orders.len());
        let mut rows: HashMap<u64, Order> = api.store.orders_by_id(&found.ids).await?.into_iter().map(|order| (order.id, order)).collect();
        orders.extend(found.ids.iter().filter_map(|id| rows.remove(id)).filter(|order| search.fits(order)));
        after = found.next;
        if after.is_none() || orders.len() >= limit {
            break;
        }
    }
    ok(&Listed::going_on(orders, after.map(|place| search.sort.write(place))))
}
