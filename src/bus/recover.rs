//! Finding the way back into the sequence: subscribe, read the position, bridge from the history or give up and
//! say `Reload`. The live messages wait in the subscriber's buffer meanwhile.

use std::collections::HashMap;

use fred::interfaces::{PubsubInterface, StreamsInterface};
use fred::types::Value;

use super::client::Ask;
use super::feed::FeedEvent;
use super::reader::{Reader, Stop};
use super::{metric, wire};
use crate::domain::news::Position;

/// History entries read at a time.
const PAGE: u64 = 256;
/// How many epochs back a message is known to be stale without asking.
const EPOCHS_LEFT_MAX: usize = 4;

impl Reader {
    pub(super) async fn recover(&mut self) -> Result<(), Stop> {
        // Subscribing again is harmless and needs no memory of whether this connection did. fred does not wait
        // for the answer; the position, asked on the same connection, is answered after it.
        let channel = self.keys.channel.as_str();
        match self.keys.is_sharded {
            true => self.link.commands().ssubscribe(channel).await?,
            false => self.link.commands().subscribe(channel).await?,
        }
        let now = self.link.position(&self.keys, Ask::Position).await?;
        let Some(last) = self.last.clone() else {
            return self.reload(now).await;
        };
        if last.epoch != now.epoch {
            return self.reload(now).await;
        }
        if now.seq < last.seq {
            // The server counts what it has counted before: its data was replaced under the same epoch.
            let replaced = self.link.position(&self.keys, Ask::Replace(&now.epoch)).await?;
            return self.reload(replaced).await;
        }
        if !self.bridge(last.seq, now).await? {
            let now = self.link.position(&self.keys, Ask::Position).await?;
            return self.reload(now).await;
        }
        Ok(())
    }

    /// Delivers the messages after `seq` up to `to`. False when one of them is not there any more.
    async fn bridge(&mut self, mut seq: u64, to: Position) -> Result<bool, Stop> {
        while seq < to.seq {
            let (first, end) = (format!("{}-0", seq + 1), format!("{}-0", to.seq));
            let client = self.link.commands();
            let page: Vec<(String, HashMap<String, Value>)> =
                client.xrange_values(self.keys.history.as_str(), first, end, Some(PAGE)).await?;
            if page.is_empty() {
                return Ok(false);
            }
            for (_, fields) in &page {
                let payload = fields.get("payload").and_then(Value::as_bytes);
                let Some(message) = payload.and_then(wire::read) else {
                    return Ok(false);
                };
                if message.at.epoch != to.epoch || message.at.seq != seq + 1 {
                    return Ok(false);
                }
                seq = message.at.seq;
                metrics::counter!(metric::BRIDGED).increment(1);
                self.deliver(message).await?;
            }
        }
        Ok(true)
    }

    async fn reload(&mut self, now: Position) -> Result<(), Stop> {
        metrics::counter!(metric::RELOADS).increment(1);
        if let Some(before) = self.last.replace(now.clone()) {
            self.left.push_front(before.epoch);
            self.left.truncate(EPOCHS_LEFT_MAX);
            // Also when an old one is back, as after a restore.
            self.left.retain(|epoch| *epoch != now.epoch);
        }
        self.send(FeedEvent::Reload(now)).await
    }
}
