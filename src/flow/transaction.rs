//! How a transaction runs: begun, rolled back by us on any failure (error 1205 undoes only its statement), and run
//! again, bounded and with jitter, when the database says that it lost a race, or when the connection broke. A break
//! during COMMIT leaves the outcome unknown; running the same operation id again finds out.

use std::time::Duration;

use super::FlowError;

/// Runs `$work` with `$connection: &mut MySqlConnection` in a transaction of `$store`, again where that is right.
macro_rules! transaction {
    ($store:expr, |$connection:ident| $work:expr) => {{
        let mut attempts = $crate::flow::transaction::Attempts::default();
        loop {
            let result: Result<_, $crate::flow::FlowError> = async {
                let mut transaction = $store.begin().await?;
                let worked = {
                    let $connection: &mut $crate::store::MySqlConnection = &mut transaction;
                    $work
                };
                match worked {
                    Ok(value) => transaction.commit().await.map_err($crate::store::StoreError::from).map(|()| value).map_err(Into::into),
                    Err(error) => {
                        // A rollback that fails has nothing left to undo: the connection is gone.
                        let _ = transaction.rollback().await;
                        Err(error)
                    }
                }
            }
            .await;
            match result {
                Err(error) if attempts.again(&error).await => {}
                result => break result,
            }
        }
    }};
}
pub(crate) use transaction;

const CONFLICTS_MAX: u32 = 10;
const DISCONNECTS_MAX: u32 = 2;

#[derive(Default)]
pub(crate) struct Attempts {
    conflicts: u32,
    disconnects: u32,
}

impl Attempts {
    /// Whether to run once more, after a short random wait.
    pub(crate) async fn again(&mut self, error: &FlowError) -> bool {
        let FlowError::Store(error) = error else { return false };
        if error.is_conflict() && self.conflicts < CONFLICTS_MAX {
            self.conflicts += 1;
            metrics::counter!("orderboard_transaction_conflicts_total").increment(1);
        } else if error.is_disconnect() && !error.is_wait_over() && self.disconnects < DISCONNECTS_MAX {
            self.disconnects += 1;
        } else {
            return false;
        }
        let longest_ms = 2_u64 << self.conflicts.max(self.disconnects).min(7);
        tokio::time::sleep(Duration::from_micros(random_below(longest_ms * 1_000))).await;
        true
    }
}

fn random_below(limit: u64) -> u64 {
    let mut bytes = [0_u8; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % limit.max(1),
        Err(_) => limit / 2,
    }
}
