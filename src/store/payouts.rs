//! Payouts: what people asked for, what became of it, and what the money had been earned with.

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::history::{EntryRow, datetime};
use super::{Store, StoreError, parts};
use crate::domain::ledger::AccountKind;
use crate::domain::payout::{PayoutDraft, PayoutStatus};
use crate::domain::user::Party;

/// Entries before a payout that are looked through for what it was earned with.
const LOOK_BACK: u64 = 10_000;

/// A payout with the people around it.
#[derive(Clone, Debug)]
pub struct Payout {
    pub id: u64,
    pub user: Party,
    pub account_id: u64,
    pub account: AccountKind,
    pub currency: String,
    pub amount: i64,
    pub method: String,
    pub destination: String,
    pub status: PayoutStatus,
    pub comment: Option<String>,
    pub decided_by: Option<Party>,
    pub hold_id: u64,
    /// The number of the entry that held the money.
    pub hold_seq: u64,
    pub created_at: OffsetDateTime,
    pub decided_at: Option<OffsetDateTime>,
}

#[derive(sqlx::FromRow)]
struct PayoutRow {
    id: u64,
    user_id: u64,
    account_id: u64,
    account: String,
    currency: String,
    amount: i64,
    method: String,
    destination: String,
    status: String,
    comment: Option<String>,
    decided_by: Option<u64>,
    hold_id: u64,
    hold_seq: u64,
    created_at: OffsetDateTime,
    decided_at: Option<OffsetDateTime>,
}

const COLUMNS: &str = "id, user_id, account_id, account, currency, amount, method, destination, status, comment, decided_by, \
     hold_id, hold_seq, created_at, decided_at";

/// Where a file of payouts goes on: below this moment, and of the same moment below this id.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub at: OffsetDateTime,
    pub id: u64,
}

/// How many payouts of a user ended how, and their sum, in one currency.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Total {
    pub status: String,
    pub count: i64,
    pub amount: i64,
}

/// Something that came onto an account before a payout.
#[derive(Clone, Copy, sqlx::FromRow)]
pub struct Income {
    place: u64,
    seq: u64,
    pub order_id: Option<u64>,
    pub amount: i64,
}

impl Store {
    pub async fn payout(&self, id: u64) -> Result<Option<Payout>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from payouts where id = ").push_bind(id);
        Ok(self.payouts_by(query).await?.pop())
    }

    /// The user's payouts with an id below `below`, newest first.
    pub async fn payouts_of(&self, user_id: u64, below: u64, limit: u32) -> Result<Vec<Payout>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        // Left alone MariaDB reads all of the user's and skips those above the page.
        query.push(COLUMNS).push(" from payouts force index (of_user) where user_id = ").push_bind(user_id);
        query.push(" and id < ").push_bind(below);
        query.push(" order by id desc limit ").push_bind(limit);
        self.payouts_by(query).await
    }

    /// Everybody's payouts with an id below `below`, newest first.
    pub async fn payouts(&self, status: Option<PayoutStatus>, below: u64, limit: u32) -> Result<Vec<Payout>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from payouts where id < ").push_bind(below);
        if let Some(status) = status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        query.push(" order by id desc limit ").push_bind(limit);
        self.payouts_by(query).await
    }

    /// Everybody's payouts asked for from `from` on, before `place`, newest first: a page of a file.
    pub async fn payouts_before(
        &self,
        status: Option<PayoutStatus>,
        from: OffsetDateTime,
        place: Place,
        limit: u32,
    ) -> Result<Vec<Payout>, StoreError> {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from payouts where created_at >= ").push_bind(datetime(from));
        query.push(" and created_at <= ").push_bind(datetime(place.at));
        query.push(" and (created_at < ").push_bind(datetime(place.at)).push(" or id < ").push_bind(place.id).push(")");
        if let Some(status) = status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        query.push(" order by created_at desc, id desc limit ").push_bind(limit);
        self.payouts_by(query).await
    }

    /// What became of the user's payouts in this currency.
    pub async fn payout_totals(&self, user_id: u64, currency: &str) -> Result<Vec<Total>, StoreError> {
        Ok(sqlx::query_as(
            "select status, count(*) as count, cast(sum(amount) as signed) as amount from payouts \
             where user_id = ? and currency = ? group by status order by status",
        )
        .bind(user_id)
        .bind(currency)
        .fetch_all(&self.pool)
        .await?)
    }

    /// What came onto the account before the entry `before`, newest first, at most `limit`. Money that came back from a
    /// hold is left out: it had come before.
    pub async fn income_before(&self, account_id: u64, before: u64, limit: u32) -> Result<Vec<EntryRow>, StoreError> {
        Ok(sqlx::query_as(
            "select seq, kind, operation_id, available_delta, held_delta, available_after, held_after, order_id, topup_id, payout_id, \
             hold_id, peer_id, created_at from entries \
             where account_id = ? and seq < ? and seq >= ? and available_delta > 0 and held_delta = 0 order by seq desc limit ?",
        )
        .bind(account_id)
        .bind(before)
        .bind(before.saturating_sub(LOOK_BACK))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The same for several payouts at once, each by its account and entry: of each, order and amount of what came.
    pub async fn incomes_before(&self, places: &[(u64, u64)], limit: u32) -> Result<Vec<Vec<Income>>, StoreError> {
        let mut found: Vec<Vec<Income>> = places.iter().map(|_| Vec::new()).collect();
        let numbered: Vec<(usize, (u64, u64))> = places.iter().copied().enumerate().collect();
        for some in parts(&numbered) {
            let mut query: QueryBuilder<MySql> = QueryBuilder::new("");
            for (number, (place, (account_id, before))) in some.iter().enumerate() {
                query.push(if number == 0 { "(" } else { " union all (" });
                query
                    .push("select cast(")
                    .push_bind(*place as u64)
                    .push(" as unsigned) as place, seq, order_id, available_delta as amount");
                query.push(" from entries where account_id = ").push_bind(*account_id);
                query.push(" and seq < ").push_bind(*before).push(" and seq >= ").push_bind(before.saturating_sub(LOOK_BACK));
                query.push(" and available_delta > 0 and held_delta = 0 order by seq desc limit ").push_bind(limit).push(")");
            }
            let rows: Vec<Income> = query.build_query_as().fetch_all(&self.pool).await?;
            for income in rows {
                if let Some(of_one) = usize::try_from(income.place).ok().and_then(|place| found.get_mut(place)) {
                    of_one.push(income);
                }
            }
        }
        for of_one in &mut found {
            of_one.sort_unstable_by_key(|income| std::cmp::Reverse(income.seq));
        }
        Ok(found)
    }

    async fn payouts_by(&self, mut query: QueryBuilder<MySql>) -> Result<Vec<Payout>, StoreError> {
        let rows: Vec<PayoutRow> = query.build_query_as().fetch_all(&self.pool).await?;
        let names = self.names_of(rows.iter().flat_map(|row| [Some(row.user_id), row.decided_by]).flatten().collect()).await?;
        let payout = |row: PayoutRow| {
            let corrupt = || StoreError::Corrupt(format!("payout {} has account {} and status {}", row.id, row.account, row.status));
            Ok(Payout {
                id: row.id,
                user: names.party(row.user_id),
                account_id: row.account_id,
                account: AccountKind::parse(&row.account).ok_or_else(corrupt)?,
                status: PayoutStatus::parse(&row.status).ok_or_else(corrupt)?,
                currency: row.currency,
                amount: row.amount,
                method: row.method,
                destination: row.destination,
                comment: row.comment,
                decided_by: row.decided_by.map(|id| names.party(id)),
                hold_id: row.hold_id,
                hold_seq: row.hold_seq,
                created_at: row.created_at,
                decided_at: row.decided_at,
            })
        };
        rows.into_iter().map(payout).collect()
    }
}

/// A payout about to be asked for: whose, from where, and the hold of its money.
pub struct NewPayout<'a> {
    pub user_id: u64,
    pub account_id: u64,
    pub draft: &'a PayoutDraft,
    pub hold_id: u64,
    pub hold_seq: u64,
    pub at: OffsetDateTime,
}

pub async fn insert(connection: &mut MySqlConnection, new: &NewPayout<'_>) -> Result<u64, StoreError> {
    let inserted = sqlx::query(
        "insert into payouts (user_id, account_id, account, currency, amount, method, destination, hold_id, hold_seq, created_at) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(new.user_id)
    .bind(new.account_id)
    .bind(new.draft.account.as_str())
    .bind(new.draft.currency.code())
    .bind(new.draft.amount.minor())
    .bind(&new.draft.method)
    .bind(&new.draft.destination)
    .bind(new.hold_id)
    .bind(new.hold_seq)
    .bind(new.at)
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_id())
}

/// What is decided about a payout, by whom.
pub struct Decision<'a> {
    pub status: PayoutStatus,
    pub by: u64,
    pub comment: Option<&'a str>,
    pub at: OffsetDateTime,
}

/// Decides a payout that is still undecided; false when somebody was faster.
pub async fn decide(connection: &mut MySqlConnection, id: u64, decision: &Decision<'_>) -> Result<bool, StoreError> {
    let decided =
        sqlx::query("update payouts set status = ?, decided_by = ?, comment = ?, decided_at = ? where id = ? and status = 'created'")
            .bind(decision.status.as_str())
            .bind(decision.by)
            .bind(decision.comment)
            .bind(decision.at)
            .bind(id)
            .execute(connection)
            .await?;
    Ok(decided.rows_affected() == 1)
}
