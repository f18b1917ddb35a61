//! Executors apply for orders whose customers choose, and think better of it.

use super::edit_order::policy_of;
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::application::{APPLICANTS_MAX, Application, ApplicationStatus, CounterLimits};
use crate::domain::commission::Split;
use crate::domain::edit::{has_had, merged};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::money::Amount;
use crate::domain::news::Subject;
use crate::domain::notice::Notice;
use crate::domain::order::{Assignment, FullOrder, Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::user::{Actor, Role};
use crate::store::MySqlConnection;
use crate::store::applications::{self, NewApplication};
use crate::store::orders::{self, record};

/// Readings of an order that changes at this moment.
const ATTEMPTS_MAX: u32 = 8;

/// A valid request.
#[derive(Clone, Debug)]
pub struct Offer {
    pub message: String,
    /// Another price than the order's.
    pub price: Option<Amount>,
    /// The version of the order that they have seen.
    pub version: Option<u64>,
}

impl Flow {
    /// Applies for an open order, in the place of an earlier application.
    pub async fn apply_for_order(&self, actor: &Actor, order_id: u64, offer: &Offer) -> Result<Application, FlowError> {
        if actor.role != Role::Executor {
            return Err(Refusal::Forbidden("only executors apply; sign in as an executor").into());
        }
        for _ in 0..ATTEMPTS_MAX {
            let order = self.store.full_order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
            may_apply(actor, &order.order)?;
            self.is_as_seen(&order, offer).await?;
            let split = self.offered(&order, offer)?;
            let new = NewApplication { order_id, executor_id: actor.user.id, message: &offer.message, split, at: now() };
            let told = [Notice::applicant(&order.order, &actor.user, split.price, &offer.message)];
            let applied = transaction!(self.store, |connection| {
                let done = apply(connection, &order.order, &new).await;
                self.tell_if(connection, done, &told).await
            });
            match applied {
                Ok(true) => {
                    self.outbox.announce(Subject::order(order_id));
                    self.announce_inboxes([order.order.customer.id]);
                    return self.own_application(actor, order_id).await;
                }
                Ok(false) => {}
                Err(error) => return Err(error),
            }
        }
        let order = self.store.order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
        Err(Refusal::Stale { status: order.status, version: order.version }.into())
    }

    /// Takes an application back while nobody is chosen. Asked again: the same.
    pub async fn withdraw_application(&self, actor: &Actor, order_id: u64) -> Result<Application, FlowError> {
        for _ in 0..ATTEMPTS_MAX {
            let application = self.own_application(actor, order_id).await?;
            match application.status {
                ApplicationStatus::Withdrawn => return Ok(application),
                ApplicationStatus::Waiting => {}
                _ => {
                    let order = self.store.order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
                    return Err(Refusal::Stale { status: order.status, version: order.version }.into());
                }
            }
            match transaction!(self.store, |connection| withdraw(connection, &application).await) {
                Ok(()) => self.outbox.announce(Subject::order(order_id)),
                // It is not what it was a moment ago: look again.
                Err(FlowError::Refused(Refusal::NotFound(_))) => {}
                Err(error) => return Err(error),
            }
        }
        let order = self.store.order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
        Err(Refusal::Stale { status: order.status, version: order.version }.into())
    }

    /// How far from an order's price an offer may be.
    pub fn counter_limits(&self) -> CounterLimits {
        self.config.counter_limits
    }

    async fn own_application(&self, actor: &Actor, order_id: u64) -> Result<Application, FlowError> {
        let own = self.store.application(order_id, actor.user.id).await?.filter(|_| actor.role == Role::Executor);
        Ok(own.ok_or(Refusal::NotFound("application"))?)
    }

    /// Refused when the order says something else than it did when they saw it.
    async fn is_as_seen(&self, order: &FullOrder, offer: &Offer) -> Result<(), FlowError> {
        let Some(seen) = offer.version else { return Ok(()) };
        has_had(&order.order, seen)?;
        if seen >= order.order.edited_version {
            return Ok(());
        }
        let changes = merged(self.store.edits_since(order.order.id, seen).await?);
        match changes.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Changed { changes, order: Box::new(order.clone()) }.into()),
        }
    }

    fn offered(&self, order: &FullOrder, offer: &Offer) -> Result<Split, FlowError> {
        let FullOrder { order: own, .. } = order;
        let Some(price) = offer.price else {
            return Ok(Split { price: own.price, payout: own.payout, commission: own.commission });
        };
        self.config.counter_limits.check(own.price, price.minor())?;
        Ok(policy_of(order)?.by_price(price)?)
    }
}

fn may_apply(actor: &Actor, order: &Order) -> Result<(), Refusal> {
    if order.customer.id == actor.user.id {
        return Err(Refusal::OwnOrder);
    }
    match (order.status, order.assignment) {
        (Status::Open, Assignment::Chosen) => Ok(()),
        (Status::Open, Assignment::First) => Err(Refusal::ForFirstTaker),
        (Status::Frozen, _) => Err(Refusal::Frozen),
        (Status::Cancelled, _) => Err(Refusal::Cancelled),
        (status, _) => match order.taken() {
            Some((by, at)) => Err(Refusal::Taken { by, at }),
            None => Err(Refusal::Stale { status, version: order.version }),
        },
    }
}

/// False when the order is not as it was read; nothing is written then.
async fn apply(connection: &mut MySqlConnection, order: &Order, new: &NewApplication<'_>) -> Result<bool, FlowError> {
    let Some(version) = orders::open_for_applicant(connection, order).await? else { return Ok(false) };
    applications::put(connection, new, version).await?;
    let waiting = applications::waiting(connection, order.id).await?;
    if waiting.len() > APPLICANTS_MAX as usize {
        metrics::counter!("orderboard_applications_refused_total").increment(1);
        // What was begun is rolled back.
        return Err(Refusal::Limit { what: "applicants for this order", retry_after_s: 600 }.into());
    }
    orders::count_applicants(connection, order.id, waiting.len() as u64).await?;
    let event = NewEvent::new(order.id, EventKind::Applied, Some(new.executor_id), new.at);
    record(connection, &event.with("price", new.split.price).with("payout", new.split.payout)).await?;
    Ok(true)
}

/// Refused, and then rolled back, when the application is not as it was read.
async fn withdraw(connection: &mut MySqlConnection, application: &Application) -> Result<(), FlowError> {
    let order_id = application.order_id;
    let is_open = orders::touch_for_applicant(connection, order_id).await?;
    if !is_open || !applications::end(connection, application, ApplicationStatus::Withdrawn).await? {
        return Err(Refusal::NotFound("application").into());
    }
    let waiting = applications::waiting(connection, order_id).await?;
    orders::count_applicants(connection, order_id, waiting.len() as u64).await?;
    record(connection, &NewEvent::new(order_id, EventKind::Withdrawn, Some(application.executor.id), now())).await?;
    Ok(())
}
