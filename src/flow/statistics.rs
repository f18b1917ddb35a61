//! What people have done here, counted where it is done: inside the transaction, after its accounts, the lower user first.
//! Taking an order counts nothing.

use super::FlowError;
use crate::domain::order::Order;
use crate::store::MySqlConnection;
use crate::store::statistics::{Figures, add};

/// The customer has put an order on the board.
pub(super) async fn created(connection: &mut MySqlConnection, customer_id: u64, currency: &str, price: i64) -> Result<(), FlowError> {
    Ok(add(connection, customer_id, currency, &Figures { orders_created: 1, money_in_orders: price, ..Figures::default() }).await?)
}

/// The price of the customer's order has changed by so much; by all of it when the order is cancelled or failed.
pub(super) async fn repriced(connection: &mut MySqlConnection, customer_id: u64, currency: &str, by: i64) -> Result<(), FlowError> {
    Ok(add(connection, customer_id, currency, &Figures { money_in_orders: by, ..Figures::default() }).await?)
}

/// The work was paid.
pub(super) async fn paid(connection: &mut MySqlConnection, order: &Order, executor_id: u64) -> Result<(), FlowError> {
    let customers = (order.customer.id, Figures { orders_done: 1, ..Figures::default() });
    let executors = (executor_id, Figures { orders_completed: 1, money_received: order.payout, ..Figures::default() });
    let mut both = [customers, executors];
    both.sort_by_key(|(user_id, _)| *user_id);
    for (user_id, more) in both {
        add(connection, user_id, &order.currency, &more).await?;
    }
    Ok(())
}
