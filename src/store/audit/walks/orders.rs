//! Orders with the entries that name them.
//!
//! Entries have no index on the order, and need none but for this: each step holds some orders in memory and reads past all
//! entries, which is fast; the database sends only those of the step.

use futures_util::TryStreamExt as _;
use sqlx::MySqlConnection;

use super::Gathered;
use crate::store::StoreError;

/// Orders in memory at once, some 100 bytes each.
const ORDERS_A_STEP: usize = 500_000;

#[derive(sqlx::FromRow)]
struct OrderRow {
    id: u64,
    status: String,
    price: i64,
    payout: i64,
    executor_id: Option<u64>,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    order_id: u64,
    kind: String,
    amount: i64,
    held: i64,
    user_id: Option<u64>,
}

/// What was moved for an order.
#[derive(Default)]
struct Moved {
    holds: u32,
    captures: u32,
    releases: u32,
    /// What was held and moved since, before its end.
    held: i64,
    /// What its end took off.
    ended: i64,
    payments: u32,
    paid: i64,
    /// Who was paid; whoever was paid last where that is not the executor alone.
    payee: Option<u64>,
}

pub(in crate::store::audit) async fn orders(snapshot: &mut MySqlConnection, gathered: &mut Gathered) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let orders: Vec<OrderRow> =
            sqlx::query_as("select id, status, price, payout, executor_id from orders where id > ? order by id limit ?")
                .bind(after)
                .bind(ORDERS_A_STEP as u64)
                .fetch_all(&mut *snapshot)
                .await?;
        let Some(last) = orders.last().map(|order| order.id) else { return Ok(()) };
        let moved = moved(snapshot, &orders, (after, last)).await?;
        for (order, moved) in orders.iter().zip(&moved) {
            judge(order, moved, gathered);
        }
        after = last;
    }
}

/// What was moved for each of `orders`, which are in ascending id.
async fn moved(snapshot: &mut MySqlConnection, orders: &[OrderRow], (after, last): (u64, u64)) -> Result<Vec<Moved>, StoreError> {
    let mut all: Vec<Moved> = orders.iter().map(|_| Moved::default()).collect();
    let mut entries = sqlx::query_as::<_, EntryRow>(
        "select e.order_id, e.kind, e.available_delta + e.held_delta amount, e.held_delta held, a.user_id from entries e \
         left join accounts a on a.id = e.account_id and e.kind = 'payout' \
         where e.order_id > ? and e.order_id <= ?",
    )
    .bind(after)
    .bind(last)
    .fetch(snapshot);
    while let Some(entry) = entries.try_next().await? {
        // An entry that names no order at all is found by its operation's shape.
        let Ok(place) = orders.binary_search_by_key(&entry.order_id, |order| order.id) else { continue };
        let moved = &mut all[place];
        match entry.kind.as_str() {
            "hold" => {
                moved.holds += 1;
                moved.held = moved.held.saturating_add(entry.held);
            }
            "adjust" => moved.held = moved.held.saturating_add(entry.held),
            "capture" => {
                moved.captures += 1;
                moved.ended = moved.ended.saturating_sub(entry.held);
            }
            "release" => {
                moved.releases += 1;
                moved.ended = moved.ended.saturating_sub(entry.held);
            }
            "payout" => {
                moved.payments += 1;
                moved.paid = moved.paid.saturating_add(entry.amount);
                if moved.payee.is_none() || entry.user_id != orders[place].executor_id {
                    moved.payee = entry.user_id;
                }
            }
            _ => {}
        }
    }
    Ok(all)
}

fn judge(order: &OrderRow, moved: &Moved, gathered: &mut Gathered) {
    let (captures, releases) = match order.status.as_str() {
        "done" => (1, 0),
        "cancelled" | "failed" => (0, 1),
        _ => (0, 0),
    };
    if (moved.holds, moved.captures, moved.releases) != (1, captures, releases) {
        gathered.add("order_moves", order.id.to_string(), || {
            format!("{}, held {} times, captured {}, released {}", order.status, moved.holds, moved.captures, moved.releases)
        });
    }
    // How often it ended is told above.
    let due = order.price.saturating_mul(i64::from(moved.captures + moved.releases));
    if moved.held != order.price || moved.ended != due {
        gathered.add("order_amount", order.id.to_string(), || {
            format!("{}, price {}, held {}, captured or released {}", order.status, order.price, moved.held, moved.ended)
        });
    }
    let is_paid_right = match order.status.as_str() {
        "done" => moved.payments == 1 && moved.paid == order.payout && moved.payee == order.executor_id,
        _ => moved.payments == 0,
    };
    if !is_paid_right {
        let user = |id: Option<u64>| id.map_or_else(|| "nobody".to_owned(), |id| format!("user {id}"));
        gathered.add("executor_paid", order.id.to_string(), || {
            let (due, executor) = (order.payout, user(order.executor_id));
            format!(
                "{}, payout {due} to {executor}; paid {} in {} entries to {}",
                order.status,
                moved.paid,
                moved.payments,
                user(moved.payee)
            )
        });
    }
}
