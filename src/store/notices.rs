//! Inboxes and what is in them. Whoever adds a notice locks its user's inbox first, in ascending order of users, so notices are
//! numbered without holes in the order of their commits; and whoever has the inbox knows what is in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::value::RawValue;
use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::{Duration, OffsetDateTime};

use super::{Store, StoreError, parts};
use crate::domain::notice::{Choices, Event, Inbox, InboxNews, Notice, Told, Ways};
use crate::domain::order::unix_ms;

/// Notices of one user that are kept; each time so many more have come, those beyond are deleted.
const KEPT: u64 = 1_000;
const TRIM_EVERY: u64 = 100;
/// News of an inbox brings along the notices that came within this time, and so many of them: what a reader missed beyond is
/// in the list.
const LATELY: Duration = Duration::seconds(100);
const LATEST_MAX: u64 = 20;

#[derive(sqlx::FromRow)]
struct InboxRow {
    user_id: u64,
    version: u64,
    newest: u64,
    read_up_to: u64,
    unread: u32,
}

impl From<InboxRow> for Inbox {
    fn from(row: InboxRow) -> Self {
        Self { user_id: row.user_id, version: row.version, newest: row.newest, read_up_to: row.read_up_to, unread: row.unread }
    }
}

const INBOX_COLUMNS: &str = "user_id, version, newest, read_up_to, unread";

#[derive(sqlx::FromRow)]
struct NoticeRow {
    user_id: u64,
    seq: u64,
    event: String,
    facts: String,
    created_at: OffsetDateTime,
}

const NOTICE_COLUMNS: &str = "user_id, seq, event, facts, created_at";

impl NoticeRow {
    fn told(self) -> Result<Told, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("notice {} of user {} has {what}", self.seq, self.user_id));
        Ok(Told {
            id: self.seq,
            event: Event::parse(&self.event).ok_or_else(|| corrupt("an unknown event"))?,
            facts: RawValue::from_string(self.facts).map_err(|_| corrupt("facts that are not JSON"))?,
            created_at: self.created_at,
            created_ms: unix_ms(self.created_at),
        })
    }
}

/// An inbox that is locked, and how its user is told.
#[derive(sqlx::FromRow)]
struct LockedRow {
    user_id: u64,
    newest: u64,
    choices: Option<String>,
    telegram_chat: Option<i64>,
}

/// A notice that was written, and by which ways its user is told besides.
pub struct Added<'a> {
    pub notice: &'a Notice,
    pub seq: u64,
    pub ways: Ways,
    facts: String,
}

fn choices(user_id: u64, text: Option<&str>) -> Result<Choices, StoreError> {
    let read = text.map(serde_json::from_str).transpose();
    Ok(read.map_err(|error| StoreError::Corrupt(format!("the choices of user {user_id}: {error}")))?.unwrap_or_default())
}

impl Store {
    /// What the user has chosen, and whether a chat at Telegram is linked.
    pub async fn choices(&self, user_id: u64) -> Result<(Choices, bool), StoreError> {
        let found: Option<(Option<String>, Option<i64>)> =
            sqlx::query_as("select choices, telegram_chat from inboxes where user_id = ?").bind(user_id).fetch_optional(&self.pool).await?;
        let (text, chat) = found.unwrap_or_default();
        Ok((choices(user_id, text.as_deref())?, chat.is_some()))
    }

    /// The user's inbox; an empty one for somebody who was never told anything.
    pub async fn inbox(&self, user_id: u64) -> Result<Inbox, StoreError> {
        let found = self.inboxes(&[user_id]).await?.pop();
        Ok(found.unwrap_or(Inbox { user_id, ..Inbox::default() }))
    }

    pub async fn inboxes(&self, user_ids: &[u64]) -> Result<Vec<Inbox>, StoreError> {
        let mut found = Vec::with_capacity(user_ids.len());
        for some in parts(user_ids) {
            let mut query = QueryBuilder::<MySql>::new("select ");
            query.push(INBOX_COLUMNS).push(" from inboxes where user_id in (");
            list_of(&mut query, some);
            let rows: Vec<InboxRow> = query.build_query_as().fetch_all(&self.pool).await?;
            found.extend(rows.into_iter().map(Inbox::from));
        }
        Ok(found)
    }

    /// The present state of these users' inboxes, for news.
    pub async fn inboxes_by_user(&self, user_ids: &[u64], now: OffsetDateTime) -> Result<Vec<InboxNews>, StoreError> {
        let inboxes = self.inboxes(user_ids).await?;
        let mut latest: HashMap<u64, Vec<Told>> = HashMap::new();
        for some in parts(&inboxes) {
            let mut query = QueryBuilder::<MySql>::new("select ");
            query.push(NOTICE_COLUMNS).push(" from notifications where (");
            let mut list = query.separated(" or ");
            for inbox in some {
                list.push("(user_id = ").push_bind_unseparated(inbox.user_id);
                list.push_unseparated(" and seq > ").push_bind_unseparated(inbox.newest.saturating_sub(LATEST_MAX));
                list.push_unseparated(")");
            }
            query.push(") and is_shown and created_at > ").push_bind(now - LATELY).push(" order by user_id, seq");
            let rows: Vec<NoticeRow> = query.build_query_as().fetch_all(&self.pool).await?;
            for row in rows {
                latest.entry(row.user_id).or_default().push(row.told()?);
            }
        }
        let news = |inbox: Inbox| InboxNews { latest: latest.remove(&inbox.user_id).unwrap_or_default(), inbox };
        Ok(inboxes.into_iter().map(news).collect())
    }

    /// One page of what the user was told: numbers below `below`, at most `limit`, newest first.
    pub async fn notices_of(&self, user_id: u64, below: u64, limit: u32) -> Result<Vec<Told>, StoreError> {
        let mut query = QueryBuilder::<MySql>::new("select ");
        query.push(NOTICE_COLUMNS).push(" from notifications where user_id = ").push_bind(user_id);
        query.push(" and seq < ").push_bind(below).push(" and is_shown order by seq desc limit ").push_bind(limit);
        let rows: Vec<NoticeRow> = query.build_query_as().fetch_all(&self.pool).await?;
        rows.into_iter().map(NoticeRow::told).collect()
    }
}

/// Writes those of the notices that were not written before, and tells which. Their inboxes stay locked until the transaction
/// ends.
pub async fn add<'a>(connection: &mut MySqlConnection, notices: &'a [Notice], at: OffsetDateTime) -> Result<Vec<Added<'a>>, StoreError> {
    if notices.is_empty() {
        return Ok(Vec::new());
    }
    let mut inboxes = lock(connection, notices.iter().map(|notice| notice.user_id).collect()).await?;
    let mut known = known(connection, notices).await?;
    let mut counts: BTreeMap<u64, Count> = BTreeMap::new();
    let mut rows = Vec::with_capacity(notices.len());
    for notice in notices {
        if !known.insert((notice.user_id, notice.event.as_str().to_owned(), notice.subject.clone())) {
            continue;
        }
        let Some(inbox) = inboxes.get_mut(&notice.user_id) else {
            return Err(StoreError::Corrupt(format!("user {} has no inbox after it was made", notice.user_id)));
        };
        inbox.newest += 1;
        let ways = choices(notice.user_id, inbox.choices.as_deref())?.of(notice.event);
        let count = counts.entry(notice.user_id).or_default();
        count.all += 1;
        count.shown += u64::from(ways.app);
        let facts = serde_json::to_string(&notice.facts).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let ways = Ways { telegram: ways.telegram && inbox.telegram_chat.is_some(), ..ways };
        rows.push(Added { notice, seq: inbox.newest, ways, facts });
    }
    for some in parts(&rows) {
        let mut query =
            QueryBuilder::<MySql>::new("insert into notifications (user_id, seq, event, subject, facts, is_shown, created_at) ");
        query.push_values(some, |mut row, Added { notice, seq, ways, facts }| {
            row.push_bind(notice.user_id).push_bind(*seq).push_bind(notice.event.as_str());
            row.push_bind(&notice.subject).push_bind(facts).push_bind(ways.app).push_bind(at);
        });
        query.build().execute(&mut *connection).await?;
    }
    note_counts(connection, &counts).await?;
    for (user_id, count) in &counts {
        let newest = inboxes.get(user_id).map_or(0, |inbox| inbox.newest);
        if newest > KEPT && newest / TRIM_EVERY != (newest - count.all) / TRIM_EVERY {
            trim(connection, *user_id, newest - KEPT).await?;
        }
    }
    Ok(rows)
}

/// How many notices came to a user, and how many of them are shown in the app.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Count {
    all: u64,
    shown: u64,
}

/// Locks these users' inboxes in ascending order, and makes those that are not there yet.
async fn lock(connection: &mut MySqlConnection, users: BTreeSet<u64>) -> Result<HashMap<u64, LockedRow>, StoreError> {
    let users: Vec<u64> = users.into_iter().collect();
    let mut locked = HashMap::with_capacity(users.len());
    for some in parts(&users) {
        let mut query = QueryBuilder::<MySql>::new("insert into inboxes (user_id) ");
        query.push_values(some, |mut row, user_id| {
            row.push_bind(*user_id);
        });
        // Locks the row that is there, and leaves it as it is.
        query.push(" on duplicate key update user_id = inboxes.user_id");
        query.build().execute(&mut *connection).await?;
        let mut query = QueryBuilder::<MySql>::new("select user_id, newest, choices, telegram_chat from inboxes where user_id in (");
        list_of(&mut query, some);
        let rows: Vec<LockedRow> = query.build_query_as().fetch_all(&mut *connection).await?;
        locked.extend(rows.into_iter().map(|row| (row.user_id, row)));
    }
    Ok(locked)
}

/// Those of the notices that are written already, by user, event and subject.
async fn known(connection: &mut MySqlConnection, notices: &[Notice]) -> Result<HashSet<(u64, String, String)>, StoreError> {
    let mut known = HashSet::new();
    for some in parts(notices) {
        let mut query = QueryBuilder::<MySql>::new("select user_id, event, subject from notifications where ");
        let mut list = query.separated(" or ");
        for notice in some {
            list.push("(user_id = ").push_bind_unseparated(notice.user_id);
            list.push_unseparated(" and event = ").push_bind_unseparated(notice.event.as_str());
            list.push_unseparated(" and subject = ").push_bind_unseparated(&notice.subject).push_unseparated(")");
        }
        known.extend(query.build_query_as::<(u64, String, String)>().fetch_all(&mut *connection).await?);
    }
    Ok(known)
}

/// Notes in the inboxes how many came, one statement for all to whom the same number came.
async fn note_counts(connection: &mut MySqlConnection, counts: &BTreeMap<u64, Count>) -> Result<(), StoreError> {
    let mut by_count: BTreeMap<Count, Vec<u64>> = BTreeMap::new();
    for (user_id, count) in counts {
        by_count.entry(*count).or_default().push(*user_id);
    }
    for (count, users) in by_count {
        for some in parts(&users) {
            let mut query = QueryBuilder::<MySql>::new("update inboxes set version = version + 1, newest = newest + ");
            query.push_bind(count.all).push(", unread = unread + ").push_bind(count.shown).push(" where user_id in (");
            list_of(&mut query, some);
            query.build().execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Forgets the user's notices up to this number.
async fn trim(connection: &mut MySqlConnection, user_id: u64, up_to: u64) -> Result<(), StoreError> {
    let gone =
        sqlx::query("delete from notifications where user_id = ? and seq <= ?").bind(user_id).bind(up_to).execute(&mut *connection).await?;
    metrics::counter!("orderboard_notices_trimmed_total").increment(gone.rows_affected());
    sqlx::query("update inboxes set read_up_to = ?, unread = (select count(*) from notifications n where n.user_id = ? and n.seq > ? and n.is_shown) where user_id = ? and read_up_to < ?")
        .bind(up_to)
        .bind(user_id)
        .bind(up_to)
        .bind(user_id)
        .bind(up_to)
        .execute(connection)
        .await?;
    Ok(())
}

/// Everything up to this number is read. Numbers that are not given yet stay unread.
pub async fn read(connection: &mut MySqlConnection, user_id: u64, up_to: u64) -> Result<(), StoreError> {
    let newest: Option<u64> = sqlx::query_scalar("select newest from inboxes where user_id = ? for update")
        .bind(user_id)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(newest) = newest else { return Ok(()) };
    let up_to = up_to.min(newest);
    let unread: i64 = sqlx::query_scalar("select count(*) from notifications where user_id = ? and seq > ? and is_shown")
        .bind(user_id)
        .bind(up_to)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query("update inboxes set read_up_to = ?, unread = ?, version = version + 1 where user_id = ? and read_up_to < ?")
        .bind(up_to)
        .bind(unread)
        .bind(user_id)
        .bind(up_to)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps what the user has chosen, on top of what they had chosen before.
pub async fn choose(connection: &mut MySqlConnection, user_id: u64, changes: BTreeMap<Event, Ways>) -> Result<(), StoreError> {
    let locked = lock(connection, BTreeSet::from([user_id])).await?;
    let mut chosen = choices(user_id, locked.get(&user_id).and_then(|row| row.choices.as_deref()))?;
    chosen.change(changes);
    let text = serde_json::to_string(&chosen).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    sqlx::query("update inboxes set choices = ? where user_id = ?").bind(text).bind(user_id).execute(connection).await?;
    Ok(())
}

fn list_of(query: &mut QueryBuilder<MySql>, user_ids: &[u64]) {
    let mut list = query.separated(", ");
    for user_id in user_ids {
        list.push_bind(*user_id);
    }
    query.push(")");
}
