//! Audits that admins ask for while the node serves: in tasks of their own, at most one at a time on a node. Whoever asks
//! while one is under way gets that one's result.

use schemars::JsonSchema;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Flow, FlowError, Repaired, now};
use crate::domain::order::unix_ms;
use crate::domain::refusal::Refusal;
use crate::domain::schema::Moment;
use crate::domain::user::{Actor, Role};
use crate::store::StoreError;

/// The longest that somebody is kept waiting for an audit; it goes on, and can be asked for by its number.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// An audit's result, with what was mended where it was a repair.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Audited {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub started_at: OffsetDateTime,
    pub took_ms: u64,
    /// Classes that do not hold.
    pub broken: usize,
    #[serde(flatten)]
    pub repaired: Repaired,
}

/// How far an audit has come. Its number is told, so that one that takes long can be asked for again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
#[schemars(rename = "AuditProgress")]
pub enum Progress {
    Running {
        number: i64,
    },
    Done {
        number: i64,
        #[serde(flatten)]
        audited: Arc<Audited>,
    },
}

#[derive(Clone)]
enum Outcome {
    Audited(Arc<Audited>),
    Unavailable(StoreError),
    Failed(String),
}

/// The latest audit of one kind, under way or over.
struct Flight {
    number: i64,
    outcome: watch::Receiver<Option<Outcome>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audit,
    Repair,
}

#[derive(Clone, Default)]
pub(super) struct AuditDesk(Arc<Seats>);

#[derive(Default)]
struct Seats {
    /// Held by the audit or repair that runs.
    turn: tokio::sync::Mutex<()>,
    audit: Mutex<Option<Flight>>,
    repair: Mutex<Option<Flight>>,
}

impl Flow {
    /// Starts an audit, or joins the one under way. With the `number` of the latest one, that one's result, without starting
    /// another.
    pub async fn audit_for(&self, actor: &Actor, number: Option<i64>) -> Result<Progress, FlowError> {
        self.fly(actor, Kind::Audit, number).await
    }

    /// The same for a repair.
    pub async fn repair_for(&self, actor: &Actor, number: Option<i64>) -> Result<Progress, FlowError> {
        self.fly(actor, Kind::Repair, number).await
    }

    async fn fly(&self, actor: &Actor, kind: Kind, number: Option<i64>) -> Result<Progress, FlowError> {
        if actor.role != Role::Admin {
            return Err(Refusal::Forbidden("only admins audit; sign in as an admin").into());
        }
        let (number, mut outcome) = self.join(actor, kind, number);
        // Only the waiting ends; the audit is in a task of its own.
        let told = tokio::time::timeout(WAIT_MAX, outcome.wait_for(Option::is_some)).await;
        match told {
            Err(_) => Ok(Progress::Running { number }),
            Ok(Err(_)) => Err(FlowError::Internal("an audit ended without a result".into())),
            Ok(Ok(outcome)) => match outcome.clone() {
                Some(Outcome::Audited(audited)) => Ok(Progress::Done { number, audited }),
                Some(Outcome::Unavailable(error)) => Err(FlowError::Store(error)),
                Some(Outcome::Failed(detail)) => Err(FlowError::Internal(detail)),
                None => Ok(Progress::Running { number }),
            },
        }
    }

    fn join(&self, actor: &Actor, kind: Kind, wanted: Option<i64>) -> (i64, watch::Receiver<Option<Outcome>>) {
        let seats = &self.audits.0;
        let seat = if kind == Kind::Audit { &seats.audit } else { &seats.repair };
        let mut latest = seat.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = latest.as_ref() {
            let is_running = flight.outcome.borrow().is_none() && flight.outcome.has_changed().is_ok();
            if is_running || wanted == Some(flight.number) {
                return (flight.number, flight.outcome.clone());
            }
        }
        // By the clock, so that a number from before a restart names nothing else.
        let number = latest.as_ref().map_or(0, |flight| flight.number + 1).max(unix_ms(now()));
        let (tell, outcome) = watch::channel(None);
        *latest = Some(Flight { number, outcome: outcome.clone() });
        let (flow, user_id) = (self.clone(), actor.user.id);
        tokio::spawn(async move {
            let _turn = flow.audits.0.turn.lock().await;
            tracing::info!(user_id, repairs = kind == Kind::Repair, "an admin audits");
            tell.send_replace(Some(flow.flown(kind).await));
        });
        (number, outcome)
    }

    async fn flown(&self, kind: Kind) -> Outcome {
        let (started_at, started) = (now(), Instant::now());
        let repaired = match kind {
            Kind::Audit => self.audit().await.map(|findings| Repaired { findings, ..Repaired::default() }),
            Kind::Repair => self.repair().await,
        };
        match repaired {
            Ok(repaired) => {
                let broken = repaired.findings.iter().filter(|finding| !finding.violations.is_empty()).count();
                let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                Outcome::Audited(Arc::new(Audited { started_at, took_ms, broken, repaired }))
            }
            Err(FlowError::Store(error)) => Outcome::Unavailable(error),
            Err(FlowError::Internal(detail)) => Outcome::Failed(detail),
            Err(FlowError::Refused(refusal)) => Outcome::Failed(format!("refused: {refusal:?}")),
        }
    }
}
