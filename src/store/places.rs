//! Which account belongs to a user, kind and currency. Ids never change, so what was found once is remembered.

use std::collections::{HashMap, HashSet};

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::domain::billing::{Place, Spot};
use crate::domain::ledger::AccountKind;
use crate::domain::money::Currency;

#[derive(Clone)]
pub struct Places {
    ids: moka::sync::Cache<Spot, u64>,
    owners: moka::sync::Cache<u64, Spot>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            ids: moka::sync::Cache::builder().max_capacity(200_000).build(),
            owners: moka::sync::Cache::builder().max_capacity(200_000).build(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct AccountPlace {
    id: u64,
    user_id: u64,
    kind: String,
    currency: String,
}

impl AccountPlace {
    fn spot(&self) -> Option<Spot> {
        let (kind, currency) = (AccountKind::parse(&self.kind)?, self.currency.parse::<Currency>().ok()?);
        Some(Spot { user_id: self.user_id, kind, currency })
    }
}

impl Store {
    pub fn places(&self) -> &Places {
        &self.places
    }
}

impl Places {
    pub(super) fn forget_all(&self) {
        self.ids.invalidate_all();
        self.owners.invalidate_all();
    }

    pub(super) fn remembered(&self) -> u64 {
        self.ids.entry_count() + self.owners.entry_count()
    }

    /// Where each spot leads, read on the caller's connection.
    pub async fn find(
        &self,
        connection: &mut MySqlConnection,
        spots: impl Iterator<Item = Spot>,
    ) -> Result<HashMap<Spot, Place>, StoreError> {
        let mut places = HashMap::new();
        let mut missing = HashSet::new();
        for spot in spots {
            match self.ids.get(&spot) {
                Some(id) => drop(places.insert(spot, Place::Account(id))),
                None => drop(missing.insert(spot)),
            }
        }
        if missing.is_empty() {
            return Ok(places);
        }
        let users: HashSet<u64> = missing.iter().map(|spot| spot.user_id).collect();
        for row in accounts_of(&mut *connection, &users).await? {
            let Some(spot) = row.spot() else { continue };
            self.ids.insert(spot, row.id);
            if missing.remove(&spot) {
                places.insert(spot, Place::Account(row.id));
            }
        }
        if missing.is_empty() {
            return Ok(places);
        }
        let users: HashSet<u64> = missing.iter().map(|spot| spot.user_id).collect();
        let known = users_by_id(connection, &users).await?;
        places.extend(missing.into_iter().map(|spot| match known.get(&spot.user_id) {
            None => (spot, Place::Nobody),
            Some(Some(_closed_at)) => (spot, Place::Closed),
            Some(None) => (spot, Place::Empty),
        }));
        Ok(places)
    }
}

impl Places {
    /// Whose these accounts are.
    pub async fn owners(&self, connection: &mut MySqlConnection, ids: &[u64]) -> Result<HashMap<u64, Spot>, StoreError> {
        let mut owners: HashMap<u64, Spot> = ids.iter().filter_map(|id| Some((*id, self.owners.get(id)?))).collect();
        let missing: Vec<u64> = ids.iter().filter(|id| !owners.contains_key(id)).copied().collect();
        if missing.is_empty() {
            return Ok(owners);
        }
        let mut query = QueryBuilder::<MySql>::new("select id, user_id, kind, currency from accounts where id in (");
        let mut list = query.separated(", ");
        for id in &missing {
            list.push_bind(*id);
        }
        query.push(")");
        let rows: Vec<AccountPlace> = query.build_query_as().persistent(missing.len() == 1).fetch_all(connection).await?;
        for row in rows {
            if let Some(spot) = row.spot() {
                self.owners.insert(row.id, spot);
                owners.insert(row.id, spot);
            }
        }
        Ok(owners)
    }
}

async fn accounts_of(connection: &mut MySqlConnection, users: &HashSet<u64>) -> Result<Vec<AccountPlace>, StoreError> {
    let mut query = QueryBuilder::<MySql>::new("select id, user_id, kind, currency from accounts where user_id in (");
    let mut list = query.separated(", ");
    for user_id in users {
        list.push_bind(*user_id);
    }
    query.push(")");
    Ok(query.build_query_as().persistent(users.len() == 1).fetch_all(connection).await?)
}

async fn users_by_id(connection: &mut MySqlConnection, users: &HashSet<u64>) -> Result<HashMap<u64, Option<OffsetDateTime>>, StoreError> {
    let mut query = QueryBuilder::<MySql>::new("select id, closed_at from users where id in (");
    let mut list = query.separated(", ");
    for user_id in users {
        list.push_bind(*user_id);
    }
    query.push(")");
    let rows: Vec<(u64, Option<OffsetDateTime>)> = query.build_query_as().persistent(users.len() == 1).fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}
