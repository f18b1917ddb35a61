//! The customer chooses one of the applicants: the order is theirs, at the price they offered, and the hold moves by the difference in
//! the same transaction. The others are declined.

use std::collections::BTreeSet;

use super::create_order::Uncovered;
use super::edit_order::move_hold;
use super::kept::{Kept, keep, told_before};
use super::move_money::{body_hash, operation_id};
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::application::{Application, ApplicationStatus};
use crate::domain::edit::{Edited, has_had, merged};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::ledger::AccountKind;
use crate::domain::news::Subject;
use crate::domain::notice::Notice;
use crate::domain::order::{Assignment, FullOrder, Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::sheet::Cause;
use crate::domain::user::Actor;
use crate::store::operations::{self, Claim};
use crate::store::orders::{self, record};
use crate::store::{MySqlConnection, applications};

/// Readings of an order that changes at this moment.
const ATTEMPTS_MAX: u32 = 8;

/// Whom the customer wants, and the version of the order that they have seen.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Choice {
    pub executor_id: u64,
    pub version: Option<u64>,
}

struct Choosing<'a> {
    id: &'a str,
    /// Somebody may ask for it again.
    is_keyed: bool,
    hash: [u8; 32],
    before: &'a FullOrder,
    application: &'a Application,
    wallet: u64,
}

enum Outcome {
    Done(String),
    /// The order is not as it was read; nothing was written.
    Moved,
    Refused(Kept),
}

impl Flow {
    /// Answers the order as JSON. Under a `key` used before, the very same answer, a refusal included.
    pub async fn choose_applicant(&self, actor: &Actor, order_id: u64, choice: Choice, key: Option<&str>) -> Result<String, FlowError> {
        let (id, hash) = (operation_id("choose", actor.user.id, key), body_hash(&(order_id, choice))?);
        for _ in 0..ATTEMPTS_MAX {
            if key.is_some()
                && let Some(known) = self.store.known_operation(&id).await?
            {
                return told_before(known, &hash);
            }
            self.order_of_customer(actor, order_id).await?;
            let before = self.full(order_id).await?;
            let application = self.store.application(order_id, choice.executor_id).await?.ok_or(Refusal::NotFound("application"))?;
            let outcome = match self.judge_choice(&before, &application, choice).await? {
                Some(kept) => Outcome::Refused(kept),
                None => {
                    let wallet = self.store.account_id(actor.user.id, AccountKind::Wallet, &before.order.currency).await?;
                    let (before, application) = (&before, &application);
                    self.carry_out_choice(&Choosing { id: &id, is_keyed: key.is_some(), hash, before, application, wallet }).await?
                }
            };
            match outcome {
                Outcome::Done(body) => return Ok(body),
                Outcome::Moved => {}
                Outcome::Refused(kept) if key.is_none() => return Err(kept.refusal().into()),
                // Told from where it is kept, in the next round.
                Outcome::Refused(kept) => {
                    transaction!(self.store, |connection| keep(connection, (&id, "choose_order", &hash), &kept).await)?;
                }
            }
        }
        let order = self.full(order_id).await?.order;
        Err(Refusal::Stale { status: order.status, version: order.version }.into())
    }

    /// Why this applicant cannot be chosen, or not as the customer has seen it.
    async fn judge_choice(&self, before: &FullOrder, application: &Application, choice: Choice) -> Result<Option<Kept>, FlowError> {
        let Order { id, status, version, edited_version, assignment, .. } = before.order;
        let is_chosen_already = before.order.executor.as_ref().is_some_and(|executor| executor.id == choice.executor_id);
        if assignment != Assignment::Chosen || status != Status::Open || is_chosen_already {
            return Ok(Some(Kept::Stale { status, version }));
        }
        if application.status != ApplicationStatus::Waiting {
            return Err(Refusal::NotFound("application").into());
        }
        let seen = choice.version.unwrap_or(version);
        has_had(&before.order, seen)?;
        if seen >= edited_version && seen >= application.version {
            return Ok(None);
        }
        let mut changes = merged(self.store.edits_since(id, seen).await?);
        if seen < application.version {
            changes.insert("application".to_owned(), serde_json::to_value(application)?);
        }
        Ok(Some(Kept::Changed { changes, order: Box::new(before.clone()) }))
    }

    async fn carry_out_choice(&self, choosing: &Choosing<'_>) -> Result<Outcome, FlowError> {
        let outcome = match transaction!(self.store, |connection| self.choose_and_tell(connection, choosing).await) {
            Err(FlowError::Refused(Refusal::InsufficientFunds { available, needed, currency })) => {
                return Ok(Outcome::Refused(Kept::InsufficientFunds(Uncovered { available, needed, currency })));
            }
            outcome => outcome?,
        };
        if let Some((after, body, told)) = outcome {
            self.announce_inboxes(told);
            self.remember_order(&after.order);
            self.outbox.announce(Subject::order(after.order.id));
            if after.order.price != choosing.before.order.price {
                self.outbox.announce(Subject::account(choosing.wallet));
            }
            return Ok(Outcome::Done(body));
        }
        Ok(Outcome::Moved)
    }

    /// Carries it out and tells whoever applied; whom.
    async fn choose_and_tell(
        &self,
        connection: &mut MySqlConnection,
        choosing: &Choosing<'_>,
    ) -> Result<Option<(FullOrder, String, BTreeSet<u64>)>, FlowError> {
        // Should anybody apply meanwhile, the order is not as it was read.
        let waiting = applications::waiting(connection, choosing.before.order.id).await?;
        let Some((after, body)) = write(connection, choosing).await? else { return Ok(None) };
        let chosen = &choosing.application.executor;
        let others = waiting.into_iter().filter(|applicant_id| *applicant_id != chosen.id);
        let declined = others.map(|applicant_id| Notice::declined(&after.order, applicant_id));
        let told: Vec<Notice> = std::iter::once(Notice::chosen(&after.order, chosen)).chain(declined).collect();
        let users = self.tell(connection, &told).await?;
        Ok(Some((after, body, users)))
    }
}

/// The order as it is afterwards, and as it is answered; nothing when it is not as it was read.
async fn write(connection: &mut MySqlConnection, choosing: &Choosing<'_>) -> Result<Option<(FullOrder, String)>, FlowError> {
    let Choosing { id, before, application, wallet, .. } = *choosing;
    let (at, order) = (now(), &before.order);
    let agreed = Edited { split: application.split(), ..Edited::of(before) };
    let changes = agreed.changes(before);
    let after = after(before, application, at);
    if !orders::choose(connection, order, &after.order).await? {
        return Ok(None);
    }
    // Every change of an application changes its order's version, so it is as it was read.
    if !applications::end(connection, application, ApplicationStatus::Chosen).await? {
        return Err(FlowError::Internal(format!(
            "the application of {} for order {} has changed alone",
            application.executor.id, order.id
        )));
    }
    applications::decline_all(connection, order.id).await?;
    let by = application.price - order.price;
    let is_told = choosing.is_keyed || by != 0;
    if is_told && !matches!(operations::claim(connection, id, "choose_order", &choosing.hash, at).await?, Claim::New) {
        // Another order's choice under the same key; what was begun here is rolled back.
        return Err(Refusal::Mismatch.into());
    }
    if by != 0 {
        move_hold(connection, order, (wallet, by), &Cause { order_id: Some(order.id), ..Cause::new(id, at) }).await?;
    }
    let event = NewEvent::new(order.id, EventKind::Chosen, Some(order.customer.id), at);
    let event = event.with("executor", serde_json::to_value(&application.executor)?);
    record(
        connection,
        &NewEvent { facts: event.facts.into_iter().chain(changes).collect(), ..NewEvent::new(order.id, event.kind, event.actor_id, at) },
    )
    .await?;
    let body = serde_json::to_string(&after)?;
    if is_told {
        operations::conclude(connection, id, false, if choosing.is_keyed { &body } else { "{}" }).await?;
    }
    Ok(Some((after, body)))
}

fn after(before: &FullOrder, application: &Application, at: time::OffsetDateTime) -> FullOrder {
    let mut after = before.clone();
    after.executor_id = Some(application.executor.id);
    let order = &mut after.order;
    order.version += 1;
    if order.price != application.price || order.payout != application.payout {
        order.edited_version = order.version;
    }
    order.status = Status::InWork;
    order.executor = Some(application.executor.clone());
    order.applicants = 0;
    (order.price, order.payout, order.commission) = (application.price, application.payout, application.commission);
    (order.accepted_at, order.accepted_ms) = (Some(at), Some(crate::domain::order::unix_ms(at)));
    after
}
