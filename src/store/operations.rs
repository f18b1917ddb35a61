//! Operations: one row for each idempotency id, with the answer that was given.

use std::collections::HashMap;

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError, padded, parts};

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

/// An operation that was carried out, as it is inserted: with its result, when everything else is done.
pub struct Finished<'a> {
    pub id: &'a str,
    pub kind: &'static str,
    pub body_hash: [u8; 32],
    pub is_refused: bool,
    pub result: &'a str,
    pub at: OffsetDateTime,
}

/// What is known under an id.
pub struct Known {
    pub body_hash: Vec<u8>,
    pub is_refused: bool,
    pub result: String,
}

impl Store {
    /// What was answered under this id, if it was.
    pub async fn known_operation(&self, id: &str) -> Result<Option<Known>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(known(&mut connection, &[id]).await?.remove(id))
    }

    /// An operation's kind and answer; nothing for one that is not there or has none yet.
    pub async fn operation_result(&self, id: &str) -> Result<Option<String>, StoreError> {
        let found: Option<Option<String>> =
            sqlx::query_scalar("select result from operations where id = ?").bind(id).fetch_optional(&self.pool).await?;
        Ok(found.flatten())
    }

    /// Whether one of the user's accounts has an entry of this operation.
    pub async fn operation_touches(&self, id: &str, user_id: u64) -> Result<bool, StoreError> {
        let accounts: Vec<u64> =
            sqlx::query_scalar("select account_id from entries where operation_id = ?").bind(id).fetch_all(&self.pool).await?;
        let own: Vec<u64> = sqlx::query_scalar("select id from accounts where user_id = ?").bind(user_id).fetch_all(&self.pool).await?;
        Ok(accounts.iter().any(|account| own.contains(account)))
    }
}

/// Those of the ids that are committed.
pub async fn known(connection: &mut MySqlConnection, ids: &[&str]) -> Result<HashMap<String, Known>, StoreError> {
    let ids = padded(ids.to_vec());
    let mut rows: Vec<(String, Vec<u8>, String, Option<String>)> = Vec::new();
    for some in parts(&ids) {
        let mut query = QueryBuilder::<MySql>::new("select id, body_hash, outcome, result from operations where id in (");
        let mut list = query.separated(", ");
        for id in some {
            list.push_bind(*id);
        }
        query.push(")");
        rows.extend(query.build_query_as::<(String, Vec<u8>, String, Option<String>)>().fetch_all(&mut *connection).await?);
    }
    rows.into_iter()
        .map(|(id, body_hash, outcome, result)| match result {
            Some(result) => Ok((id, Known { body_hash, is_refused: outcome == "refused", result })),
            None => Err(StoreError::Corrupt(format!("operation {id} was committed without a result"))),
        })
        .collect()
}

/// Writes operations with their results. An id that somebody else has written meanwhile is a duplicate.
pub async fn insert_all(connection: &mut MySqlConnection, finished: &[Finished<'_>]) -> Result<(), StoreError> {
    for some in parts(finished) {
        let mut query = QueryBuilder::<MySql>::new("insert into operations (id, kind, body_hash, outcome, result, created_at) ");
        query.push_values(some, |mut row, one| {
            row.push_bind(one.id).push_bind(one.kind).push_bind(one.body_hash.as_slice());
            row.push_bind(if one.is_refused { "refused" } else { "done" }).push_bind(one.result).push_bind(one.at);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
