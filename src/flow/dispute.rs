//! Contracts that their sides disagree about: either asks for an admin's verdict, and nothing is confirmed by time any more. The
//! customer may still confirm; the admin pays the executor or gives the money back.

use super::cancel_order::give_back;
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::ledger::AccountKind;
use crate::domain::news::Subject;
use crate::domain::notice::Notice;
use crate::domain::order::{FullOrder, Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::domain::user::{Actor, Role};
use crate::store::MySqlConnection;
use crate::store::orders::{self, record};
use schemars::JsonSchema;

/// Who gets the held money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The executor, and the house its commission.
    Pay,
    /// The customer.
    Refund,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Verdict::Pay => "pay",
            Verdict::Refund => "refund",
        }
    }

    fn makes(self) -> Status {
        match self {
            Verdict::Pay => Status::Done,
            Verdict::Refund => Status::Failed,
        }
    }
}

impl Flow {
    /// A party asks for an admin's verdict. Asked again: the same.
    pub async fn dispute_order(&self, actor: &Actor, order_id: u64, reason: &str) -> Result<FullOrder, FlowError> {
        let reason = text::statement("reason", reason)?;
        let order = self.store.order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
        let is_side = match actor.role {
            Role::Customer => order.customer.id == actor.user.id,
            Role::Executor => order.executor.as_ref().is_some_and(|executor| executor.id == actor.user.id),
            Role::Admin => false,
        };
        if !is_side {
            let may_see = order.status == Status::Open || order.is_party(actor.user.id) || actor.role == Role::Admin;
            let refusal =
                if may_see { Refusal::Forbidden("only the two sides of a contract dispute it") } else { Refusal::NotFound("order") };
            return Err(refusal.into());
        }
        let disputed = transaction!(self.store, |connection| dispute(connection, &order, actor.user.id, &reason).await)?;
        let now_is = self.full(order_id).await?;
        if disputed {
            self.outbox.announce(Subject::order(order_id));
            return Ok(now_is);
        }
        if now_is.order.is_disputed() {
            return Ok(now_is);
        }
        Err(Refusal::Stale { status: now_is.order.status, version: now_is.order.version }.into())
    }

    /// An admin decides a dispute. Asked again: the same order, decided once.
    pub async fn arbitrate(&self, actor: &Actor, order_id: u64, verdict: Verdict, comment: &str) -> Result<FullOrder, FlowError> {
        if actor.role != Role::Admin {
            return Err(Refusal::Forbidden("only admins decide disputes").into());
        }
        let comment = text::statement("comment", comment)?;
        let order = self.store.order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
        if order.disputed_ms.is_some() && order.status == verdict.makes() {
            return self.full(order_id).await;
        }
        if !order.is_disputed() {
            return Err(Refusal::NotDisputed { status: order.status, version: order.version }.into());
        }
        let event = NewEvent::new(order_id, EventKind::Arbitrated, Some(actor.user.id), now());
        let event = event.with("verdict", verdict.as_str()).with("comment", comment);
        match verdict {
            Verdict::Pay => self.settle(&order, &event).await,
            Verdict::Refund => self.refund(&order, &event).await,
        }
    }

    async fn refund(&self, order: &Order, event: &NewEvent) -> Result<FullOrder, FlowError> {
        let wallet = self.store.account_id(order.customer.id, AccountKind::Wallet, &order.currency).await?;
        let told = arbitrated(order, event);
        let refunded = transaction!(self.store, |connection| {
            let done = refund(connection, order, wallet, event).await;
            self.tell_if(connection, done, &told).await
        })?;
        self.announce_inboxes(told.iter().map(|notice| notice.user_id));
        let now_is = self.full(order.id).await?;
        if !refunded && now_is.order.status != Status::Failed {
            return Err(Refusal::Stale { status: now_is.order.status, version: now_is.order.version }.into());
        }
        self.remember_order(&now_is.order);
        self.outbox.announce(Subject::order(order.id));
        self.outbox.announce(Subject::account(wallet));
        Ok(now_is)
    }
}

/// What both sides are told of an admin's verdict; nothing of anything else.
pub(super) fn arbitrated(order: &Order, event: &NewEvent) -> Vec<Notice> {
    if event.kind != EventKind::Arbitrated {
        return Vec::new();
    }
    let text = |name| event.facts.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    Notice::arbitrated(order, text("verdict"), text("comment"))
}

async fn dispute(connection: &mut MySqlConnection, order: &Order, user_id: u64, reason: &str) -> Result<bool, FlowError> {
    let at = now();
    if !orders::dispute(connection, order, at, reason).await? {
        return Ok(false);
    }
    record(connection, &NewEvent::new(order.id, EventKind::Disputed, Some(user_id), at).with("reason", reason)).await?;
    Ok(true)
}

/// False when the order's state had changed meanwhile; nothing is written then.
async fn refund(connection: &mut MySqlConnection, order: &Order, wallet: u64, event: &NewEvent) -> Result<bool, FlowError> {
    if !orders::fail(connection, order, event.at).await? {
        return Ok(false);
    }
    record(connection, event).await?;
    give_back(connection, order, wallet, event.at).await?;
    Ok(true)
}
