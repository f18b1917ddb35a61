//! The billing queue's workers. Each reads what has gathered, up to a group, has `flow` carry it out in one transaction,
//! appends the answers, and only then acknowledges. Whatever breaks in between is repeated by somebody: the message stays
//! pending and is claimed, and a committed result that may not have been sent stays noted in MySQL and is sent again.
//!
//! Any number of workers in any number of processes; the operations' ids make repeats harmless.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Stopping, next_round};
use crate::bus::{BusError, Consumer, Message, Queue};
use crate::domain::billing::{self as rules, No, Request};
use crate::flow::{Answered, Flow, FlowError, Scope, now};
use crate::store::Store;

/// Between attempts while Redis or the database is away.
const AWAY_PAUSE: Duration = Duration::from_millis(200);
/// Results known to be sent are noted so in bulk, this often.
const NOTE_EVERY: Duration = Duration::from_millis(50);
const NOTE_MAX: usize = 1_000;
/// Results that may wait to be noted as sent; what does not fit is only sent twice.
const NOTES_WAITING_MAX: usize = 100_000;
const TIDY_EVERY: Duration = Duration::from_secs(2);
const RESEND_MAX: u32 = 500;

/// How a process works on the queue.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Tells this process's consumers from others'.
    pub node: String,
    pub workers: u16,
    /// Operations of one transaction.
    pub batch: u16,
    /// Messages that nobody finishes within this time are taken over.
    pub claim_after: Duration,
    /// Results not known to be sent within this time are sent again.
    pub resend_after: Duration,
}

/// What every worker needs.
#[derive(Clone)]
struct Desk {
    flow: Flow,
    store: Store,
    queue: Queue,
    settings: Settings,
    sent: mpsc::Sender<String>,
    stopping: Stopping,
}

/// Works until told to stop; returns when every worker has finished what it had in hand.
pub async fn run(flow: Flow, store: Store, queue: Queue, settings: Settings, stopping: Stopping) {
    let (sent, noted) = mpsc::channel(NOTES_WAITING_MAX);
    let workers = settings.workers;
    let desk = Desk { flow, store, queue, settings, sent, stopping };
    let mut tasks = JoinSet::new();
    // Without workers of its own a process still sends what others left unsent, and keeps the streams short.
    tasks.spawn(tidy(desk.clone()));
    tasks.spawn(resend(desk.clone()));
    tasks.spawn(note_sent(desk.store.clone(), noted));
    for number in 0..workers {
        tasks.spawn(work(desk.clone(), number));
    }
    if workers > 0 {
        tasks.spawn(take_over(desk.clone()));
    }
    // The notes end when the last worker has dropped its end.
    drop(desk);
    while tasks.join_next().await.is_some() {}
}

async fn work(mut desk: Desk, number: u16) {
    let name = format!("{}-{number}", desk.settings.node);
    let Some(consumer) = connect(&mut desk, name).await else { return };
    while !*desk.stopping.borrow() {
        match consumer.next(desk.settings.batch).await {
            Ok(messages) => desk.handle(messages).await,
            Err(error) => {
                metrics::counter!("orderboard_billing_redis_errors_total").increment(1);
                tracing::debug!(%error, "the billing queue cannot be read");
                drop(consumer.revive().await);
                next_round(&mut desk.stopping, AWAY_PAUSE).await;
            }
        }
    }
    tracing::debug!(worker = consumer.name(), "a billing worker has ended");
}

async fn connect(desk: &mut Desk, name: String) -> Option<Consumer> {
    loop {
        match desk.queue.consumer(name.clone()).await {
            Ok(consumer) => return Some(consumer),
            Err(error) => {
                tracing::warn!(%error, "a billing worker cannot connect to Redis");
                if !next_round(&mut desk.stopping, AWAY_PAUSE).await {
                    return None;
                }
            }
        }
    }
}

/// Takes over what others did not finish. The cursor moves on from call to call: starting again at the beginning each time
/// would never reach the tail of a long list.
async fn take_over(mut desk: Desk) {
    let name = format!("{}-claims", desk.settings.node);
    let mut cursor = "0-0".to_owned();
    loop {
        match desk.queue.claim(&name, desk.settings.claim_after, &cursor, desk.settings.batch).await {
            Ok(claimed) => {
                metrics::counter!("orderboard_billing_claimed_total").increment(claimed.messages.len() as u64);
                cursor = claimed.cursor;
                desk.handle(claimed.messages).await;
            }
            Err(error) => {
                tracing::debug!(%error, "abandoned billing requests cannot be looked for");
                cursor = "0-0".to_owned();
            }
        }
        let is_round_over = cursor == "0-0";
        let pause = if is_round_over { (desk.settings.claim_after / 4).min(TIDY_EVERY) } else { Duration::ZERO };
        if *desk.stopping.borrow() || !next_round(&mut desk.stopping, pause).await {
            return;
        }
    }
}

impl Desk {
    /// Carries out, answers, acknowledges: in this order.
    async fn handle(&mut self, messages: Vec<Message>) {
        if messages.is_empty() {
            return;
        }
        metrics::histogram!("orderboard_billing_group_size").record(u32::try_from(messages.len()).unwrap_or(u32::MAX));
        let (mut requests, mut from) = (Vec::with_capacity(messages.len()), Vec::with_capacity(messages.len()));
        for message in &messages {
            match read(message) {
                Ok(request) => {
                    requests.push(request);
                    from.push(message);
                }
                Err((operation_id, no)) => self.refuse(message, &operation_id, &no).await,
            }
        }
        let Some(answers) = self.carry_out(&requests, &from).await else { return };
        self.answer(answers, from.into_iter().map(|message| message.id.clone()).collect()).await;
    }

    /// The answers to the requests that have one; `None` when told to stop before the database was back.
    async fn carry_out(&mut self, requests: &[Request], from: &[&Message]) -> Option<Vec<Answered>> {
        match self.insist(requests).await? {
            Ok(answers) => Some(answers),
            // One of them met a fault of ours: each for itself, so that it takes no other with it.
            Err(error) => {
                tracing::error!(?error, group = requests.len(), "a group of billing operations failed");
                let mut answers = Vec::with_capacity(requests.len());
                for (request, message) in requests.iter().zip(from) {
                    match self.insist(std::slice::from_ref(request)).await? {
                        Ok(answer) => answers.extend(answer),
                        Err(error) => {
                            tracing::error!(?error, operation_id = request.operation_id, "a billing operation failed and is set aside");
                            self.set_aside(message, &format!("{error:?}")).await;
                            let text = rules::refused(&request.operation_id.clone().into(), &No::internal());
                            answers.push(Answered { stored_as: None, text });
                        }
                    }
                }
                Some(answers)
            }
        }
    }

    /// Tries until the database answers; `None` when told to stop first. The messages stay pending then.
    async fn insist(&mut self, requests: &[Request]) -> Option<Result<Vec<Answered>, FlowError>> {
        loop {
            match self.flow.carry_out(Scope::Services, requests, true).await {
                Err(FlowError::Store(error)) if error.is_disconnect() || error.is_conflict() => {
                    metrics::counter!("orderboard_billing_database_errors_total").increment(1);
                    tracing::warn!(%error, "billing waits for the database");
                    if !next_round(&mut self.stopping, AWAY_PAUSE).await {
                        return None;
                    }
                }
                result => return Some(result),
            }
        }
    }

    async fn answer(&self, answers: Vec<Answered>, ids: Vec<String>) {
        let texts = answers.iter().map(|answer| answer.text.clone()).collect();
        // Unanswered or unacknowledged: it is pending, and comes again.
        if let Err(error) = self.queue.answer(texts).await {
            return redis_failed(&error, "billing answers could not be sent");
        }
        if let Err(error) = self.queue.acknowledge(ids).await {
            redis_failed(&error, "billing requests could not be acknowledged");
        }
        for stored_as in answers.into_iter().filter_map(|answer| answer.stored_as) {
            if self.sent.try_send(stored_as).is_err() {
                metrics::counter!("orderboard_billing_notes_dropped_total").increment(1);
            }
        }
    }

    /// Answers what is no operation, and keeps it for a person to look at.
    async fn refuse(&self, message: &Message, operation_id: &Value, no: &No) {
        self.set_aside(message, &no.detail).await;
        let text = rules::refused(operation_id, no);
        self.answer(vec![Answered { stored_as: None, text }], vec![message.id.clone()]).await;
    }

    async fn set_aside(&self, message: &Message, reason: &str) {
        if let Err(error) = self.queue.set_aside(message, reason).await {
            redis_failed(&error, "a billing request could not be set aside");
        }
    }
}

fn redis_failed(error: &BusError, what: &str) {
    metrics::counter!("orderboard_billing_redis_errors_total").increment(1);
    tracing::warn!(%error, "{what}");
}

fn read(message: &Message) -> Result<Request, (Value, No)> {
    let Some(op) = &message.op else {
        return Err((Value::Null, No::new("malformed", format!("message {} has no field `op` with text", message.id))));
    };
    rules::read(op).map_err(|unreadable| {
        let no = No { detail: format!("message {}: {}", message.id, unreadable.no.detail), ..unreadable.no };
        (unreadable.operation_id, no)
    })
}

/// Notes in bulk that results were sent. What is left when the process dies is sent a second time.
async fn note_sent(store: Store, mut noted: mpsc::Receiver<String>) {
    let mut ids = Vec::new();
    while noted.recv_many(&mut ids, NOTE_MAX).await > 0 {
        // Others that take the same rows take them in the same order.
        ids.sort_unstable();
        ids.dedup();
        if let Err(error) = store.sent(&ids).await {
            tracing::warn!(%error, "results could not be noted as sent; they will be sent again");
        }
        let was_full = ids.len() >= NOTE_MAX;
        ids.clear();
        if !was_full {
            tokio::time::sleep(NOTE_EVERY).await;
        }
    }
}

/// Sends results that nobody is known to have sent: their worker died between the commit and the answer, or Redis did.
async fn resend(mut desk: Desk) {
    loop {
        let unsent = desk.store.unsent(now() - desk.settings.resend_after, RESEND_MAX).await;
        match unsent {
            Ok(unsent) if unsent.is_empty() => {}
            Ok(unsent) => {
                let (ids, texts): (Vec<String>, Vec<String>) = unsent.into_iter().unzip();
                let count = ids.len() as u64;
                match desk.queue.answer(texts).await {
                    Ok(()) => {
                        metrics::counter!("orderboard_billing_resent_total").increment(count);
                        if let Err(error) = desk.store.sent(&ids).await {
                            tracing::warn!(%error, "results were sent again and could not be noted as sent");
                        }
                        if count == u64::from(RESEND_MAX) && !*desk.stopping.borrow() {
                            continue;
                        }
                    }
                    Err(error) => redis_failed(&error, "unsent results could not be sent again"),
                }
            }
            Err(error) => tracing::warn!(%error, "unsent results could not be looked for"),
        }
        if !next_round(&mut desk.stopping, desk.settings.resend_after / 4).await {
            return;
        }
    }
}

/// Keeps the streams short and measures what waits.
async fn tidy(mut desk: Desk) {
    loop {
        if let Err(error) = desk.queue.revive().await {
            tracing::debug!(%error, "Redis is away from the billing queue");
        }
        if let Err(error) = desk.queue.trim().await {
            tracing::debug!(%error, "the billing streams could not be trimmed");
        }
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        if let Ok(backlog) = desk.queue.backlog(u64::try_from(now_ms).unwrap_or(u64::MAX)).await {
            metrics::gauge!("orderboard_billing_pending").set(count(backlog.pending));
            if let Some(undelivered) = backlog.undelivered {
                metrics::gauge!("orderboard_billing_lag").set(count(undelivered));
            }
            metrics::gauge!("orderboard_billing_oldest_seconds").set(backlog.oldest.as_secs_f64());
        }
        if !next_round(&mut desk.stopping, TIDY_EVERY).await {
            return;
        }
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
