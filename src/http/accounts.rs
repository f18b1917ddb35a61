//! One's own money: balances and their history.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::{Query, Segment};
use super::lists::{Listed, page};
use crate::domain::ledger::AccountKind;
use crate::domain::money::Currency;
use crate::domain::order::unix_ms;
use crate::domain::refusal::Refusal;
use crate::store::accounts::EntryRow;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntriesQuery {
    currency: Option<Currency>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    seq: u64,
    kind: String,
    available_delta: i64,
    held_delta: i64,
    available_after: i64,
    held_after: i64,
    currency: &'static str,
    order_id: Option<u64>,
    topup_id: Option<u64>,
    operation_id: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    created_ms: i64,
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller) -> Answer {
    ok(&Listed::whole(api.store.accounts_of(session.actor.user.id).await?))
}

pub(super) async fn entries(
    State(api): State<Api>,
    Caller(session): Caller,
    Segment(kind): Segment,
    Query(query): Query<EntriesQuery>,
) -> Answer {
    let kind = AccountKind::parse(&kind).ok_or(Refusal::NotFound("account"))?;
    let currency = query.currency.unwrap_or(Currency::RUB).code();
    let page = page(query.limit, query.cursor.as_deref())?;
    let accounts = api.store.accounts_of(session.actor.user.id).await?;
    let account = accounts.iter().find(|account| account.account == kind && account.currency == currency);
    let rows = match account {
        Some(account) => api.store.entries(account.id, page.below, page.limit).await?,
        None => Vec::new(),
    };
    let item = |row: EntryRow| Entry {
        seq: row.seq,
        kind: row.kind,
        available_delta: row.available_delta,
        held_delta: row.held_delta,
        available_after: row.available_after,
        held_after: row.held_after,
        currency,
        order_id: row.order_id,
        topup_id: row.topup_id,
        operation_id: row.operation_id,
        created_at: row.created_at,
        created_ms: unix_ms(row.created_at),
    };
    ok(&Listed::new(rows.into_iter().map(item).collect(), page, |entry: &Entry| entry.seq))
}
