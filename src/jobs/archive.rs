//! Old orders' texts and histories go to the archive: a walk over what is old enough, now and then, on one node at a time.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Stopping, next_round};
use crate::flow::{Flow, FlowError};
use crate::store::Store;

const LEASE: &str = "archive";
/// Longer than a batch takes; another node goes on soon after this one has died.
const HELD_FOR: Duration = Duration::from_secs(60);
/// Between two walks.
const PAUSE: Duration = Duration::from_secs(600);
/// Between two looks at whose turn it is.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Between two batches: the database has better things to do.
const REST: Duration = Duration::from_millis(100);

/// Archives what was finished longer ago than this, until told to stop.
pub async fn run(flow: Flow, store: Store, node: String, after: Duration, mut stopping: Stopping) {
    loop {
        let pause = match store.hold_lease(LEASE, &node, HELD_FOR).await {
            Ok(true) => match walk(&flow, &store, &node, after, &mut stopping).await {
                Ok(orders) => {
                    if orders > 0 {
                        tracing::info!(orders, "texts and histories of old orders were archived");
                    }
                    PAUSE
                }
                Err(error) => {
                    tracing::warn!(?error, "old orders could not be archived; it is tried again");
                    ASK_AGAIN
                }
            },
            Ok(false) => ASK_AGAIN,
            Err(error) => {
                tracing::warn!(%error, "the lease on the archive could not be held");
                ASK_AGAIN
            }
        };
        if !next_round(&mut stopping, pause).await {
            break;
        }
    }
    if let Err(error) = store.end_lease(LEASE, &node).await {
        tracing::debug!(%error, "the lease on the archive could not be given back");
    }
}

async fn walk(flow: &Flow, store: &Store, node: &str, after: Duration, stopping: &mut Stopping) -> Result<u64, FlowError> {
    let before = OffsetDateTime::now_utc() - after;
    let (mut orders, mut place) = (0, 0);
    loop {
        let archived = flow.archive_orders(place, before).await?;
        orders += archived.orders;
        let Some(next) = archived.next else { return Ok(orders) };
        place = next;
        let goes_on = next_round(stopping, REST).await && store.hold_lease(LEASE, node, HELD_FOR).await?;
        if !goes_on {
            return Ok(orders);
        }
    }
}
