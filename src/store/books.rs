//! Writing money. The accounts of a transaction are locked in ascending id, judged in memory as a sheet, and written with one
//! statement a table, however many operations shared the transaction. The write names the version that was read, so it
//! is conditional like every other UPDATE here: should a lock ever not have held, it changes nothing and fails.

use std::collections::BTreeMap;

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::{StoreError, padded, parts};
use crate::domain::ledger::AccountKind;
use crate::domain::sheet::{NewEntry, NewLine, Sheet, Standing};

#[derive(sqlx::FromRow)]
struct LockedRow {
    id: u64,
    user_id: u64,
    kind: String,
    currency: String,
    available: i64,
    held: i64,
    version: u64,
    changed_at: OffsetDateTime,
    is_closed: bool,
}

/// Locks these accounts, in ascending id whatever the order of `ids`, until the transaction ends.
pub async fn lock(connection: &mut MySqlConnection, ids: impl IntoIterator<Item = u64>) -> Result<Vec<Standing>, StoreError> {
    let mut ids: Vec<u64> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut locked = Vec::with_capacity(ids.len());
    for some in parts(&padded(ids)) {
        // The primary key by force: a scan of the table would wait for accounts that are not ours.
        let mut query = QueryBuilder::<MySql>::new(
            "select id, user_id, kind, currency, available, held, version, changed_at, is_closed from accounts force index (primary) where id in (",
        );
        let mut list = query.separated(", ");
        for id in some {
            list.push_bind(*id);
        }
        query.push(") order by id for update");
        let rows: Vec<LockedRow> = query.build_query_as().fetch_all(&mut *connection).await?;
        for row in rows {
            let kind =
                AccountKind::parse(&row.kind).ok_or_else(|| StoreError::Corrupt(format!("account {} has kind {}", row.id, row.kind)))?;
            locked.push(Standing {
                id: row.id,
                user_id: row.user_id,
                kind,
                currency: row.currency,
                available: row.available,
                held: row.held,
                version: row.version,
                version_read: row.version,
                changed_at: row.changed_at,
                is_closed: row.is_closed,
            });
        }
    }
    Ok(locked)
}

/// Writes what the sheet's operations did: new accounts, balances, entries, system lines.
pub async fn write(connection: &mut MySqlConnection, sheet: &mut Sheet<'_>) -> Result<(), StoreError> {
    make_accounts(connection, sheet).await?;
    let moved: Vec<&Standing> = sheet.moved().collect();
    for some in parts(&moved) {
        update(connection, some).await?;
    }
    for some in parts(sheet.entries()) {
        insert_entries(connection, some).await?;
    }
    for some in parts(sheet.lines()) {
        insert_lines(connection, some).await?;
    }
    Ok(())
}

/// Makes the accounts that only exist on the sheet; answers their numbers by the provisional ones. Somebody else may make one at the same moment: that is a duplicate, and
/// the whole transaction runs again, finding it.
pub async fn make_accounts(connection: &mut MySqlConnection, sheet: &mut Sheet<'_>) -> Result<BTreeMap<u64, u64>, StoreError> {
    let mut made = BTreeMap::new();
    for new in sheet.moved().filter(|standing| standing.is_new()) {
        let inserted = sqlx::query("insert into accounts (user_id, kind, currency) values (?, ?, ?)")
            .bind(new.user_id)
            .bind(new.kind.as_str())
            .bind(&new.currency)
            .execute(&mut *connection)
            .await?;
        made.insert(new.id, inserted.last_insert_id());
    }
    sheet.name_new(&made);
    Ok(made)
}

async fn update(connection: &mut MySqlConnection, moved: &[&Standing]) -> Result<(), StoreError> {
    let Some(latest) = moved.iter().map(|standing| standing.changed_at).max() else { return Ok(()) };
    let mut query = QueryBuilder::<MySql>::new("update accounts force index (primary) set available = ");
    cases(&mut query, moved, |standing| standing.available);
    query.push(", held = ");
    cases(&mut query, moved, |standing| standing.held);
    query.push(", version = ");
    cases(&mut query, moved, |standing| i64::try_from(standing.version).unwrap_or(i64::MAX));
    // Not before the last entry's time, whatever this node's clock says: times never go back within an account.
    query.push(", changed_at = greatest(current_timestamp(6), cast(").push_bind(latest).push(" as datetime(6))) where id in (");
    let mut list = query.separated(", ");
    for standing in moved {
        list.push_bind(standing.id);
    }
    query.push(") and version = ");
    cases(&mut query, moved, |standing| i64::try_from(standing.version_read).unwrap_or(i64::MAX));
    let done = query.build().execute(connection).await?;
    if done.rows_affected() != moved.len() as u64 {
        return Err(StoreError::Corrupt(format!("{} of {} locked accounts were as they had been read", done.rows_affected(), moved.len())));
    }
    Ok(())
}

fn cases(query: &mut QueryBuilder<MySql>, moved: &[&Standing], value: impl Fn(&Standing) -> i64) {
    query.push("case id");
    for standing in moved {
        query.push(" when ").push_bind(standing.id).push(" then ").push_bind(value(standing));
    }
    query.push(" end");
}

async fn insert_entries(connection: &mut MySqlConnection, entries: &[NewEntry<'_>]) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<MySql>::new(
        "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, \
         order_id, topup_id, hold_id, payout_id, peer_id, created_at) ",
    );
    query.push_values(entries, |mut row, entry| {
        row.push_bind(entry.account_id).push_bind(entry.seq).push_bind(entry.cause.operation_id).push_bind(entry.kind.as_str());
        row.push_bind(entry.available_delta).push_bind(entry.held_delta).push_bind(entry.available_after).push_bind(entry.held_after);
        row.push_bind(entry.cause.order_id).push_bind(entry.cause.topup_id).push_bind(entry.cause.hold_id);
        row.push_bind(entry.cause.payout_id).push_bind(entry.peer).push_bind(entry.at);
    });
    query.build().execute(connection).await?;
    Ok(())
}

async fn insert_lines(connection: &mut MySqlConnection, new: &[NewLine<'_>]) -> Result<(), StoreError> {
    let mut query =
        QueryBuilder::<MySql>::new("insert into system_entries (operation_id, line, account, currency, amount, order_id, created_at) ");
    query.push_values(new, |mut row, line| {
        row.push_bind(line.cause.operation_id).push_bind(line.number).push_bind(line.account.as_str()).push_bind(&line.currency);
        row.push_bind(line.amount).push_bind(line.cause.order_id).push_bind(line.cause.at);
    });
    query.build().execute(connection).await?;
    Ok(())
}
