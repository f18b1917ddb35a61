//! A long history, made by the database itself: accounts with so many entries each, and with everything that belongs to
//! an entry, so that the audit finds it in order. Every number in it follows from the entry's place, so that any answer
//! about it can be checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::mysql::MySqlPool;
use tokio::task::JoinSet;

use crate::Run;
use crate::bulk::{self, CHUNK, NUMBERS, run_sql};
use crate::error::Error;
use crate::progress::Progress;
use crate::server::Token;

/// Who write at the same time.
const WRITERS: usize = 2;
/// Entries lie evenly over this time up to now.
const SPAN_US: u64 = 365 * 86_400 * 1_000_000;
/// Odd entries put this in, even ones take that out.
const CREDIT: u64 = 300;
const DEBIT: u64 = 100;

/// How the history lies: entry `seq` of every account is at `start_us + seq * step_us`, in µs since 1970.
#[derive(Clone, Copy)]
pub(super) struct History {
    pub(super) entries_per_account: u64,
    pub(super) start_us: u64,
    pub(super) step_us: u64,
}

impl History {
    pub(super) fn new(entries: u64, accounts: u64) -> Self {
        let entries_per_account = (entries / accounts).max(1);
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as u64);
        let step_us = SPAN_US / entries_per_account;
        Self { entries_per_account, start_us: now_us - step_us * (entries_per_account + 1), step_us }
    }

    /// The last entry at this moment, 0 before the first.
    pub(super) fn seq_at(&self, moment_us: u64) -> u64 {
        (moment_us.saturating_sub(self.start_us) / self.step_us).min(self.entries_per_account)
    }
}

/// What is available after entry `seq`.
pub(super) fn available_after(seq: u64) -> u64 {
    seq.div_ceil(2) * CREDIT - seq / 2 * DEBIT
}

pub(super) async fn fill(database: &MySqlPool, owners: &[Token], history: History, run: &Run) -> Result<(), Error> {
    bulk::make_numbers(database).await?;
    let mut accounts = Vec::new();
    for owner in owners {
        accounts.push(make_account(database, owner.user_id, history).await?);
    }
    let chunks = history.entries_per_account.div_ceil(CHUNK);
    let progress = Arc::new(Progress::new("history: chunks", chunks * accounts.len() as u64));
    let (accounts, next) = (Arc::new(accounts), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (accounts, next, progress) = (accounts.clone(), next.clone(), progress.clone());
        let (database, stop) = (database.clone(), run.stop.clone());
        writers.spawn(async move {
            // An account belongs to one writer, so that its rows come in the order of their keys.
            while let Some(&account) = accounts.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                for chunk in 0..chunks {
                    if stop.is_cancelled() {
                        return Err(Error::Usage("interrupted while the history was being made".into()));
                    }
                    let (from, to) = (chunk * CHUNK, ((chunk + 1) * CHUNK).min(history.entries_per_account));
                    write(&database, account, from..to, history).await?;
                    progress.step();
                }
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    bulk::done(database, &["accounts", "operations", "entries", "system_entries"]).await
}

/// As it is when all its entries are there.
async fn make_account(database: &MySqlPool, user_id: u64, history: History) -> Result<u64, Error> {
    let seq = history.entries_per_account;
    // Making the user may have made the account.
    sqlx::query(
        "insert into accounts (user_id, kind, currency, available, version) values (?, 'wallet', 'RUB', ?, ?)
         on duplicate key update available = values(available), version = values(version)",
    )
    .bind(user_id)
    .bind(available_after(seq))
    .bind(seq)
    .execute(database)
    .await?;
    let find = "select cast(id as unsigned) from accounts where user_id = ? and kind = 'wallet' and currency = 'RUB'";
    Ok(sqlx::query_scalar(find).bind(user_id).fetch_one(database).await?)
}

/// One transaction over three tables.
async fn write(database: &MySqlPool, account: u64, places: std::ops::Range<u64>, history: History) -> Result<(), Error> {
    let History { start_us, step_us, .. } = history;
    let (from, count) = (places.start + 1, places.end - places.start);
    let id = format!("concat('b:history-{account}-', lpad(n + {from}, 9, '0'))");
    let odd = format!("mod(n + {from}, 2) = 1");
    let kind = format!("if({odd}, 'credit', 'debit')");
    // Whole µs added to a moment: exact, as a floating-point number of seconds would not be.
    let at = format!("timestampadd(microsecond, {start_us} + (n + {from}) * {step_us}, '1970-01-01 00:00:00.000000')");
    let delta = format!("if({odd}, {CREDIT}, -{DEBIT})");
    let after = format!("((n + {from} + 1) div 2) * {CREDIT} - ((n + {from}) div 2) * {DEBIT}");
    let rows = format!("from {NUMBERS} where n < {count} order by n");
    let mut transaction = database.begin().await?;
    let operations = format!(
        "insert into operations (id, kind, body_hash, outcome, result, created_at)
         select {id}, {kind}, unhex(sha2({id}, 256)), 'done',
                concat('{{\"operation_id\":\"', {id}, '\",\"status\":\"done\",\"result\":{{\"accounts\":[]}}}}'), {at} {rows}"
    );
    let entries = format!(
        "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, created_at)
         select {account}, n + {from}, {id}, {kind}, {delta}, 0, {after}, 0, {at} {rows}"
    );
    let lines = format!(
        "insert into system_entries (operation_id, line, account, currency, amount, created_at)
         select {id}, 0, 'gateway', 'RUB', -{delta}, {at} {rows}"
    );
    for sql in [operations, entries, lines] {
        run_sql(&mut transaction, sql).await?;
    }
    Ok(transaction.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_place_in_the_history() {
        let history = History { entries_per_account: 10, start_us: 1_000, step_us: 100 };
        let seqs = [0, 1_000, 1_099, 1_100, 1_199, 2_000, 9_000].map(|moment| history.seq_at(moment));
        assert_eq!(seqs, [0, 0, 0, 1, 1, 10, 10]);
    }

    #[test]
    fn credits_and_debits_take_turns() {
        assert_eq!([0, 1, 2, 3, 4].map(available_after), [0, 300, 200, 500, 400]);
    }
}
