//! Operations: one row for each idempotency id, with the answer that was given.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::StoreError;

/// What claiming an operation id told.
pub enum Claim {
    /// Ours to carry out.
    New,
    /// Carried out before, with this outcome and answer.
    Repeat { refused: bool, result: String },
    /// Known, with another body.
    Mismatch,
}

#[derive(sqlx::FromRow)]
struct OperationRow {
    body_hash: Vec<u8>,
    outcome: String,
    result: Option<String>,
}

/// Claims the id for this transaction. A concurrent claim of the same id waits here until the other commits.
pub async fn claim(
    connection: &mut MySqlConnection,
    id: &str,
    kind: &str,
    body_hash: &[u8; 32],
    at: OffsetDateTime,
) -> Result<Claim, StoreError> {
    let inserted = sqlx::query("insert into operations (id, kind, body_hash, created_at) values (?, ?, ?, ?)")
        .bind(id)
        .bind(kind)
        .bind(body_hash.as_slice())
        .bind(at)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::from);
    match inserted {
        Ok(_) => return Ok(Claim::New),
        Err(error) if error.is_duplicate() => {}
        Err(error) => return Err(error),
    }
    let known: OperationRow =
        sqlx::query_as("select body_hash, outcome, result from operations where id = ?").bind(id).fetch_one(connection).await?;
    if known.body_hash != body_hash {
        return Ok(Claim::Mismatch);
    }
    match known.result {
        Some(result) => Ok(Claim::Repeat { refused: known.outcome == "refused", result }),
        None => Err(StoreError::Corrupt(format!("operation {id} was committed without a result"))),
    }
}

/// Writes the answer; the caller commits.
pub async fn conclude(connection: &mut MySqlConnection, id: &str, refused: bool, result: &str) -> Result<(), StoreError> {
    sqlx::query("update operations set outcome = ?, result = ? where id = ?")
        .bind(if refused { "refused" } else { "done" })
        .bind(result)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
