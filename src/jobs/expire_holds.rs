//! Holds whose time is over are released.

use std::time::Duration;

use super::{Stopping, next_round};
use crate::flow::Flow;

const PAUSE: Duration = Duration::from_secs(1);
const BATCH: u32 = 100;

pub async fn run(flow: Flow, mut stopping: Stopping) {
    loop {
        match flow.expire_holds(BATCH).await {
            // A full batch: there may be more, go on at once.
            Ok(expired) if expired == BATCH as usize && !*stopping.borrow() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(?error, "expired holds could not be released"),
        }
        if !next_round(&mut stopping, PAUSE).await {
            return;
        }
    }
}
