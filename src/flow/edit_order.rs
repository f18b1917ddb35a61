//! A customer edits an order that is open or frozen. Where its price changes, the hold moves by the difference in the same
//! transaction, by the policy that the order was made with.
//!
//! The UPDATE names the version that was read: whatever came between is read, and judged, again. A refusal under a key is
//! committed as the operation's result, after what was begun is rolled back.

use serde::Serialize;

use super::create_order::{Ask, Uncovered};
use super::kept::{Kept, keep, told_before};
use super::move_money::{Short, attempt, body_hash, operation_id};
use super::transaction::transaction;
use super::{Flow, FlowError, now, statistics};
use crate::domain::commission::{Mode, Policy};
use crate::domain::edit::{Edited, has_had, merged};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::ledger::{AccountKind, Transfer};
use crate::domain::news::Subject;
use crate::domain::order::{FullOrder, Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::sheet::Cause;
use crate::domain::user::Actor;
use crate::store::operations::{self, Claim};
use crate::store::orders::{self, record};
use crate::store::{MySqlConnection, holds};

/// Readings of an order that changes under the editor's hands.
const ATTEMPTS_MAX: u32 = 8;

/// A valid request; nothing stays as it is.
#[derive(Clone, Debug, Serialize)]
pub struct OrderEdit {
    /// The version that the editor has seen.
    pub version: u64,
    pub title: Option<String>,
    pub description: Option<String>,
    pub category: Option<Option<String>>,
    pub ask: Option<Ask>,
}

struct Editing<'a> {
    id: &'a str,
    /// Somebody may ask for it again.
    is_keyed: bool,
    hash: [u8; 32],
    actor: &'a Actor,
    before: &'a FullOrder,
    edited: &'a Edited,
    wallet: u64,
}

enum Outcome {
    Done(Box<FullOrder>, String),
    /// The order is not as it was read; nothing was written.
    Moved,
    Refused(Kept),
}

impl Flow {
    /// Answers the order as JSON. Under a `key` used before, the very same answer, a refusal included.
    pub async fn edit_order(&self, actor: &Actor, order_id: u64, edit: &OrderEdit, key: Option<&str>) -> Result<String, FlowError> {
        let (id, hash) = (operation_id("edit", actor.user.id, key), body_hash(&(order_id, edit))?);
        for _ in 0..ATTEMPTS_MAX {
            if key.is_some()
                && let Some(known) = self.store.known_operation(&id).await?
            {
                return told_before(known, &hash);
            }
            self.order_of_customer(actor, order_id).await?;
            let before = self.full(order_id).await?;
            let outcome = match self.judge_edit(&before, edit).await? {
                Err(kept) => Outcome::Refused(kept),
                Ok(edited) => {
                    let wallet = self.store.account_id(actor.user.id, AccountKind::Wallet, &before.order.currency).await?;
                    let editing = Editing { id: &id, is_keyed: key.is_some(), hash, actor, before: &before, edited: &edited, wallet };
                    self.carry_out_edit(&editing).await?
                }
            };
            match outcome {
                Outcome::Done(_, body) => return Ok(body),
                Outcome::Moved => {}
                Outcome::Refused(kept) if key.is_none() => return Err(kept.refusal().into()),
                // Told from where it is kept, in the next round.
                Outcome::Refused(kept) => transaction!(self.store, |connection| keep(connection, (&id, "edit_order", &hash), &kept).await)?,
            }
        }
        let order = self.full(order_id).await?.order;
        Err(Refusal::Stale { status: order.status, version: order.version }.into())
    }

    async fn carry_out_edit(&self, editing: &Editing<'_>) -> Result<Outcome, FlowError> {
        let Editing { before, edited, wallet, .. } = *editing;
        let moves_money = edited.split.price != before.order.price;
        let outcome = match transaction!(self.store, |connection| write(connection, editing).await) {
            Err(FlowError::Refused(Refusal::InsufficientFunds { available, needed, currency })) => {
                Outcome::Refused(Kept::InsufficientFunds(Uncovered { available, needed, currency }))
            }
            outcome => outcome?,
        };
        if let Outcome::Done(after, _) = &outcome {
            self.remember_order(&after.order);
            self.outbox.announce(Subject::order(after.order.id));
            if moves_money {
                self.outbox.announce(Subject::account(wallet));
            }
        }
        Ok(outcome)
    }

    /// What the order will say, or why it may not.
    async fn judge_edit(&self, before: &FullOrder, edit: &OrderEdit) -> Result<Result<Edited, Kept>, FlowError> {
        let Order { status, version, edited_version, .. } = before.order;
        has_had(&before.order, edit.version)?;
        if !matches!(status, Status::Open | Status::Frozen) {
            return Ok(Err(Kept::Stale { status, version }));
        }
        if edit.version < edited_version {
            let changes = merged(self.store.edits_since(before.order.id, edit.version).await?);
            return Ok(Err(Kept::Changed { changes, order: Box::new(before.clone()) }));
        }
        if let Some(Some(category)) = &edit.category
            && before.order.category.as_ref() != Some(category)
            && let Some(unusable) = self.unusable_category(category).await?
        {
            return Err(unusable.into());
        }
        let mut edited = Edited::of(before);
        if let Some(title) = &edit.title {
            edited.title.clone_from(title);
        }
        if let Some(description) = &edit.description {
            edited.description.clone_from(description);
        }
        if let Some(category) = &edit.category {
            edited.category.clone_from(category);
        }
        if let Some(ask) = edit.ask {
            edited.split = ask.split(policy_of(before)?)?;
        }
        Ok(Ok(edited))
    }
}

/// The policy that the order was made with, whatever is in force today.
pub(super) fn policy_of(order: &FullOrder) -> Result<Policy, FlowError> {
    let corrupt = || FlowError::Internal(format!("order {} was made with a policy that there cannot be", order.order.id));
    let mode = Mode::parse(&order.mode).ok_or_else(corrupt)?;
    Policy::new(order.order.rate_bp, order.floor_bp, mode).map_err(|_| corrupt())
}

async fn write(connection: &mut MySqlConnection, editing: &Editing<'_>) -> Result<Outcome, FlowError> {
    let Editing { id, before, edited, wallet, .. } = *editing;
    let (at, order) = (now(), &before.order);
    let changes = edited.changes(before);
    // The order first, and without harm to the lock order: whoever else has this id waits for this order, too.
    if !changes.is_empty() && !orders::edit(connection, order, edited).await? {
        return Ok(Outcome::Moved);
    }
    let by = edited.split.price - order.price;
    let is_told = editing.is_keyed || by != 0;
    if is_told && !matches!(operations::claim(connection, id, "edit_order", &editing.hash, at).await?, Claim::New) {
        // Another order's edit under the same key; what was begun here is rolled back.
        return Err(Refusal::Mismatch.into());
    }
    if by != 0 {
        move_hold(connection, order, (wallet, by), &Cause { order_id: Some(order.id), ..Cause::new(id, at) }).await?;
    }
    let after = after(before, edited, changes.is_empty());
    if !changes.is_empty() {
        record(connection, &NewEvent { facts: changes, ..NewEvent::new(order.id, EventKind::Edited, Some(editing.actor.user.id), at) })
            .await?;
    }
    let body = serde_json::to_string(&after)?;
    if is_told {
        operations::conclude(connection, id, false, if editing.is_keyed { &body } else { "{}" }).await?;
    }
    Ok(Outcome::Done(Box::new(after), body))
}

/// The order's hold follows its price, and so does what its customer has in orders. Refused, and then the caller rolls back, where the money is not there.
pub(super) async fn move_hold(
    connection: &mut MySqlConnection,
    order: &Order,
    (wallet, by): (u64, i64),
    cause: &Cause<'_>,
) -> Result<(), FlowError> {
    if !holds::adjust(connection, order.id, order.price, by).await? {
        return Err(FlowError::Internal(format!("order {} has no active hold of {}", order.id, order.price)));
    }
    match attempt(connection, &Transfer::adjust(wallet, by), &order.currency, cause).await? {
        None => statistics::repriced(connection, order.customer.id, &order.currency, by).await,
        Some(Short { available }) => Err(Refusal::InsufficientFunds { available, needed: by, currency: order.currency.clone() }.into()),
    }
}

fn after(before: &FullOrder, edited: &Edited, is_same: bool) -> FullOrder {
    let mut after = before.clone();
    if is_same {
        return after;
    }
    after.description.clone_from(&edited.description);
    let order = &mut after.order;
    order.version += 1;
    order.edited_version = order.version;
    order.title.clone_from(&edited.title);
    order.category.clone_from(&edited.category);
    (order.price, order.payout, order.commission) = (edited.split.price, edited.split.payout, edited.split.commission);
    after
}
