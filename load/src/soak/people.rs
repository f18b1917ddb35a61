//! Who takes part in the market, what they were told, and how long it took.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::check::{Check, Problems};
use crate::http::Client;
use crate::races::locked;
use crate::report::{Latency, Report};
use crate::server::{Server, Token};

pub(super) struct Person {
    pub(super) user_id: u64,
    /// One call at a time, as a person has one connection.
    pub(super) client: tokio::sync::Mutex<Client>,
}

impl Person {
    pub(super) fn of(server: &Server, token: &Token) -> Self {
        Self { user_id: token.user_id, client: tokio::sync::Mutex::new(server.client(Some(token))) }
    }
}

/// How an order's race stands.
enum Race {
    /// Its life waits for a winner.
    Waiting(oneshot::Sender<usize>),
    /// This executor won.
    Won(usize),
}

#[derive(Default)]
pub(super) struct Races(Mutex<HashMap<u64, Race>>);

impl Races {
    /// Who wins it, from now on or already.
    pub(super) fn winner(&self, order: u64) -> oneshot::Receiver<usize> {
        let (tell, told) = oneshot::channel();
        let mut races = locked(&self.0);
        match races.get(&order) {
            Some(&Race::Won(executor)) => _ = tell.send(executor),
            _ => _ = races.insert(order, Race::Waiting(tell)),
        }
        told
    }

    /// The other winner, if there was one already.
    pub(super) fn won(&self, order: u64, executor: usize) -> Option<usize> {
        match locked(&self.0).insert(order, Race::Won(executor)) {
            // Nobody listens any more when the run has ended.
            Some(Race::Waiting(tell)) => _ = tell.send(executor),
            Some(Race::Won(other)) if other != executor => return Some(other),
            _ => {}
        }
        None
    }

    /// Given up: whoever takes it now is its first winner again.
    pub(super) fn begin_anew(&self, order: u64) {
        locked(&self.0).remove(&order);
    }
}

/// Calls, outcomes, and what should not have been.
#[derive(Default)]
pub(super) struct Ledger {
    latencies: Mutex<BTreeMap<&'static str, Latency>>,
    pub(super) outcomes: Mutex<BTreeMap<String, u64>>,
    pub(super) problems: Mutex<Problems>,
    pub(super) second_winners: Mutex<Problems>,
}

impl Ledger {
    pub(super) fn took(&self, what: &'static str, took: Duration) {
        locked(&self.latencies).entry(what).or_insert_with(Latency::new).record(took);
    }

    pub(super) fn count(&self, what: impl Into<String>) {
        *locked(&self.outcomes).entry(what.into()).or_default() += 1;
    }

    pub(super) fn counted(&self, what: &str) -> u64 {
        locked(&self.outcomes).get(what).copied().unwrap_or(0)
    }

    pub(super) fn problem(&self, words: impl FnOnce() -> String) {
        locked(&self.problems).add(words);
    }

    /// One call. The status, and the body when it is 2xx; a refusal's status when it is one of `refusals`; else a problem.
    pub(super) async fn call(
        &self,
        person: &Person,
        what: &'static str,
        (path, body): (&str, Option<&str>),
        refusals: &[u16],
    ) -> Result<Vec<u8>, Option<u16>> {
        let begun = Instant::now();
        let mut client = person.client.lock().await;
        match client.post(path, body).await {
            Ok(answer) => {
                self.took(what, begun.elapsed());
                if (200..300).contains(&answer.status) {
                    self.count(what);
                    return Ok(answer.body.to_vec());
                }
                if refusals.contains(&answer.status) {
                    self.count(format!("{what}: refused"));
                } else {
                    let words = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]).into_owned();
                    self.problem(|| format!("{path}: {} with {words}", answer.status));
                }
                Err(Some(answer.status))
            }
            Err(error) => {
                self.problem(|| format!("{path}: {error}"));
                Err(None)
            }
        }
    }

    pub(super) fn tell(&self, report: &mut Report) {
        let outcomes: Vec<String> = locked(&self.outcomes).iter().map(|(name, count)| format!("{name} {count}")).collect();
        report.figure("what happened", outcomes.join(", "));
        let mut answered = Check::new("each call got an answer that fits this market");
        answered.seen = locked(&self.outcomes).values().sum();
        answered.problems = locked(&self.problems).clone();
        let mut one_winner = Check::new("no order was won by two executors");
        one_winner.seen = self.counted("accept");
        one_winner.problems = locked(&self.second_winners).clone();
        report.verdict.add([answered, one_winner]);
        for (name, latency) in std::mem::take(&mut *locked(&self.latencies)) {
            report.latency(name, latency);
        }
    }
}
