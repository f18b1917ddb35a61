//! Finished work is paid: the customer's hold is captured, the executor gets the payout, the house its commission. The
//! customer confirms; or the time to object is over; or the order settles itself as soon as the work is handed in.

use super::move_money::apply;
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::billing::HoldEnd;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::ledger::{AccountKind, Transfer};
use crate::domain::news::Subject;
use crate::domain::order::{FullOrder, Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::sheet::Cause;
use crate::domain::user::Actor;
use crate::store::MySqlConnection;
use crate::store::holds::end_of_order;
use crate::store::operations::{self, Claim};
use crate::store::orders::{self, record};

impl Flow {
    /// The customer confirms submitted work. Asked again: the same order, paid once.
    pub async fn confirm_order(&self, actor: &Actor, order_id: u64) -> Result<FullOrder, FlowError> {
        let order = self.order_of_customer(actor, order_id).await?;
        match order.status {
            Status::Done => return self.full(order_id).await,
            Status::Submitted => {}
            status => return Err(Refusal::Stale { status, version: order.version }.into()),
        }
        self.settle(&order, &NewEvent::new(order_id, EventKind::Confirmed, Some(actor.user.id), now())).await
    }

    /// Confirms orders whose customers let the time pass; tells how many. Safe on several nodes at once: the state of
    /// each order decides who settles it.
    pub async fn confirm_overdue(&self, limit: u32) -> Result<usize, FlowError> {
        let due = self.store.orders_to_confirm(now(), limit).await?;
        let mut confirmed = 0;
        for order_id in due {
            let Some(order) = self.store.order(order_id).await? else { continue };
            if order.status != Status::Submitted {
                continue;
            }
            match self.settle(&order, &NewEvent::new(order_id, EventKind::Confirmed, None, now())).await {
                Ok(_) => confirmed += 1,
                Err(FlowError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(confirmed)
    }

    /// Pays for `order` as it was read: the state it had then must still hold. `event` tells who says so.
    pub(super) async fn settle(&self, order: &Order, event: &NewEvent) -> Result<FullOrder, FlowError> {
        let Some(executor) = &order.executor else {
            return Err(FlowError::Internal(format!("order {} is {} without an executor", order.id, order.status.as_str())));
        };
        let wallet = self.store.account_id(order.customer.id, AccountKind::Wallet, &order.currency).await?;
        let earnings = self.store.account_id(executor.id, AccountKind::Earnings, &order.currency).await?;
        let sweep_to = match self.store.sweeps_earnings(executor.id).await? {
            true => Some(self.store.account_id(executor.id, AccountKind::Wallet, &order.currency).await?),
            false => None,
        };
        let accounts = Accounts { wallet, earnings, sweep_to };
        let settled = transaction!(self.store, |connection| settle(connection, order, &accounts, event).await)?;
        let now_is = self.full(order.id).await?;
        if !settled && now_is.order.status != Status::Done {
            return Err(Refusal::Stale { status: now_is.order.status, version: now_is.order.version }.into());
        }
        self.remember_order(&now_is.order);
        self.outbox.announce(Subject::order(order.id));
        self.outbox.announce(Subject::account(wallet));
        self.outbox.announce(Subject::account(earnings));
        if let Some(wallet) = sweep_to {
            self.outbox.announce(Subject::account(wallet));
        }
        Ok(now_is)
    }
}

/// Whose money moves when an order is settled.
struct Accounts {
    /// The customer's.
    wallet: u64,
    /// The executor's.
    earnings: u64,
    sweep_to: Option<u64>,
}

/// False when the order's state had changed meanwhile; nothing is written then.
async fn settle(connection: &mut MySqlConnection, order: &Order, accounts: &Accounts, event: &NewEvent) -> Result<bool, FlowError> {
    let at = event.at;
    // The order's row is the lock: whoever moves it to done is the only one who ever claims this operation's id.
    if !orders::finish(connection, order, at).await? {
        return Ok(false);
    }
    record(connection, event).await?;
    let operation_id = format!("settle:{}", order.id);
    if !matches!(operations::claim(connection, &operation_id, "capture", &[0; 32], at).await?, Claim::New) {
        return Err(FlowError::Internal(format!("order {} was open after it had been settled", order.id)));
    }
    if !end_of_order(connection, order.id, HoldEnd::Captured, at).await? {
        return Err(FlowError::Internal(format!("order {} has no active hold to capture", order.id)));
    }
    let cause = Cause { order_id: Some(order.id), ..Cause::new(&operation_id, at) };
    let transfer = Transfer::settle(accounts.wallet, accounts.earnings, accounts.sweep_to, order.payout, order.commission);
    apply(connection, &transfer, &order.currency, &cause).await?;
    operations::conclude(connection, &operation_id, false, "{}").await?;
    Ok(true)
}
