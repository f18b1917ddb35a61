//! An executor takes an order. One conditional UPDATE decides; nothing else is written, no money moves.
//!
//! A herd on one order must not be a herd on the database. While this node has an UPDATE for an order in flight, later
//! takers of that order wait for its result; and an order known to be taken is refused from memory. What is remembered
//! is dropped as soon as news says that the order is open again, and after [`KNOWN_FOR`] in any case.
//!
//! Who says which version they have seen gets the order only as they saw it: where its customer has edited it since, they are told
//! what is different; a version that it has never had is nobody's to have seen. The same UPDATE decides both; what else has moved the version (an applicant, a freezing) is nothing to them.

use schemars::JsonSchema;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{Flow, FlowError, Recent, now};
use crate::domain::edit::{has_had, merged};
use crate::domain::event::Facts;
use crate::domain::news::Subject;
use crate::domain::order::{Assignment, FullOrder, Order, Status};
use crate::domain::refusal::Refusal;
use crate::domain::schema::Moment;
use crate::domain::user::{Actor, Party, Role};
use crate::store::StoreError;
use crate::store::take_lane::{LaneError, Taking};

/// How long a taken order is refused from memory. The database is asked again afterwards.
const KNOWN_FOR: Duration = Duration::from_secs(2);
const KNOWN_MAX: usize = 100_000;
/// UPDATEs for one taker while the order flickers between frozen and open, or is edited to and fro.
const ATTEMPTS_MAX: u32 = 8;

/// The winner's answer.
#[derive(Clone, Debug, serde::Serialize, JsonSchema)]
pub struct Accepted {
    pub id: u64,
    pub status: Status,
    pub executor_id: u64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub accepted_at: OffsetDateTime,
}

/// What the waiting takers of one order are told when the one in flight has its answer.
#[derive(Clone, Debug)]
enum Verdict {
    Taken(Taken),
    Refused(Refusal),
    /// The order may still be had: only the one who asked could not have it.
    NotForThem(Refusal),
    /// Nor could whoever else has seen no more than this version of it.
    Changed(Changed),
    Failed(StoreError),
}

/// What edits have made of an open order since a version of it.
#[derive(Clone, Debug)]
struct Changed {
    seen: u64,
    changes: Facts,
    order: Box<FullOrder>,
}

impl Changed {
    fn refusal(self) -> Refusal {
        Refusal::Changed { changes: self.changes, order: self.order }
    }

    /// Whether it is what this taker is to be told, too.
    fn holds_for(&self, actor: &Actor, seen: Option<u64>) -> bool {
        seen == Some(self.seen) && self.order.order.customer.id != actor.user.id
    }
}

/// Whose the order is, since when, and how far they have come with it.
#[derive(Clone, Debug)]
struct Taken {
    by: Party,
    at: OffsetDateTime,
    status: Status,
}

impl Taken {
    /// Nothing of an order that failed: it was somebody's, and is nobody's any more.
    fn of(order: &Order) -> Option<Self> {
        let is_theirs = matches!(order.status, Status::InWork | Status::Submitted | Status::Done);
        let (by, at) = order.taken().filter(|_| is_theirs)?;
        Some(Self { by, at, status: order.status })
    }
}

#[derive(Clone, Debug)]
struct Known {
    version: u64,
    taken: Option<Taken>,
    since: Instant,
}

/// This node's memory of takings: in flight, and just decided.
#[derive(Clone)]
pub(super) struct Takes {
    /// The orders that are being decided, each with those who wait for it.
    flights: Arc<DashMap<u64, Vec<oneshot::Sender<Verdict>>>>,
    known: Arc<Recent<u64, Known>>,
}

impl Default for Takes {
    fn default() -> Self {
        Self { flights: Arc::default(), known: Arc::new(Recent::new(KNOWN_FOR, KNOWN_MAX)) }
    }
}

impl Takes {
    fn taken(&self, order_id: u64) -> Option<Taken> {
        self.known.get(&order_id).filter(|known| known.since.elapsed() < KNOWN_FOR)?.taken
    }

    /// Remembers a state of the order unless a newer one is remembered.
    fn remember(&self, order_id: u64, version: u64, taken: Option<Taken>) {
        self.known.update(order_id, |known| {
            let is_older = known.is_some_and(|known| known.version > version);
            (!is_older).then(|| Known { version, taken, since: Instant::now() })
        });
    }

    /// Remembers a win of this node. The UPDATE does not tell its version; it is above the one that is remembered, so that news
    /// of whoever had the order before is not believed, and any news of this taking is.
    fn remember_win(&self, order_id: u64, taken: Taken) {
        self.known.update(order_id, |known| {
            let version = known.map_or(0, |known| known.version + 1);
            Some(Known { version, taken: Some(taken), since: Instant::now() })
        });
    }
}

/// Takes the flight off the list when its leader is done, even by a panic; followers who were not told then see their channel
/// closed.
struct Landing<'a> {
    takes: &'a Takes,
    order_id: u64,
    is_over: bool,
}

impl Landing<'_> {
    fn tell(mut self, verdict: &Verdict) {
        self.is_over = true;
        let (_, waiting) = self.takes.flights.remove(&self.order_id).unwrap_or_default();
        waiting.into_iter().for_each(|follower| drop(follower.send(verdict.clone())));
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        // Once it is off the list, the next flight for the order may be on it.
        if !self.is_over {
            self.takes.flights.remove(&self.order_id);
        }
    }
}

impl Flow {
    /// Takes the order for `actor`, or names who or what stands against it; an edit after the version `seen` does. Asked again by
    /// the winner: the same answer.
    ///
    /// At debug level its span lasts until the news of the taking is out, and says how that went.
    pub async fn accept_order(&self, actor: &Actor, order_id: u64, seen: Option<u64>) -> Result<Accepted, FlowError> {
        let span = tracing::debug_span!("accept", order = order_id, executor = actor.user.id, news = tracing::field::Empty);
        self.accept(actor, order_id, seen).instrument(span).await
    }

    async fn accept(&self, actor: &Actor, order_id: u64, seen: Option<u64>) -> Result<Accepted, FlowError> {
        if actor.role != Role::Executor {
            return Err(Refusal::Forbidden("only executors take orders; sign in as an executor").into());
        }
        loop {
            if let Some(taken) = self.takes.taken(order_id) {
                return answer(actor, order_id, taken);
            }
            let verdict = match self.takes.flights.entry(order_id) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Vec::new());
                    let landing = Landing { takes: &self.takes, order_id, is_over: false };
                    let verdict = self.take(actor, order_id, seen).await?;
                    landing.tell(&verdict);
                    match verdict {
                        Verdict::NotForThem(refusal) => return Err(refusal.into()),
                        Verdict::Changed(changed) => return Err(changed.refusal().into()),
                        verdict => verdict,
                    }
                }
                Entry::Occupied(mut flying) => {
                    let (told, flight) = oneshot::channel();
                    flying.get_mut().push(told);
                    drop(flying);
                    metrics::counter!("orderboard_accept_waited_total").increment(1);
                    match flight.await {
                        Ok(verdict) => verdict,
                        Err(_) => continue,
                    }
                }
            };
            return match verdict {
                Verdict::Taken(taken) => answer(actor, order_id, taken),
                Verdict::Refused(refusal) => Err(refusal.into()),
                Verdict::Failed(error) => Err(error.into()),
                Verdict::Changed(changed) if changed.holds_for(actor, seen) => Err(changed.refusal().into()),
                Verdict::NotForThem(_) | Verdict::Changed(_) => continue,
            };
        }
    }

    /// News of an order: what is remembered about its taking follows.
    pub fn remember_order(&self, order: &Order) {
        self.takes.remember(order.id, order.version, Taken::of(order));
    }

    /// One UPDATE, alone or with those of other orders that wait; when it changed nothing, one read to say why. When the read
    /// finds what the UPDATE did not (the customer unfroze the order in between), the answer is another UPDATE.
    async fn take(&self, actor: &Actor, order_id: u64, mut seen: Option<u64>) -> Result<Verdict, FlowError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let found = match self.lane.take(order_id, actor.user.id, seen, now()).await {
                Ok(Taking::Won(at)) => {
                    let taken = Taken { by: actor.user.clone(), at, status: Status::InWork };
                    self.takes.remember_win(order_id, taken.clone());
                    self.outbox.announce(Subject::order(order_id));
                    return Ok(Verdict::Taken(taken));
                }
                // Boxed, like what follows: whoever wins should not carry the room for it along.
                Ok(Taking::Lost(Some(row))) => Box::pin(self.store.order_of(*row)).await,
                Ok(Taking::Lost(None)) => return Ok(Verdict::Refused(Refusal::NotFound("order"))),
                Err(LaneError::Store(error)) => Err(error),
                Err(full) => return Err(full.into()),
            };
            let order = match found {
                Ok(order) if attempts < ATTEMPTS_MAX && may_be_had(&order, actor) => order,
                Ok(order) => return Ok(self.refusal(actor, &order)),
                Err(error) => return Ok(Verdict::Failed(error)),
            };
            if let Err(invalid) = seen.map_or(Ok(()), |version| has_had(&order, version)) {
                return Ok(Verdict::NotForThem(Refusal::Invalid(invalid)));
            }
            if let Some(version) = seen.filter(|version| *version < order.edited_version) {
                match Box::pin(self.changed(order_id, version)).await {
                    // Whatever is said of an order that is not open any more, another try says it.
                    Ok(Some(changed)) if !may_be_had(&changed.order.order, actor) => {}
                    // Edited to and fro: it is as they saw it.
                    Ok(Some(changed)) if changed.changes.is_empty() => seen = Some(changed.order.order.edited_version),
                    Ok(Some(changed)) => return Ok(Verdict::Changed(changed)),
                    Ok(None) => return Ok(Verdict::Refused(Refusal::NotFound("order"))),
                    Err(error) => return Ok(Verdict::Failed(error)),
                }
            }
        }
    }

    async fn changed(&self, order_id: u64, seen: u64) -> Result<Option<Changed>, StoreError> {
        let Some(order) = self.store.full_order(order_id).await? else { return Ok(None) };
        let changes = merged(self.store.edits_since(order_id, seen).await?);
        Ok(Some(Changed { seen, changes, order: Box::new(order) }))
    }

    fn refusal(&self, actor: &Actor, order: &Order) -> Verdict {
        match (order.status, Taken::of(order)) {
            (Status::Frozen, _) => Verdict::Refused(Refusal::Frozen),
            (Status::Cancelled, _) => Verdict::Refused(Refusal::Cancelled),
            (Status::Open, _) if order.customer.id == actor.user.id => Verdict::NotForThem(Refusal::OwnOrder),
            (_, Some(taken)) => {
                self.takes.remember(order.id, order.version, Some(taken.clone()));
                Verdict::Taken(taken)
            }
            // An order that is not for the first taker, or one that kept slipping away.
            (status, _) => Verdict::Refused(Refusal::Stale { status, version: order.version }),
        }
    }
}

fn may_be_had(order: &Order, actor: &Actor) -> bool {
    order.status == Status::Open && order.assignment == Assignment::First && order.customer.id != actor.user.id
}

fn answer(actor: &Actor, order_id: u64, taken: Taken) -> Result<Accepted, FlowError> {
    let Taken { by, at, status } = taken;
    if by.id == actor.user.id {
        return Ok(Accepted { id: order_id, status, executor_id: by.id, accepted_at: at });
    }
    Err(Refusal::Taken { by, at }.into())
}
