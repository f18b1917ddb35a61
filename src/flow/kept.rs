//! Refusals that are kept with their operation, so that whoever asks again under the same key hears the same.

use serde::{Deserialize, Serialize};

use super::create_order::Uncovered;
use super::{FlowError, now};
use crate::domain::event::Facts;
use crate::domain::order::{FullOrder, Status};
use crate::domain::refusal::Refusal;
use crate::store::MySqlConnection;
use crate::store::operations::{self, Claim, Known};

/// A refusal as it is kept with its operation.
#[derive(Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub(super) enum Kept {
    InsufficientFunds(Uncovered),
    Stale { status: Status, version: u64 },
    Changed { changes: Facts, order: Box<FullOrder> },
}

impl Kept {
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Kept::InsufficientFunds(uncovered) => uncovered.refusal(),
            Kept::Stale { status, version } => Refusal::Stale { status, version },
            Kept::Changed { changes, order } => Refusal::Changed { changes, order },
        }
    }
}

/// The answer that was given under this id.
pub(super) fn told_before(known: Known, hash: &[u8; 32]) -> Result<String, FlowError> {
    if known.body_hash != hash {
        return Err(Refusal::Mismatch.into());
    }
    match known.is_refused {
        true => Err(serde_json::from_str::<Kept>(&known.result)?.refusal().into()),
        false => Ok(known.result),
    }
}

/// Commits the refusal as the operation's result. Where somebody else was faster with this id, theirs stays.
pub(super) async fn keep(
    connection: &mut MySqlConnection,
    (id, kind, hash): (&str, &str, &[u8; 32]),
    kept: &Kept,
) -> Result<(), FlowError> {
    if let Claim::New = operations::claim(connection, id, kind, hash, now()).await? {
        operations::conclude(connection, id, true, &serde_json::to_string(kept)?).await?;
    }
    Ok(())
}
