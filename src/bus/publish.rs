//! Sending news: batches of rows into one Lua call each. Never waits for a reader, and a failure leaves nothing
//! behind that could stop the next call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::interfaces::LuaInterface;
use fred::types::Value;
use fred::types::scripts::Script;
use tokio::sync::Semaphore;

use super::client::{Ask, COMMAND_TIMEOUT, Link, new_epoch};
use super::error::BusError;
use super::health::Health;
use super::keys::Keys;
use super::metric;
use crate::domain::news::{Item, Subject};

const PUBLISH_SCRIPT: &str = include_str!("publish.lua");
/// Rows of one message.
const ITEMS_MAX: usize = 256;
/// Bytes of one message; a single longer row travels alone.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const ROW_BYTES_MAX: usize = 256 * 1024;
/// Calls in flight: measured, 8 carry 61 k rows/s one by one, 128 only 38 k. Also keeps below what the client may queue.
const CALLS_MAX: usize = 32;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Publisher {
    pub(super) link: Link,
    pub(super) keys: Arc<Keys>,
    health: Arc<Health>,
    script: Script,
    places: Semaphore,
}

/// Rows that go into one message, as the script takes them.
#[derive(Default)]
struct Batch {
    rows: usize,
    arguments: Vec<Value>,
    bytes: usize,
}

impl Publisher {
    pub(super) fn new(link: Link, keys: Arc<Keys>, health: Arc<Health>) -> Self {
        let script = Script::from_lua(PUBLISH_SCRIPT);
        Self { link, keys, health, script, places: Semaphore::new(CALLS_MAX) }
    }

    pub(super) async fn publish(&self, items: &[Item]) -> Result<(), BusError> {
        let (batches, too_long) = self.batches(items);
        for batch in batches {
            self.send(batch).await?;
        }
        too_long.map_or(Ok(()), Err)
    }

    /// Packs the rows, the newest version of each only: within one call the script compares with what was
    /// carried before it.
    fn batches(&self, items: &[Item]) -> (Vec<Batch>, Option<BusError>) {
        let mut newest: HashMap<Subject, u64> = HashMap::with_capacity(items.len());
        for item in items {
            let version = newest.entry(item.subject()).or_default();
            *version = item.version.max(*version);
        }
        let (mut batches, mut too_long) = (Vec::new(), None);
        let mut batch = Batch::default();
        for item in items {
            if newest.get(&item.subject()) != Some(&item.version) {
                continue;
            }
            newest.remove(&item.subject());
            let bytes = item.row.get().len();
            if bytes > ROW_BYTES_MAX {
                too_long = Some(BusError::RowTooLong { kind: item.kind.as_str(), id: item.id, bytes });
                continue;
            }
            let full = batch.rows == ITEMS_MAX || batch.bytes + bytes > MESSAGE_BYTES_MAX;
            if full && batch.rows > 0 {
                batches.push(std::mem::take(&mut batch));
            }
            batch.rows += 1;
            batch.arguments.push(Value::from(Keys::carried_name(item)));
            batch.arguments.push(Value::from(item.version.to_string()));
            batch.arguments.push(Value::from(encode(item)));
            batch.arguments.push(Value::from(item.audience.map(|user_id| self.keys.private(user_id)).unwrap_or_default()));
            batch.bytes += bytes;
        }
        if batch.rows > 0 {
            batches.push(batch);
        }
        (batches, too_long)
    }

    async fn send(&self, batch: Batch) -> Result<(), BusError> {
        let started = Instant::now();
        let place = tokio::time::timeout(COMMAND_TIMEOUT, self.places.acquire()).await;
        let _place = place.map_err(|_| BusError::Busy)?.map_err(|_| BusError::Closed)?;
        let rows = batch.rows as u64;
        let result = self.call(batch).await;
        metrics::histogram!(metric::PUBLISH_SECONDS).record(started.elapsed());
        match result {
            Ok(sent) => {
                metrics::counter!(metric::PUBLISHED).increment(sent);
                metrics::counter!(metric::SUPPRESSED).increment(rows.saturating_sub(sent));
                Ok(())
            }
            Err(error) => {
                metrics::counter!(metric::PUBLISH_ERRORS).increment(1);
                self.health.fail("publishing", &error);
                Err(error)
            }
        }
    }

    /// Returns how many rows were sent.
    async fn call(&self, batch: Batch) -> Result<u64, BusError> {
        let [lately, before] = self.keys.carried.clone();
        let keys = vec![self.keys.meta.clone(), self.keys.history.clone(), lately, before];
        let mut arguments =
            vec![Value::from(self.keys.channel.as_str()), Value::from(new_epoch()?), Value::from_static_str(self.keys.verb())];
        arguments.extend(batch.arguments);

        let client = self.link.scripts()?;
        let attempt = client.evalsha(self.script.sha1().clone(), keys.clone(), arguments.clone()).await;
        let (_, _, sent): (String, u64, u64) = match attempt {
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                // Perhaps a new server process: its epoch must be settled before anything is counted there.
                self.link.position(&self.keys, Ask::Position).await?;
                client.eval(PUBLISH_SCRIPT, keys, arguments).await?
            }
            answer => answer?,
        };
        Ok(sent)
    }

    /// Lets the calls in flight end and refuses new ones.
    pub(super) async fn close(&self) {
        let all = self.places.acquire_many(CALLS_MAX as u32);
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, all).await;
        self.places.close();
        self.link.end();
    }
}

/// Cannot fail: the row is valid JSON already and the rest are numbers and names.
fn encode(item: &Item) -> String {
    let (kind, id, version) = (item.kind.as_str(), item.id, item.version);
    let at = item.committed_us.map(|us| format!(r#""at":{us},"#)).unwrap_or_default();
    format!(r#"{{"kind":"{kind}","id":{id},"version":{version},{at}"row":{}}}"#, item.row.get())
}
