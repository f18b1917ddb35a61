//! One pass over a whole table each, in the order of an index, for what no query answers cheaply: a window or a group over
//! a million entries costs the database several times what reading them costs.

use futures_util::TryStreamExt as _;
use sqlx::MySqlConnection;
use time::PrimitiveDateTime;

use super::Gathered;
use crate::store::StoreError;

mod operations;
mod orders;

pub(super) use operations::operations;
pub(super) use orders::orders;

#[derive(Clone, Copy, sqlx::FromRow)]
struct EntryRow {
    account_id: u64,
    seq: u64,
    available_delta: i64,
    held_delta: i64,
    available_after: i64,
    held_after: i64,
    created_at: PrimitiveDateTime,
}

/// Each account's history from its first entry to its last.
pub(super) async fn accounts(snapshot: &mut MySqlConnection, gathered: &mut Gathered) -> Result<(), StoreError> {
    let mut rows = sqlx::query_as::<_, EntryRow>(
        "select account_id, seq, available_delta, held_delta, available_after, held_after, created_at from entries \
         order by account_id, seq",
    )
    .fetch(snapshot);
    let mut before: Option<EntryRow> = None;
    while let Some(row) = rows.try_next().await? {
        judge_entry(before.filter(|before| before.account_id == row.account_id), row, gathered);
        before = Some(row);
    }
    Ok(())
}

fn judge_entry(before: Option<EntryRow>, row: EntryRow, gathered: &mut Gathered) {
    let mut add = |slug, detail: String| gathered.add(slug, row.account_id.to_string(), || detail);
    let (seq, available, held) = before.map_or((0, 0, 0), |before| (before.seq, before.available_after, before.held_after));
    if row.seq != seq + 1 {
        add("entry_gap", format!("entry {} follows {seq}", row.seq));
    }
    // Over numbers that someone may have made up, a sum may leave their range; that is no match either.
    let follows =
        available.checked_add(row.available_delta) == Some(row.available_after) && held.checked_add(row.held_delta) == Some(row.held_after);
    if !follows {
        let (available_delta, held_delta) = (row.available_delta, row.held_delta);
        add(
            "entry_chain",
            format!(
                "entry {}: {available} {available_delta:+} is not {}, or {held} {held_delta:+} is not {}",
                row.seq, row.available_after, row.held_after
            ),
        );
    }
    if row.available_after < 0 || row.held_after < 0 {
        add("entry_negative", format!("entry {}: available {}, held {}", row.seq, row.available_after, row.held_after));
    }
    if before.is_some_and(|before| before.created_at > row.created_at) {
        add("entry_time", format!("entry {} is from before entry {seq}", row.seq));
    }
}
