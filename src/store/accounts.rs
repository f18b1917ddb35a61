//! Money accounts, their entries and holds. Balances move only by `move_balance`, which never lets a part
//! become negative.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::domain::ledger::{Account, AccountKind, AccountNews, Posting, SystemLine};

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: u64,
    user_id: u64,
    kind: String,
    currency: String,
    available: i64,
    held: i64,
    version: u64,
}

impl AccountRow {
    fn news(self) -> Result<AccountNews, StoreError> {
        let kind =
            AccountKind::parse(&self.kind).ok_or_else(|| StoreError::Corrupt(format!("account {} has kind {}", self.id, self.kind)))?;
        let account = Account {
            id: self.id,
            account: kind,
            currency: self.currency,
            available: self.available,
            held: self.held,
            version: self.version,
        };
        Ok(AccountNews { user_id: self.user_id, account })
    }
}

/// A line of an account's history.
#[derive(sqlx::FromRow)]
pub struct EntryRow {
    pub seq: u64,
    pub kind: String,
    pub operation_id: String,
    pub available_delta: i64,
    pub held_delta: i64,
    pub available_after: i64,
    pub held_after: i64,
    pub order_id: Option<u64>,
    pub topup_id: Option<u64>,
    pub created_at: OffsetDateTime,
}

/// What an operation's entries are about.
#[derive(Clone, Copy)]
pub struct Cause<'a> {
    pub operation_id: &'a str,
    pub order_id: Option<u64>,
    pub topup_id: Option<u64>,
    pub at: OffsetDateTime,
}

impl Store {
    pub async fn accounts_of(&self, user_id: u64) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<AccountRow> = sqlx::query_as(
            "select id, user_id, kind, currency, available, held, version from accounts where user_id = ? order by kind, currency",
        )
        .bind(user_id)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.news().map(|news| news.account)).collect()
    }

    /// The present state of these accounts, for news.
    pub async fn accounts_by_id(&self, ids: &[u64]) -> Result<Vec<AccountNews>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = sqlx::QueryBuilder::new("select id, user_id, kind, currency, available, held, version from accounts where id in (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(*id);
        }
        query.push(")");
        let rows: Vec<AccountRow> = query.build_query_as().fetch_all(&self.pool).await?;
        rows.into_iter().map(AccountRow::news).collect()
    }

    /// The account's id; made when this user has none of the kind and currency yet.
    pub async fn account_id(&self, user_id: u64, kind: AccountKind, currency: &str) -> Result<u64, StoreError> {
        for _ in 0..2 {
            let found: Option<u64> = sqlx::query_scalar("select id from accounts where user_id = ? and kind = ? and currency = ?")
                .bind(user_id)
                .bind(kind.as_str())
                .bind(currency)
                .fetch_optional(&self.pool)
                .await?;
            if let Some(id) = found {
                return Ok(id);
            }
            let made = sqlx::query("insert into accounts (user_id, kind, currency) values (?, ?, ?)")
                .bind(user_id)
                .bind(kind.as_str())
                .bind(currency)
                .execute(&self.pool)
                .await
                .map_err(StoreError::from);
            match made {
                Ok(done) => return Ok(done.last_insert_id()),
                Err(error) if error.is_duplicate() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Corrupt(format!("account {} of user {user_id} is neither there nor can it be made", kind.as_str())))
    }

    /// One page of an account's history: entries with a number below `below`, newest first.
    pub async fn entries(&self, account_id: u64, below: u64, limit: u32) -> Result<Vec<EntryRow>, StoreError> {
        Ok(sqlx::query_as(
            "select seq, kind, operation_id, available_delta, held_delta, available_after, held_after, order_id, topup_id, created_at \
             from entries where account_id = ? and seq < ? order by seq desc limit ?",
        )
        .bind(account_id)
        .bind(below)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }
}

/// Moves one account's balances, and tells them as they are now. `None` when a part would become negative (nothing was
/// changed). Callers move in ascending account id and write the entry in the same transaction.
pub async fn move_balance(connection: &mut MySqlConnection, posting: &Posting) -> Result<Option<Balances>, StoreError> {
    let moved = sqlx::query(
        "update accounts set available = available + ?, held = held + ?, version = version + 1 \
         where id = ? and available + ? >= 0 and held + ? >= 0",
    )
    .bind(posting.available)
    .bind(posting.held)
    .bind(posting.account_id)
    .bind(posting.available)
    .bind(posting.held)
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(None);
    }
    // The row is ours until the commit, so what we read is what we wrote.
    balances(connection, posting.account_id).await.map(Some)
}

/// Writes the history line of a balance that was just moved.
pub async fn insert_entry(
    connection: &mut MySqlConnection,
    posting: &Posting,
    after: &Balances,
    cause: &Cause<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, \
         order_id, topup_id, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(posting.account_id)
    .bind(after.version)
    .bind(cause.operation_id)
    .bind(posting.kind.as_str())
    .bind(posting.available)
    .bind(posting.held)
    .bind(after.available)
    .bind(after.held)
    .bind(cause.order_id)
    .bind(cause.topup_id)
    .bind(cause.at)
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Balances {
    pub available: i64,
    pub held: i64,
    pub version: u64,
}

pub async fn balances(connection: &mut MySqlConnection, account_id: u64) -> Result<Balances, StoreError> {
    Ok(sqlx::query_as("select available, held, version from accounts where id = ?").bind(account_id).fetch_one(connection).await?)
}

pub async fn insert_system_line(
    connection: &mut MySqlConnection,
    number: u8,
    line: &SystemLine,
    currency: &str,
    cause: &Cause<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into system_entries (operation_id, line, account, currency, amount, order_id, created_at) values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(cause.operation_id)
    .bind(number)
    .bind(line.account.as_str())
    .bind(currency)
    .bind(line.amount)
    .bind(cause.order_id)
    .bind(cause.at)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn insert_hold(
    connection: &mut MySqlConnection,
    account_id: u64,
    order_id: u64,
    amount: i64,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("insert into holds (account_id, order_id, amount, created_at) values (?, ?, ?, ?)")
        .bind(account_id)
        .bind(order_id)
        .bind(amount)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

/// How a hold ends.
#[derive(Clone, Copy)]
pub enum HoldEnd {
    Captured,
    Released,
}

/// Ends the order's active hold; false when it has none.
pub async fn end_hold(connection: &mut MySqlConnection, order_id: u64, end: HoldEnd, at: OffsetDateTime) -> Result<bool, StoreError> {
    let state = match end {
        HoldEnd::Captured => "captured",
        HoldEnd::Released => "released",
    };
    let ended = sqlx::query("update holds set state = ?, resolved_at = ? where order_id = ? and state = 'active'")
        .bind(state)
        .bind(at)
        .bind(order_id)
        .execute(connection)
        .await?;
    Ok(ended.rows_affected() == 1)
}
