//! An order's hold follows its entries, and its money follows the order.

use serde_json::json;

use super::{Change, Step, claim, conclude, first_odd};
use crate::domain::billing::HoldEnd;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::ledger::{AccountKind, Transfer};
use crate::domain::news::Subject;
use crate::domain::order::{Order, Status};
use crate::domain::sheet::{Cause, Standing};
use crate::flow::move_money::apply;
use crate::flow::transaction::transaction;
use crate::flow::{Flow, FlowError, now};
use crate::store::audit::repairs::{self, HoldCase, OrderCase, OrderEntries};
use crate::store::{MySqlConnection, books, holds};

/// The accounts on which an order's money moves.
struct Accounts {
    wallet: u64,
    earnings: Option<u64>,
    sweep_to: Option<u64>,
}

impl Accounts {
    fn all(&self) -> impl Iterator<Item = u64> {
        [Some(self.wallet), self.earnings, self.sweep_to].into_iter().flatten()
    }
}

/// What is to be done about an order's hold.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    /// The entries tell how the hold stands, and its row says something else.
    Rewrite(&'static str),
    /// The order is over without work, and its money is still held.
    Release,
    /// The work is done, its money is still held, and nobody was paid.
    Settle,
    Leave(&'static str),
}

/// Decides by the entries, which are append-only: first the hold's row is made to say what they say; then money that they
/// leave held although the order is over goes where the order says. Money that has moved is never moved back.
fn plan(order: &OrderCase, hold: &HoldCase, entries: &OrderEntries) -> Plan {
    if hold.amount != order.price || order.price != order.payout + order.commission {
        return Plan::Leave("price, parts and hold do not fit each other, so nobody knows how much was meant");
    }
    let told = match (entries.held, entries.captures, entries.releases) {
        (held, 0, 0) if held == hold.amount => "active",
        (0, 1, 0) => "captured",
        (0, 0, 1) => "released",
        _ => return Plan::Leave("its entries tell no plain story of one hold and one end"),
    };
    if hold.state != told {
        return Plan::Rewrite(told);
    }
    match (told, Status::parse(&order.status)) {
        (_, None) => Plan::Leave("its status is unknown"),
        ("active", Some(Status::Cancelled | Status::Failed)) => Plan::Release,
        ("active", Some(Status::Done)) if entries.payments > 0 => Plan::Leave("its executor was paid out of nothing"),
        ("active", Some(Status::Done)) if order.executor_id.is_none() => Plan::Leave("it is done and nobody did it"),
        ("active", Some(Status::Done)) => Plan::Settle,
        ("captured", Some(Status::Done)) | ("released", Some(Status::Cancelled | Status::Failed)) | ("active", Some(_)) => Plan::Nothing,
        _ => Plan::Leave("its money has gone another way than the order says: correct the order's state, or the money by a new operation"),
    }
}

impl Flow {
    /// Safe, because it acts on what the entries say, under the ids that confirming and cancelling use, and with the order,
    /// its hold and its accounts locked.
    pub(super) async fn mend_order(&self, id: u64) -> Result<Step, FlowError> {
        let Some(order) = self.store.order(id).await? else { return Ok(Step::Fine) };
        let accounts = self.accounts_of(&order).await?;
        transaction!(self.store, |connection| mend(connection, &order, &accounts).await)
    }

    async fn accounts_of(&self, order: &Order) -> Result<Accounts, FlowError> {
        let wallet = self.store.account_id(order.customer.id, AccountKind::Wallet, &order.currency).await?;
        let Some(executor) = &order.executor else { return Ok(Accounts { wallet, earnings: None, sweep_to: None }) };
        let earnings = Some(self.store.account_id(executor.id, AccountKind::Earnings, &order.currency).await?);
        let sweep_to = match self.store.sweeps_earnings(executor.id).await? {
            true => Some(self.store.account_id(executor.id, AccountKind::Wallet, &order.currency).await?),
            false => None,
        };
        Ok(Accounts { wallet, earnings, sweep_to })
    }

    /// Safe, because it is what the job does: settling is decided by the order's state.
    pub(super) async fn settle_overdue(&self, id: u64) -> Result<Step, FlowError> {
        let Some(order) = self.store.order(id).await? else { return Ok(Step::Fine) };
        let is_due = order.confirm_by_ms.is_some_and(|confirm_by| confirm_by < crate::domain::order::unix_ms(now()));
        if order.status != Status::Submitted || !is_due {
            return Ok(Step::Fine);
        }
        let accounts: Vec<u64> = self.accounts_of(&order).await?.all().collect();
        if let Some(odd) = self.any_odd(&accounts).await? {
            return Ok(odd);
        }
        let settled = self.settle(&order, &NewEvent::new(id, EventKind::Confirmed, None, now())).await?;
        let (before, after) = (json!({"status": order.status}), json!({"status": settled.order.status}));
        Ok(Step::Mended(Change { operation_id: format!("settle:{id}"), before, after, touched: Vec::new() }))
    }
}

async fn mend(connection: &mut MySqlConnection, order: &Order, accounts: &Accounts) -> Result<Step, FlowError> {
    // As confirming and cancelling do: the order, its hold, the accounts in ascending id.
    let Some((case, hold)) = repairs::lock_order(connection, order.id).await? else {
        return Ok(Step::Left("the order or its hold is missing: bring the row back from a backup".into()));
    };
    if case.customer_id != order.customer.id || case.executor_id != order.executor.as_ref().map(|executor| executor.id) {
        return Ok(Step::Left("it changed hands at this moment; repair again".into()));
    }
    if hold.account_id != accounts.wallet {
        return Ok(Step::Left("its hold is not on its customer's wallet".into()));
    }
    let locked = books::lock(connection, accounts.all()).await?;
    let entries = repairs::order_entries(connection, order.id, accounts.wallet, accounts.earnings).await?;
    match plan(&case, &hold, &entries) {
        Plan::Nothing => Ok(Step::Fine),
        Plan::Leave(why) => Ok(Step::Left(why.into())),
        Plan::Rewrite(to) => rewrite(connection, order, &hold, to, &locked).await,
        plan @ (Plan::Release | Plan::Settle) => {
            if let Some(odd) = first_odd(connection, &locked).await? {
                return Ok(odd);
            }
            match (plan, accounts.earnings) {
                (Plan::Settle, Some(earnings)) => settle(connection, (order, &case), &hold, accounts, earnings).await,
                (Plan::Release, _) => release(connection, order, &hold).await,
                _ => Ok(Step::Left("it is done and nobody did it".into())),
            }
        }
    }
}

/// The account must hold what its active holds come to afterwards, or there is more to it than this row.
async fn rewrite(
    connection: &mut MySqlConnection,
    order: &Order,
    hold: &HoldCase,
    to: &str,
    locked: &[Standing],
) -> Result<Step, FlowError> {
    let active = repairs::active_holds(connection, hold.account_id).await?;
    let amount_if_active = |state: &str| if state == "active" { hold.amount } else { 0 };
    let active_after = active - amount_if_active(&hold.state) + amount_if_active(to);
    if locked.iter().find(|account| account.id == hold.account_id).map(|account| account.held) != Some(active_after) {
        return Ok(Step::Left(format!("its entries say {to}, and then account {} would not hold the sum of its holds", hold.account_id)));
    }
    let at = now();
    let operation_id = format!("repair:hold:{}:{}:{to}", hold.id, hold.state);
    if let Some(left) = claim(connection, &operation_id, "repair", at).await? {
        return Ok(left);
    }
    if !repairs::rewrite_hold(connection, hold, to, at).await? {
        return Err(FlowError::Internal(format!("hold {} changed under its lock", hold.id)));
    }
    let (before, after) = (json!({"hold": hold.state}), json!({"hold": to}));
    conclude(connection, Change { operation_id, before, after, touched: vec![Subject::order(order.id)] }).await
}

async fn release(connection: &mut MySqlConnection, order: &Order, hold: &HoldCase) -> Result<Step, FlowError> {
    let at = now();
    let operation_id = format!("release:{}", order.id);
    if let Some(left) = claim(connection, &operation_id, "release", at).await? {
        return Ok(left);
    }
    end(connection, hold, HoldEnd::Released, at).await?;
    let cause = Cause { order_id: Some(order.id), ..Cause::new(&operation_id, at) };
    apply(connection, &Transfer::release(hold.account_id, hold.amount), &order.currency, &cause).await?;
    let (before, after) = (json!({"hold": hold.state}), json!({"hold": "released", "released": hold.amount}));
    conclude(connection, Change { operation_id, before, after, touched: vec![Subject::account(hold.account_id)] }).await
}

async fn settle(
    connection: &mut MySqlConnection,
    (order, case): (&Order, &OrderCase),
    hold: &HoldCase,
    accounts: &Accounts,
    earnings: u64,
) -> Result<Step, FlowError> {
    let at = now();
    let operation_id = format!("settle:{}", order.id);
    if let Some(left) = claim(connection, &operation_id, "capture", at).await? {
        return Ok(left);
    }
    end(connection, hold, HoldEnd::Captured, at).await?;
    let cause = Cause { order_id: Some(order.id), ..Cause::new(&operation_id, at) };
    let transfer = Transfer::settle(hold.account_id, earnings, accounts.sweep_to, case.payout, case.commission);
    apply(connection, &transfer, &order.currency, &cause).await?;
    let before = json!({"hold": hold.state});
    let after = json!({"hold": "captured", "paid": case.payout, "commission": case.commission});
    conclude(connection, Change { operation_id, before, after, touched: accounts.all().map(Subject::account).collect() }).await
}

async fn end(connection: &mut MySqlConnection, hold: &HoldCase, end: HoldEnd, at: time::OffsetDateTime) -> Result<(), FlowError> {
    if holds::end(connection, hold.id, end, at).await? {
        return Ok(());
    }
    Err(FlowError::Internal(format!("hold {} changed under its lock", hold.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: &str, state: &str, entries: (i64, i64, i64, i64)) -> Plan {
        let executor_id = (!["open", "cancelled"].contains(&status)).then_some(2);
        let order = OrderCase { status: status.into(), customer_id: 1, executor_id, price: 100, payout: 90, commission: 10 };
        let hold = HoldCase { id: 5, account_id: 3, amount: 100, state: state.into() };
        let (held, captures, releases, payments) = entries;
        plan(&order, &hold, &OrderEntries { held, captures, releases, payments })
    }

    #[test]
    fn what_agrees_is_left_alone() {
        assert_eq!(told("open", "active", (100, 0, 0, 0)), Plan::Nothing);
        assert_eq!(told("submitted", "active", (100, 0, 0, 0)), Plan::Nothing);
        assert_eq!(told("done", "captured", (0, 1, 0, 1)), Plan::Nothing);
        assert_eq!(told("cancelled", "released", (0, 0, 1, 0)), Plan::Nothing);
    }

    #[test]
    fn a_hold_is_rewritten_to_what_its_entries_say_before_any_money_moves() {
        assert_eq!(told("open", "released", (100, 0, 0, 0)), Plan::Rewrite("active"));
        assert_eq!(told("cancelled", "captured", (0, 0, 1, 0)), Plan::Rewrite("released"));
        assert_eq!(told("cancelled", "released", (100, 0, 0, 0)), Plan::Rewrite("active"));
        assert_eq!(told("done", "active", (0, 1, 0, 1)), Plan::Rewrite("captured"));
    }

    #[test]
    fn money_moves_only_out_of_what_is_still_held() {
        assert_eq!(told("cancelled", "active", (100, 0, 0, 0)), Plan::Release);
        assert_eq!(told("done", "active", (100, 0, 0, 0)), Plan::Settle);
        assert!(matches!(told("done", "active", (100, 0, 0, 1)), Plan::Leave(_)));
        assert!(matches!(told("open", "captured", (0, 1, 0, 1)), Plan::Leave(_)));
        assert!(matches!(told("done", "released", (0, 0, 1, 0)), Plan::Leave(_)));
        assert!(matches!(told("done", "captured", (-100, 2, 0, 2)), Plan::Leave(_)));
        assert!(matches!(told("open", "active", (90, 0, 0, 0)), Plan::Leave(_)));
    }
}
