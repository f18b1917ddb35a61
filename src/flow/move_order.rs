//! Moves of an order that carry no money: freeze, unfreeze, submit, reject, abandon.

use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::news::Subject;
use crate::domain::notice::Notice;
use crate::domain::order::{Acceptance, Assignment, FullOrder, Move, Order, Side, Status, rfc3339};
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::domain::user::{Actor, Role};
use crate::store::orders::{self, Submission, record};
use crate::store::{MySqlConnection, applications};

impl Flow {
    pub async fn freeze_order(&self, actor: &Actor, order_id: u64) -> Result<FullOrder, FlowError> {
        self.order_of(actor, order_id, Side::Customer).await?;
        let moved = transaction!(self.store, |connection| freeze(connection, order_id, actor.user.id).await)?;
        self.moved(order_id, Move::Freeze, moved).await
    }

    pub async fn unfreeze_order(&self, actor: &Actor, order_id: u64) -> Result<FullOrder, FlowError> {
        self.order_of(actor, order_id, Side::Customer).await?;
        let moved = transaction!(self.store, |connection| unfreeze(connection, order_id, actor.user.id).await)?;
        self.moved(order_id, Move::Unfreeze, moved).await
    }

    /// The executor gives up; the order goes back on the board.
    pub async fn abandon_order(&self, actor: &Actor, order_id: u64) -> Result<FullOrder, FlowError> {
        let order = self.order_of(actor, order_id, Side::Executor).await?;
        let moved = transaction!(self.store, |connection| abandon(connection, &order, actor.user.id).await)?;
        self.moved(order_id, Move::Abandon, moved).await
    }

    /// The customer sends submitted work back, saying why.
    pub async fn reject_order(&self, actor: &Actor, order_id: u64, reason: &str) -> Result<FullOrder, FlowError> {
        let reason = text::statement("reason", reason)?;
        let order = self.order_of(actor, order_id, Side::Customer).await?;
        let at = now();
        let told: Vec<Notice> = order.executor.iter().map(|executor| Notice::work_rejected(&order, executor, &reason, at)).collect();
        let moved = transaction!(self.store, |connection| {
            let done = reject(connection, order_id, actor.user.id, &reason).await;
            self.tell_if(connection, done, &told).await
        })?;
        self.announce_inboxes(told.iter().map(|notice| notice.user_id));
        self.moved(order_id, Move::Reject, moved).await
    }

    /// The executor hands the work in. An order that settles itself is paid at once.
    pub async fn submit_order(&self, actor: &Actor, order_id: u64, report: &str) -> Result<FullOrder, FlowError> {
        let report = text::prose("report", report)?;
        let order = self.order_of(actor, order_id, Side::Executor).await?;
        if order.acceptance == Acceptance::Auto {
            return match order.status {
                Status::Done => self.full(order_id).await,
                Status::InWork if order.is_disputed() => Err(Refusal::Disputed.into()),
                Status::InWork => {
                    let handed_in = NewEvent::new(order_id, EventKind::Confirmed, Some(actor.user.id), now()).with("report", report);
                    self.settle(&order, &handed_in).await
                }
                status => Err(Refusal::Stale { status, version: order.version }.into()),
            };
        }
        let at = now();
        let confirm_by = at + self.config.auto_confirm_after;
        let told = [Notice::work_submitted(&order, &actor.user, at)];
        let submission = Submission { order_id, executor_id: actor.user.id, at, confirm_by, report: &report };
        let moved = transaction!(self.store, |connection| {
            let done = submit(connection, &submission).await;
            self.tell_if(connection, done, &told).await
        })?;
        self.announce_inboxes([order.customer.id]);
        self.moved(order_id, Move::Submit, moved).await
    }

    /// An order with its long texts, as it is now.
    pub(super) async fn full(&self, order_id: u64) -> Result<FullOrder, FlowError> {
        Ok(self.store.full_order(order_id).await?.ok_or(Refusal::NotFound("order"))?)
    }

    pub(super) async fn order_of_customer(&self, actor: &Actor, order_id: u64) -> Result<Order, FlowError> {
        self.order_of(actor, order_id, Side::Customer).await
    }

    /// The order, if the actor stands on that side of it in this session's role. Somebody else's order is refused as
    /// forbidden while everybody may see it, and does not exist for them afterwards.
    async fn order_of(&self, actor: &Actor, order_id: u64, side: Side) -> Result<Order, FlowError> {
        let order = self.store.order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
        let role_needed = match side {
            Side::Customer => Role::Customer,
            Side::Executor => Role::Executor,
        };
        let is_side = match side {
            Side::Customer => order.customer.id == actor.user.id,
            Side::Executor => order.executor.as_ref().is_some_and(|executor| executor.id == actor.user.id),
        };
        match (is_side, side) {
            (true, _) if actor.role == role_needed => Ok(order),
            (true, Side::Customer) => Err(Refusal::Forbidden("sign in as a customer to manage your orders").into()),
            (true, Side::Executor) => Err(Refusal::Forbidden("sign in as an executor to work on your contracts").into()),
            (false, _) if order.status == Status::Open || order.is_party(actor.user.id) => {
                Err(Refusal::Forbidden("this is the other side's to do").into())
            }
            (false, _) => Err(Refusal::NotFound("order").into()),
        }
    }

    /// After the UPDATE: the order as it is now; a refusal unless it was moved now, or stood there already.
    async fn moved(&self, order_id: u64, what: Move, moved: bool) -> Result<FullOrder, FlowError> {
        let now_is = self.full(order_id).await?;
        if moved {
            self.remember_order(&now_is.order);
            self.outbox.announce(Subject::order(order_id));
            return Ok(now_is);
        }
        let repeats = matches!(what, Move::Freeze | Move::Unfreeze | Move::Submit);
        if repeats && now_is.order.status == what.to() {
            return Ok(now_is);
        }
        if now_is.order.is_disputed() {
            return Err(Refusal::Disputed.into());
        }
        Err(Refusal::Stale { status: now_is.order.status, version: now_is.order.version }.into())
    }
}

async fn freeze(connection: &mut MySqlConnection, order_id: u64, customer_id: u64) -> Result<bool, FlowError> {
    let moved = orders::freeze(connection, order_id, customer_id).await?;
    told(connection, moved, &NewEvent::new(order_id, EventKind::Frozen, Some(customer_id), now())).await
}

async fn unfreeze(connection: &mut MySqlConnection, order_id: u64, customer_id: u64) -> Result<bool, FlowError> {
    let moved = orders::unfreeze(connection, order_id, customer_id).await?;
    told(connection, moved, &NewEvent::new(order_id, EventKind::Unfrozen, Some(customer_id), now())).await
}

/// The order's row forgets who had it since when; the event does not.
async fn abandon(connection: &mut MySqlConnection, order: &Order, executor_id: u64) -> Result<bool, FlowError> {
    let moved = orders::abandon(connection, order.id, executor_id).await?;
    if moved && order.assignment == Assignment::Chosen {
        applications::withdraw_chosen(connection, order.id).await?;
    }
    let event = NewEvent::new(order.id, EventKind::Abandoned, Some(executor_id), now());
    told(connection, moved, &event.with("accepted_at", order.accepted_at.map(rfc3339))).await
}

async fn reject(connection: &mut MySqlConnection, order_id: u64, customer_id: u64, reason: &str) -> Result<bool, FlowError> {
    let moved = orders::reject(connection, order_id, customer_id, reason).await?;
    told(connection, moved, &NewEvent::new(order_id, EventKind::Rejected, Some(customer_id), now()).with("reason", reason)).await
}

async fn submit(connection: &mut MySqlConnection, work: &Submission<'_>) -> Result<bool, FlowError> {
    let moved = orders::submit(connection, work).await?;
    let event = NewEvent::new(work.order_id, EventKind::Submitted, Some(work.executor_id), work.at);
    told(connection, moved, &event.with("report", work.report).with("confirm_by", rfc3339(work.confirm_by))).await
}

/// Writes the event of a move that was made.
async fn told(connection: &mut MySqlConnection, moved: bool, event: &NewEvent) -> Result<bool, FlowError> {
    if moved {
        record(connection, event).await?;
    }
    Ok(moved)
}
