//! What has happened to an order, told to its two parties and to admins. Events are written with the changes they tell of; the
//! order's creation and its takings are told by its row, because taking writes nothing besides.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Flow, FlowError};
use crate::domain::event::{Event, EventKind};
use crate::domain::order::{Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::user::{Actor, Party, Role};

/// Of an order that was frozen and thawed for days only the newest are told.
const EVENTS_MAX: u32 = 500;

impl Flow {
    /// The order's events in the order in which they happened.
    pub async fn timeline(&self, actor: &Actor, order_id: u64) -> Result<Vec<Event>, FlowError> {
        let order = self.store.order(order_id).await?.ok_or(Refusal::NotFound("order"))?;
        if actor.role != Role::Admin && !order.is_party(actor.user.id) {
            return Err(Refusal::NotFound("order").into());
        }
        let recorded = self.store.order_events(order_id, EVENTS_MAX).await?;
        if recorded.len() == EVENTS_MAX as usize {
            metrics::counter!("orderboard_timelines_cut_total").increment(1);
        }
        let mut events = told(&order, recorded);
        if actor.role != Role::Admin && order.customer.id != actor.user.id {
            events.retain(|event| concerns_executor(&order, event, actor.user.id));
        }
        Ok(events)
    }
}

/// The recorded events, and those that only the order's row knows.
fn told(order: &Order, recorded: Vec<Event>) -> Vec<Event> {
    let mut events = vec![Event::new(EventKind::Created, Some(order.customer.clone()), order.created_at)];
    for event in recorded {
        if let (EventKind::Abandoned, Some(taken_at)) = (event.event, moment(&event, "accepted_at")) {
            insert(&mut events, Event::new(EventKind::Taken, event.actor.clone(), taken_at));
        }
        events.push(event);
    }
    if let Some((by, at)) = order.taken() {
        insert(&mut events, Event::new(EventKind::Taken, Some(by), at));
    }
    // An order that ended before events were written.
    if let Some(at) = order.finished_at().filter(|_| !events.iter().any(|event| is_end(event.event))) {
        let (kind, by): (EventKind, Option<Party>) = match order.status {
            Status::Cancelled => (EventKind::Cancelled, Some(order.customer.clone())),
            _ => (EventKind::Confirmed, None),
        };
        events.push(Event::new(kind, by, at));
    }
    events
}

/// Before the first that happened later: the nodes' clocks need not agree to the microsecond with the order of versions.
fn insert(events: &mut Vec<Event>, event: Event) {
    let place = events.iter().position(|known| known.at > event.at).unwrap_or(events.len());
    events.insert(place, event);
}

fn is_end(event: EventKind) -> bool {
    matches!(event, EventKind::Confirmed | EventKind::Cancelled)
}

fn moment(event: &Event, fact: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(event.facts.get(fact).and_then(Value::as_str)?, &Rfc3339).ok()
}

/// An executor reads what the customer did, and what happened since the order is theirs; nothing of those who had it before.
fn concerns_executor(order: &Order, event: &Event, executor_id: u64) -> bool {
    let is_own = event.actor.as_ref().is_some_and(|actor| actor.id == executor_id);
    let is_since = order.accepted_at.is_some_and(|accepted_at| event.at >= accepted_at);
    let is_of_the_order = matches!(event.event, EventKind::Created | EventKind::Edited | EventKind::Frozen | EventKind::Unfrozen);
    is_own || is_since || is_of_the_order
}
