//! What MySQL holds at the end, as far as it is about the operations of this run.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::mysql::MySqlConnection;

use super::book::{Book, hash};
use super::model::{Balance, Balances, Line, Owner};
use crate::error::Error;
use crate::money::queue::Account;

/// What the service puts before the id of an operation of another system.
const SCOPE: &str = "b:";

pub(super) struct Ledger {
    /// By operation number.
    pub(super) operations: HashMap<u64, Stored>,
    /// Rows of other systems' operations that this run never asked for.
    pub(super) strangers: Vec<String>,
    pub(super) holds: HashMap<u64, Hold>,
    pub(super) balances: Balances,
    /// Entries with the balances after them that no other line contradicts: (user, account, currency, version).
    pub(super) after: HashMap<(Owner, u64), (i64, i64)>,
    /// Holds that ended by themselves: their owner gets the amount back.
    pub(super) expired: Vec<(Owner, i64)>,
}

#[derive(Default)]
pub(super) struct Stored {
    pub(super) is_done: bool,
    pub(super) result: String,
    pub(super) hash: u64,
    pub(super) lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub(super) struct Hold {
    /// Of the operation that made it.
    pub(super) number: u64,
    pub(super) state: String,
    pub(super) amount: i64,
}

type HoldRow = (u64, Option<String>, String, i64, u64, String, String);
type EntryRow = (Option<String>, u64, String, String, i64, i64, u64, i64, i64);

impl Ledger {
    pub(super) fn empty() -> Self {
        Self {
            operations: HashMap::new(),
            strangers: Vec::new(),
            holds: HashMap::new(),
            balances: Balances::new(),
            after: HashMap::new(),
            expired: Vec::new(),
        }
    }

    pub(super) async fn read(connection: &mut MySqlConnection, book: &Book) -> Result<Self, Error> {
        let mut ledger = Self::empty();
        ledger.read_operations(connection, book).await?;
        ledger.read_entries(connection, book).await?;
        ledger.read_holds(connection, book).await?;
        ledger.read_accounts(connection).await?;
        Ok(ledger)
    }

    async fn read_operations(&mut self, connection: &mut MySqlConnection, book: &Book) -> Result<(), Error> {
        let mut rows = sqlx::query_as::<_, (String, String, Option<String>)>(
            "select cast(id as char), cast(outcome as char), cast(result as char) from operations where id like 'b:%'",
        )
        .fetch(connection);
        while let Some((id, outcome, result)) = rows.try_next().await? {
            match number(book, &id) {
                Some(number) => {
                    let result = result.unwrap_or_default();
                    let stored = Stored { is_done: outcome == "done", hash: hash(&result), result, lines: Vec::new() };
                    self.operations.insert(number, stored);
                }
                None if id.starts_with("b:poison-") => {}
                None => self.strangers.push(id),
            }
        }
        Ok(())
    }

    async fn read_entries(&mut self, connection: &mut MySqlConnection, book: &Book) -> Result<(), Error> {
        let mut rows = sqlx::query_as::<_, EntryRow>(
            "select cast(e.operation_id as char), cast(a.user_id as unsigned), cast(a.kind as char), cast(a.currency as char),
                    e.available_delta, e.held_delta, cast(e.seq as unsigned), e.available_after, e.held_after
               from entries e join accounts a on a.id = e.account_id",
        )
        .fetch(&mut *connection);
        while let Some((id, user_id, kind, currency, available, held, seq, available_after, held_after)) = rows.try_next().await? {
            let owner = owner(user_id, &kind, currency)?;
            self.after.insert((owner.clone(), seq), (available_after, held_after));
            if let Some(number) = id.as_deref().and_then(|id| number(book, id)) {
                self.operations.entry(number).or_default().lines.push(Line::User { owner, available, held });
            }
        }
        drop(rows);
        let mut rows = sqlx::query_as::<_, (String, String, String, i64)>(
            "select cast(operation_id as char), cast(account as char), cast(currency as char), amount from system_entries",
        )
        .fetch(connection);
        while let Some((id, account, currency, amount)) = rows.try_next().await? {
            if let Some(number) = number(book, &id) {
                self.operations.entry(number).or_default().lines.push(Line::System { account, currency, amount });
            }
        }
        self.operations.values_mut().for_each(|stored| stored.lines.sort());
        Ok(())
    }

    async fn read_holds(&mut self, connection: &mut MySqlConnection, book: &Book) -> Result<(), Error> {
        let rows: Vec<HoldRow> = sqlx::query_as(
            "select cast(h.id as unsigned), cast(h.operation_id as char), cast(h.state as char), h.amount,
                    cast(a.user_id as unsigned), cast(a.kind as char), cast(a.currency as char)
               from holds h join accounts a on a.id = h.account_id",
        )
        .fetch_all(connection)
        .await?;
        for (id, operation, state, amount, user_id, kind, currency) in rows {
            if state == "expired" {
                self.expired.push((owner(user_id, &kind, currency)?, amount));
            }
            if let Some(number) = operation.as_deref().and_then(|id| number(book, id)) {
                self.holds.insert(id, Hold { number, state, amount });
            }
        }
        Ok(())
    }

    async fn read_accounts(&mut self, connection: &mut MySqlConnection) -> Result<(), Error> {
        let rows: Vec<(u64, String, String, i64, i64)> =
            sqlx::query_as("select cast(user_id as unsigned), cast(kind as char), cast(currency as char), available, held from accounts")
                .fetch_all(connection)
                .await?;
        for (user_id, kind, currency, available, held) in rows {
            let balance = Balance { available: available.into(), held: held.into() };
            self.balances.insert(owner(user_id, &kind, currency)?, balance);
        }
        Ok(())
    }
}

fn number(book: &Book, id: &str) -> Option<u64> {
    book.number(id.strip_prefix(SCOPE)?)
}

fn owner(user_id: u64, kind: &str, currency: String) -> Result<Owner, Error> {
    let account = Account::parse(kind).ok_or_else(|| Error::Server(format!("an account of kind {kind}")))?;
    Ok(Owner { user_id, account, currency })
}
