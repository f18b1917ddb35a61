//! The customer takes an order off the board for good, and the held price is free again.

use super::move_money::apply;
use super::transaction::transaction;
use super::{Flow, FlowError, now, statistics};
use crate::domain::billing::HoldEnd;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::ledger::{AccountKind, Transfer};
use crate::domain::news::Subject;
use crate::domain::order::{FullOrder, Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::sheet::Cause;
use crate::domain::user::Actor;
use crate::store::holds::end_of_order;
use crate::store::operations::{self, Claim};
use crate::store::orders::{self, record};
use crate::store::{MySqlConnection, applications};

impl Flow {
    /// Cancels an open or frozen order of the actor's. Asked again: the same order, cancelled once.
    pub async fn cancel_order(&self, actor: &Actor, order_id: u64) -> Result<FullOrder, FlowError> {
        for _ in 0..ATTEMPTS_MAX {
            let order = self.order_of_customer(actor, order_id).await?;
            match order.status {
                Status::Cancelled => return self.full(order_id).await,
                Status::Open | Status::Frozen => {}
                status => return Err(Refusal::Stale { status, version: order.version }.into()),
            }
            let wallet = self.store.account_id(order.customer.id, AccountKind::Wallet, &order.currency).await?;
            if transaction!(self.store, |connection| cancel(connection, &order, wallet).await)? {
                self.outbox.announce(Subject::order(order_id));
                self.outbox.announce(Subject::account(wallet));
                return self.full(order_id).await;
            }
        }
        let order = self.order_of_customer(actor, order_id).await?;
        Err(Refusal::Stale { status: order.status, version: order.version }.into())
    }
}

/// Readings of an order that is edited at this moment.
const ATTEMPTS_MAX: u32 = 8;

/// False when the order's state had changed meanwhile; nothing is written then.
async fn cancel(connection: &mut MySqlConnection, order: &Order, wallet: u64) -> Result<bool, FlowError> {
    let at = now();
    // The order first here, and without harm to the lock order: nobody else ever claims this operation's id.
    if !orders::cancel(connection, order, at).await? {
        return Ok(false);
    }
    applications::decline_all(connection, order.id).await?;
    record(connection, &NewEvent::new(order.id, EventKind::Cancelled, Some(order.customer.id), at)).await?;
    give_back(connection, order, wallet, at).await?;
    Ok(true)
}

/// The held price of an order that has come to its end without pay is free again, and no money in orders any more. The order's row
/// is locked, and whoever ended it is the only one who ever claims this operation's id.
pub(super) async fn give_back(
    connection: &mut MySqlConnection,
    order: &Order,
    wallet: u64,
    at: time::OffsetDateTime,
) -> Result<(), FlowError> {
    let operation_id = format!("release:{}", order.id);
    if !matches!(operations::claim(connection, &operation_id, "release", &[0; 32], at).await?, Claim::New) {
        return Err(FlowError::Internal(format!("order {} came to its end after its hold was released", order.id)));
    }
    if !end_of_order(connection, order.id, HoldEnd::Released, at).await? {
        return Err(FlowError::Internal(format!("order {} has no active hold to release", order.id)));
    }
    let cause = Cause { order_id: Some(order.id), ..Cause::new(&operation_id, at) };
    apply(connection, &Transfer::release(wallet, order.price), &order.currency, &cause).await?;
    statistics::repriced(connection, order.customer.id, &order.currency, -order.price).await?;
    Ok(operations::conclude(connection, &operation_id, false, "{}").await?)
}
