//! An account's history: its entries page by page, and its balance at a moment. Reads only.
//!
//! Entries are numbered in the order in which they happened, and their times never go back within an account. So a date
//! is looked up once as a number, and a page of any depth is a walk down the primary key from there.

use std::collections::HashMap;

use sqlx::{MySql, QueryBuilder};
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::{Store, StoreError};
use crate::domain::user::Party;

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
    pub payout_id: Option<u64>,
    pub hold_id: Option<u64>,
    pub peer_id: Option<u64>,
    pub created_at: OffsetDateTime,
}

/// An entry with the names of what it was for.
pub struct Line {
    pub entry: EntryRow,
    pub order_title: Option<String>,
    pub peer: Option<Party>,
}

const COLUMNS: &str = "e.seq, e.kind, e.operation_id, e.available_delta, e.held_delta, e.available_after, e.held_after, \
     e.order_id, e.topup_id, e.payout_id, e.hold_id, e.peer_id, e.created_at";

/// Entries of one account with a number from `first` to below `below`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub first: u64,
    pub below: u64,
}

/// What an account had after its entry `seq`.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct BalanceThen {
    pub seq: u64,
    pub available: i64,
    pub held: i64,
}

/// A moment as a DATETIME: as the TIMESTAMP that it would be bound as, it is nothing beyond 2038.
pub(super) fn datetime(at: OffsetDateTime) -> PrimitiveDateTime {
    let utc = at.to_offset(UtcOffset::UTC);
    PrimitiveDateTime::new(utc.date(), utc.time())
}

impl Store {
    /// The numbers of what happened from `from` on and before `to`.
    pub async fn span(&self, account_id: u64, from: Option<OffsetDateTime>, to: Option<OffsetDateTime>) -> Result<Span, StoreError> {
        let first = match from {
            Some(from) => self.first_since(account_id, from).await?,
            None => 0,
        };
        let below = match to {
            Some(to) => self.first_since(account_id, to).await?,
            None => u64::MAX,
        };
        Ok(Span { first, below })
    }

    /// The number of the first entry at this moment or later; beyond all numbers when there is none.
    async fn first_since(&self, account_id: u64, moment: OffsetDateTime) -> Result<u64, StoreError> {
        let first: Option<u64> = sqlx::query_scalar(
            "select seq from entries force index (by_time) where account_id = ? and created_at >= ? order by created_at, seq limit 1",
        )
        .bind(account_id)
        .bind(datetime(moment))
        .fetch_optional(&self.pool)
        .await?;
        Ok(first.unwrap_or(u64::MAX))
    }

    /// The newest entries of the span, at most `limit`; of these kinds, or of all when none is named.
    pub async fn entries(&self, account_id: u64, kinds: &[&str], span: Span, limit: u32) -> Result<Vec<EntryRow>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS);
        if kinds.is_empty() {
            query.push(" from entries e where e.account_id = ").push_bind(account_id);
            query.push(" and e.seq >= ").push_bind(span.first).push(" and e.seq < ").push_bind(span.below);
        } else {
            // One walk down the index for each kind, each as short as the page: `kind in (…)` would sort all there are.
            query.push(" from (");
            for (number, kind) in kinds.iter().enumerate() {
                query.push(if number == 0 { "(" } else { " union all (" });
                query.push("select seq from entries force index (by_kind) where account_id = ").push_bind(account_id);
                query.push(" and kind = ").push_bind((*kind).to_owned());
                query.push(" and seq >= ").push_bind(span.first).push(" and seq < ").push_bind(span.below);
                query.push(" order by seq desc limit ").push_bind(limit).push(")");
            }
            query.push(") as chosen join entries e on e.account_id = ").push_bind(account_id).push(" and e.seq = chosen.seq");
        }
        query.push(" order by e.seq desc limit ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }

    /// What the account had at this moment, an entry of the very moment included; `None` before its first entry.
    pub async fn balance_at(&self, account_id: u64, at: OffsetDateTime) -> Result<Option<BalanceThen>, StoreError> {
        // The index alone names the entry; the entry knows the balances after it.
        Ok(sqlx::query_as(
            "select e.seq, e.available_after as available, e.held_after as held from entries e join ( \
                 select seq from entries force index (by_time) where account_id = ? and created_at <= ? \
                 order by created_at desc, seq desc limit 1) as last_one on last_one.seq = e.seq where e.account_id = ?",
        )
        .bind(account_id)
        .bind(datetime(at))
        .bind(account_id)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The entries with the titles of their orders and the names of their other sides.
    pub async fn lines(&self, entries: Vec<EntryRow>) -> Result<Vec<Line>, StoreError> {
        let titles = self.titles_of(entries.iter().filter_map(|entry| entry.order_id).collect()).await?;
        let names = self.names_of(entries.iter().filter_map(|entry| entry.peer_id).collect()).await?;
        let line = |entry: EntryRow| Line {
            order_title: entry.order_id.and_then(|id| titles.get(&id).cloned()),
            peer: entry.peer_id.map(|id| names.party(id)),
            entry,
        };
        Ok(entries.into_iter().map(line).collect())
    }

    async fn titles_of(&self, mut ids: Vec<u64>) -> Result<HashMap<u64, String>, StoreError> {
        ids.sort_unstable();
        ids.dedup();
        let mut titles = HashMap::with_capacity(ids.len());
        for some in ids.chunks(1_000) {
            let mut query: QueryBuilder<MySql> = QueryBuilder::new("select id, title from orders where id in (");
            let mut list = query.separated(", ");
            for id in some {
                list.push_bind(*id);
            }
            query.push(")");
            titles.extend(query.build_query_as::<(u64, String)>().fetch_all(&self.pool).await?);
        }
        Ok(titles)
    }
}
