//! Submitted work that its customer neither confirmed nor rejected in time counts as confirmed.

use std::time::Duration;

use super::{Stopping, next_round};
use crate::flow::Flow;

const PAUSE: Duration = Duration::from_secs(1);
const BATCH: u32 = 100;

pub async fn run(flow: Flow, mut stopping: Stopping) {
    loop {
        match flow.confirm_overdue(BATCH).await {
            // A full batch: there may be more, go on at once.
            Ok(confirmed) if confirmed == BATCH as usize && !*stopping.borrow() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(?error, "overdue orders could not be confirmed"),
        }
        if !next_round(&mut stopping, PAUSE).await {
            return;
        }
    }
}
