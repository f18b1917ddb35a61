//! Money that came in and was never credited, and holds whose time is over.

use serde_json::json;

use super::{Change, Step, claim, conclude, first_odd};
use crate::domain::billing::Request;
use crate::domain::ledger::{AccountKind, EntryKind, Transfer};
use crate::domain::news::Subject;
use crate::domain::sheet::Cause;
use crate::flow::move_money::apply;
use crate::flow::transaction::transaction;
use crate::flow::{Flow, FlowError, Scope, now};
use crate::store::audit::repairs;
use crate::store::topups::TopupRow;
use crate::store::{MySqlConnection, books, holds};

impl Flow {
    /// Safe, because `received` is written only on the gateway's word, and the id is the one under which the notification
    /// itself would have credited it.
    pub(super) async fn credit_topup(&self, id: u64) -> Result<Step, FlowError> {
        let Some(topup) = self.store.topup(id).await? else { return Ok(Step::Fine) };
        let wallet = self.store.account_id(topup.user_id, AccountKind::Wallet, &topup.currency).await?;
        transaction!(self.store, |connection| credit(connection, &topup, wallet).await)
    }

    /// Safe, because it is what the job does: one operation a hold, judged under the account's lock.
    pub(super) async fn expire_hold(&self, id: u64) -> Result<Step, FlowError> {
        let found = transaction!(self.store, |connection| holds::read(connection, &[id]).await.map_err(FlowError::from))?;
        let Some(hold) = found.get(&id).filter(|hold| hold.state == "active") else { return Ok(Step::Fine) };
        // A refusal would be kept under the id, and the job could never expire the hold; so nothing is tried in vain.
        if !hold.is_of_billing {
            return Ok(Step::Left("it is an order's or a payout's, which alone decide about it: its time should be empty".into()));
        }
        if hold.expires_at.is_none_or(|expires_at| expires_at > now()) {
            return Ok(Step::Left("by this machine's clock its time is not over: compare the clocks".into()));
        }
        if let Some(odd) = self.any_odd(&[hold.account_id]).await? {
            return Ok(odd);
        }
        let request = Request::expire(id);
        let operation_id = request.operation_id.clone();
        let answers = self.carry_out(Scope::Own, std::slice::from_ref(&request), false).await?;
        let is_done = answers.first().is_some_and(|answer| answer.text.contains("\"status\":\"done\""));
        if !is_done {
            return Ok(Step::Left(format!("operation {operation_id} was refused: {}", answers.first().map_or("", |answer| &answer.text))));
        }
        let (before, after) = (json!({"hold": "active"}), json!({"hold": "expired", "released": hold.amount}));
        Ok(Step::Mended(Change { operation_id, before, after, touched: Vec::new() }))
    }
}

async fn credit(connection: &mut MySqlConnection, topup: &TopupRow, wallet: u64) -> Result<Step, FlowError> {
    // As the notification does: the top-up, then the wallet.
    if repairs::lock_topup(connection, topup.id).await?.as_deref() != Some("received") {
        return Ok(Step::Left("it was credited and is not marked as received: ask the gateway whether it was paid".into()));
    }
    let Some(account) = books::lock(connection, [wallet]).await?.pop() else { return Ok(Step::Fine) };
    if repairs::topup_entries(connection, wallet, topup.id).await? > 0 {
        return Ok(Step::Left("it was credited with another amount, or more than once: correct it by a new operation".into()));
    }
    if account.is_closed {
        return Ok(Step::Left("its user is closed: pay it back through the gateway".into()));
    }
    if let Some(odd) = first_odd(connection, std::slice::from_ref(&account)).await? {
        return Ok(odd);
    }
    let at = now();
    let operation_id = format!("topup:{}", topup.id);
    if let Some(left) = claim(connection, &operation_id, "credit", at).await? {
        return Ok(left);
    }
    let cause = Cause { topup_id: Some(topup.id), ..Cause::new(&operation_id, at) };
    apply(connection, &Transfer::credit(wallet, EntryKind::Topup, topup.amount), &topup.currency, &cause).await?;
    let (before, after) = (json!({"credited": 0}), json!({"credited": topup.amount}));
    conclude(connection, Change { operation_id, before, after, touched: vec![Subject::account(wallet)] }).await
}
