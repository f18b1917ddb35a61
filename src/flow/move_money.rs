//! Moving money: the one function that applies a transfer, whoever asks, inside the caller's transaction.

use sha2::{Digest, Sha256};

use super::FlowError;
use crate::domain::ledger::Transfer;
use crate::domain::sheet::{Cause, Sheet, Unposted};
use crate::store::{MySqlConnection, books};

/// A transfer that is not covered; nothing was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short {
    pub(super) available: i64,
}

/// Locks the accounts in ascending id and judges the transfer. The sheet holds the outcome, which the caller writes.
pub(super) async fn judge<'a>(
    connection: &mut MySqlConnection,
    transfer: &Transfer,
    currency: &str,
    cause: Cause<'a>,
) -> Result<Result<Sheet<'a>, Short>, FlowError> {
    let locked = books::lock(connection, transfer.postings().iter().map(|posting| posting.account_id)).await?;
    if let Some(odd) = locked.iter().find(|standing| standing.currency != currency) {
        return Err(FlowError::Internal(format!("operation {} is in {currency}, account {} is not", cause.operation_id, odd.id)));
    }
    let mut sheet = Sheet::new(locked);
    match sheet.post(transfer, cause) {
        Ok(()) => Ok(Ok(sheet)),
        Err(Unposted::Short { available, .. }) => Ok(Err(Short { available })),
        Err(unposted) => Err(FlowError::Internal(format!("operation {} does not fit its accounts: {unposted:?}", cause.operation_id))),
    }
}

/// Applies a transfer where the money is there; tells what is free where it is not, and then nothing was written.
pub(super) async fn attempt(
    connection: &mut MySqlConnection,
    transfer: &Transfer,
    currency: &str,
    cause: &Cause<'_>,
) -> Result<Option<Short>, FlowError> {
    match judge(connection, transfer, currency, *cause).await? {
        Ok(mut sheet) => {
            books::write(connection, &mut sheet).await?;
            Ok(None)
        }
        Err(short) => Ok(Some(short)),
    }
}

/// The same for money that is known to be there: it comes from outside, or a hold that exists covers it. A shortage is
/// therefore a broken invariant and not a refusal.
pub(super) async fn apply(
    connection: &mut MySqlConnection,
    transfer: &Transfer,
    currency: &str,
    cause: &Cause<'_>,
) -> Result<(), FlowError> {
    match attempt(connection, transfer, currency, cause).await? {
        None => Ok(()),
        Some(Short { available }) => {
            Err(FlowError::Internal(format!("operation {} is not covered: {available} are free", cause.operation_id)))
        }
    }
}

/// The id under which a request's operation is known: the caller's key within the caller's own namespace, or a new one.
pub(super) fn operation_id(scope: &str, user_id: u64, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("{scope}:{user_id}:{}", hex(&Sha256::digest(key.as_bytes())[..20])),
        None => format!("{scope}:{user_id}:{}", super::random_token()),
    }
}

/// What two requests under one key must share.
pub(super) fn body_hash(body: &impl serde::Serialize) -> Result<[u8; 32], FlowError> {
    Ok(Sha256::digest(serde_json::to_vec(body)?).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
