//! Payments that were asked for and that nobody made in time become outdated. Safe on every node at once: one conditional
//! UPDATE a round decides, and money that arrives later is credited all the same.

use std::time::Duration;

use super::{Stopping, next_round};
use crate::flow::Flow;

const PAUSE: Duration = Duration::from_secs(5);
const BATCH: u32 = 500;

pub async fn run(flow: Flow, mut stopping: Stopping) {
    loop {
        match flow.outdate_topups(BATCH).await {
            // A full batch: there may be more, go on at once.
            Ok(outdated) if outdated == u64::from(BATCH) && !*stopping.borrow() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(?error, "old payments could not be outdated"),
        }
        if !next_round(&mut stopping, PAUSE).await {
            return;
        }
    }
}
