//! Customers whose balances move, each before a socket of their own: news that goes to one user alone has no sequence, so
//! what is lost of it only the sweep can find.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use sqlx::mysql::MySqlPool;
use tokio_util::sync::CancellationToken;

use super::incidents::Incidents;
use super::watcher::Shown;
use crate::check::{Check, Problems};
use crate::error::Error;
use crate::http::Client;
use crate::money::Dice;
use crate::races::locked;
use crate::report::Latency;

pub(super) const PURSES: u64 = 8;
const CREDIT_EVERY: Duration = Duration::from_millis(50);
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// One customer's wallet.
pub(super) struct Purse {
    pub(super) user_id: u64,
    shown: Shown,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the owner's socket showed last.
    version: u64,
    available: i64,
    /// Versions that are committed and were not shown yet, and since when.
    due: VecDeque<(u64, Instant)>,
}

pub(super) struct Purses {
    pub(super) all: Vec<Arc<Purse>>,
    incidents: Arc<Incidents>,
    begun: Instant,
    pub(super) credits: AtomicU64,
    pub(super) lasted: Mutex<Latency>,
    late: Mutex<Problems>,
}

#[derive(Deserialize)]
struct Balance<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(default)]
    account: &'a str,
    #[serde(default)]
    available: i64,
    #[serde(default)]
    version: u64,
}

impl Purses {
    pub(super) fn new(owners: impl Iterator<Item = (u64, Shown)>, incidents: Arc<Incidents>) -> Self {
        let all = owners.map(|(user_id, shown)| Arc::new(Purse { user_id, shown, state: Mutex::default() })).collect();
        let (lasted, late) = (Mutex::new(Latency::new()), Mutex::default());
        Self { all, incidents, begun: Instant::now(), credits: AtomicU64::new(0), lasted, late }
    }

    /// A frame for the owner alone.
    pub(super) fn read(&self, purse: &Purse, frame: &[u8], now: Instant) {
        let Ok(balance) = serde_json::from_slice::<Balance<'_>>(frame) else { return };
        if balance.kind != "balance" || balance.account != "wallet" {
            return;
        }
        let mut state = locked(&purse.state);
        if balance.version < state.version {
            return;
        }
        (state.version, state.available) = (balance.version, balance.available);
        while let Some((_, since)) = state.due.pop_front_if(|due| due.0 <= balance.version) {
            self.was_shown(purse, since, now);
        }
    }

    fn was_shown(&self, purse: &Purse, since: Instant, now: Instant) {
        let (node, follows) = {
            let state = locked(&purse.shown);
            (state.node, state.follows)
        };
        // Who has no connection is not behind.
        let since = since.max(follows.unwrap_or(now)).min(now);
        let lasted = now.duration_since(since);
        locked(&self.lasted).record(lasted);
        if lasted > SEEN_WITHIN {
            let (user, at) = (purse.user_id, since.duration_since(self.begun).as_secs_f64());
            let cause = self.incidents.explain(node, since, now);
            locked(&self.late).add(|| format!("user {user} on node {node}: {lasted:.2?} from second {at:.2} on ({cause:?})"));
        }
    }

    /// Credits one after the other, each until it is answered.
    pub(super) async fn pay(
        self: Arc<Self>,
        nodes: Vec<Arc<str>>,
        token: String,
        mut dice: Dice,
        over: CancellationToken,
    ) -> Result<(), Error> {
        let token: Arc<str> = token.into();
        let mut clients: Vec<Client> = nodes.into_iter().map(|node| Client::new(node, Some(token.clone()), ANSWERED_WITHIN)).collect();
        while !over.is_cancelled() {
            tokio::time::sleep(CREDIT_EVERY).await;
            let Some(purse) = dice.pick(&self.all).cloned() else { return Ok(()) };
            let number = self.credits.fetch_add(1, Ordering::Relaxed);
            let body = format!(r#"{{"operation_id":"feed-{number}","type":"credit","user_id":{},"amount":1}}"#, purse.user_id);
            let mut tries = 0;
            loop {
                let node = dice.below(clients.len() as u64) as usize;
                match clients[node].post("/api/billing/operations?wait=5", Some(&body)).await {
                    Ok(answer) if answer.status == 200 => {
                        let version = version(answer.body)?;
                        self.is_due(&purse, version);
                        break;
                    }
                    Ok(answer) if tries > 100 => {
                        let words = String::from_utf8_lossy(answer.body);
                        return Err(Error::Server(format!("a credit is answered with {}: {words}", answer.status)));
                    }
                    // A node that is away; the other one, or the same again.
                    Ok(_) | Err(_) => tokio::time::sleep(CREDIT_EVERY).await,
                }
                tries += 1;
            }
        }
        Ok(())
    }

    fn is_due(&self, purse: &Purse, version: u64) {
        let now = Instant::now();
        let mut state = locked(&purse.state);
        if state.version < version {
            state.due.push_back((version, now));
            return;
        }
        drop(state);
        self.was_shown(purse, now, now);
    }

    /// When all is quiet.
    pub(super) async fn checks(&self, database: &MySqlPool) -> Result<[Check; 2], Error> {
        let mut shown = Check::new("each change of a balance was shown to its owner within 2 s");
        (shown.seen, shown.problems) = (locked(&self.lasted).count(), locked(&self.late).clone());
        let mut equal = Check::new("each owner was shown the balance that MySQL has in the end");
        for purse in &self.all {
            let stored: Option<i64> = sqlx::query_scalar("select available from accounts where user_id = ? and kind = 'wallet'")
                .bind(purse.user_id)
                .fetch_optional(database)
                .await?;
            let state = locked(&purse.state);
            equal.seen += 1;
            if stored.unwrap_or(0) != state.available {
                equal.problems.add(|| format!("user {}: {} instead of {stored:?}", purse.user_id, state.available));
            }
            if let Some((version, since)) = state.due.front() {
                shown.problems.add(|| format!("user {}: version {version} for {:.1?}, not shown at all", purse.user_id, since.elapsed()));
            }
        }
        Ok([shown, equal])
    }
}

fn version(answer: &[u8]) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Answer {
        result: Accounts,
    }
    #[derive(Deserialize)]
    struct Accounts {
        accounts: Vec<Account>,
    }
    #[derive(Deserialize)]
    struct Account {
        version: u64,
    }
    let answer: Answer = serde_json::from_slice(answer)?;
    answer.result.accounts.first().map(|account| account.version).ok_or_else(|| Error::Server("a credit without an account".into()))
}
