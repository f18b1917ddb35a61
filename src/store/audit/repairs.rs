//! What a repair reads under its locks, and the rows that it writes again. Money moves elsewhere, as always; here is only
//! what is derived from the entries and does not agree with them.

use sqlx::MySqlConnection;
use time::OffsetDateTime;

use crate::domain::sheet::Standing;
use crate::store::StoreError;

/// An account's two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Parts {
    pub available: i64,
    pub held: i64,
}

/// An account's history as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// The number of the last entry.
    pub seq: u64,
    /// What the last entry says.
    pub after: Parts,
    /// Numbered from 1 without gaps, and each entry's balances follow from the one before.
    pub is_whole: bool,
}

/// Reads an account's whole history; nothing for an account without entries.
pub async fn history(connection: &mut MySqlConnection, account_id: u64) -> Result<Option<History>, StoreError> {
    let last: Option<(u64, i64, i64)> =
        sqlx::query_as("select seq, available_after, held_after from entries where account_id = ? order by seq desc limit 1")
            .bind(account_id)
            .fetch_optional(&mut *connection)
            .await?;
    let Some((seq, available, held)) = last else { return Ok(None) };
    let (entries, odd): (i64, i64) = sqlx::query_as(
        "select count(*), cast(coalesce(sum(seq <> number or available_after <> coalesce(available_before, 0) + available_delta \
                                            or held_after <> coalesce(held_before, 0) + held_delta), 0) as signed) from \
         (select seq, available_delta, held_delta, available_after, held_after, row_number() over by_seq number, \
                 lag(available_after) over by_seq available_before, lag(held_after) over by_seq held_before \
          from entries where account_id = ? and seq <= ? window by_seq as (order by seq)) numbered",
    )
    .bind(account_id)
    .bind(seq)
    .fetch_one(connection)
    .await?;
    let is_whole = odd == 0 && u64::try_from(entries) == Ok(seq);
    Ok(Some(History { seq, after: Parts { available, held }, is_whole }))
}

/// Whether a locked account is what its last entry says. Money must not be moved on one that is not: the next entry would
/// start from a wrong balance, and the history would be broken for good.
pub async fn is_as_told(connection: &mut MySqlConnection, account: &Standing) -> Result<bool, StoreError> {
    let last: Option<(u64, i64, i64)> =
        sqlx::query_as("select seq, available_after, held_after from entries where account_id = ? order by seq desc limit 1")
            .bind(account.id)
            .fetch_optional(connection)
            .await?;
    Ok(last.unwrap_or_default() == (account.version, account.available, account.held))
}

/// The sum of the account's active holds.
pub async fn active_holds(connection: &mut MySqlConnection, account_id: u64) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("select cast(coalesce(sum(amount), 0) as signed) from holds where account_id = ? and state = 'active'")
        .bind(account_id)
        .fetch_one(connection)
        .await?)
}

/// Writes an account's parts again. The version stays: it is the number of the last entry, and what was published under it
/// was right. False when the row is not as it was read.
pub async fn rewrite_account(connection: &mut MySqlConnection, id: u64, version: u64, from: Parts, to: Parts) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update accounts set available = ?, held = ?, changed_at = greatest(current_timestamp(6), changed_at) \
         where id = ? and version = ? and available = ? and held = ?",
    )
    .bind(to.available)
    .bind(to.held)
    .bind(id)
    .bind(version)
    .bind(from.available)
    .bind(from.held)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether the account's user is closed; under a lock on the user, so that no closing goes on meanwhile.
pub async fn lock_user_closed(connection: &mut MySqlConnection, account_id: u64) -> Result<Option<bool>, StoreError> {
    let user_id: Option<u64> =
        sqlx::query_scalar("select user_id from accounts where id = ?").bind(account_id).fetch_optional(&mut *connection).await?;
    let closed_at: Option<Option<OffsetDateTime>> =
        sqlx::query_scalar("select closed_at from users where id = ? for update").bind(user_id).fetch_optional(connection).await?;
    Ok(closed_at.map(|closed_at| closed_at.is_some()))
}

pub async fn flag_closed(connection: &mut MySqlConnection, account_id: u64, is_closed: bool) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update accounts set is_closed = ?, changed_at = greatest(current_timestamp(6), changed_at) where id = ? and is_closed <> ?",
    )
    .bind(is_closed)
    .bind(account_id)
    .bind(is_closed)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An order as a repair looks at it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OrderCase {
    pub status: String,
    pub customer_id: u64,
    pub executor_id: Option<u64>,
    pub price: i64,
    pub payout: i64,
    pub commission: i64,
}

/// An order's hold as a repair looks at it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct HoldCase {
    pub id: u64,
    pub account_id: u64,
    pub amount: i64,
    pub state: String,
}

/// What the entries of an order say, on its customer's account and on its executor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OrderEntries {
    /// What they leave held.
    pub held: i64,
    pub captures: i64,
    pub releases: i64,
    pub payments: i64,
}

/// Locks an order and its hold; nothing where one of them is missing.
pub async fn lock_order(connection: &mut MySqlConnection, id: u64) -> Result<Option<(OrderCase, HoldCase)>, StoreError> {
    let order: Option<OrderCase> =
        sqlx::query_as("select status, customer_id, executor_id, price, payout, commission from orders where id = ? for update")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
    let hold: Option<HoldCase> = sqlx::query_as("select id, account_id, amount, state from holds where order_id = ? for update")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(order.zip(hold))
}

/// The accounts are locked, so what was moved on them for this order stands still.
pub async fn order_entries(
    connection: &mut MySqlConnection,
    order_id: u64,
    customers: u64,
    executors: Option<u64>,
) -> Result<OrderEntries, StoreError> {
    Ok(sqlx::query_as(
        "select cast(coalesce(sum(if(account_id = ?, held_delta, 0)), 0) as signed) held, \
                cast(coalesce(sum(kind = 'capture'), 0) as signed) captures, \
                cast(coalesce(sum(kind = 'release'), 0) as signed) releases, \
                cast(coalesce(sum(kind = 'payout'), 0) as signed) payments \
         from entries where account_id in (?, ?) and order_id = ?",
    )
    .bind(customers)
    .bind(customers)
    .bind(executors.unwrap_or(customers))
    .bind(order_id)
    .fetch_one(connection)
    .await?)
}

/// Writes a hold's state again. False when it is not as it was read.
pub async fn rewrite_hold(connection: &mut MySqlConnection, hold: &HoldCase, to: &str, at: OffsetDateTime) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update holds set state = ?, resolved_at = if(? = 'active', null, coalesce(resolved_at, ?)) where id = ? and state = ?",
    )
    .bind(to)
    .bind(to)
    .bind(at)
    .bind(hold.id)
    .bind(&hold.state)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks a top-up; its status.
pub async fn lock_topup(connection: &mut MySqlConnection, id: u64) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("select status from topups where id = ? for update").bind(id).fetch_optional(connection).await?)
}

/// Entries of this account that name the top-up.
pub async fn topup_entries(connection: &mut MySqlConnection, account_id: u64, topup_id: u64) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("select count(*) from entries where account_id = ? and topup_id = ?")
        .bind(account_id)
        .bind(topup_id)
        .fetch_one(connection)
        .await?)
}
