//! Moving money: the one function that applies a transfer, whoever asks, inside the caller's transaction.

use sha2::{Digest, Sha256};

use super::FlowError;
use crate::domain::ledger::Transfer;
use crate::store::MySqlConnection;
use crate::store::accounts::{Cause, insert_entry, insert_system_line, move_balance};

/// Applies the postings in ascending account id, then the system lines. The money is known to be there: it comes from
/// outside, or a hold that exists covers it; a shortage is therefore a broken invariant and not a refusal.
pub(super) async fn apply(
    connection: &mut MySqlConnection,
    transfer: &Transfer,
    currency: &str,
    cause: &Cause<'_>,
) -> Result<(), FlowError> {
    for posting in transfer.postings() {
        let Some(after) = move_balance(connection, posting).await? else {
            return Err(FlowError::Internal(format!("operation {} is not covered on account {}", cause.operation_id, posting.account_id)));
        };
        insert_entry(connection, posting, &after, cause).await?;
    }
    for (number, line) in (0_u8..).zip(transfer.lines()) {
        insert_system_line(connection, number, line, currency, cause).await?;
    }
    Ok(())
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
