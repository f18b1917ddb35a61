//! The names of people by id. Orders keep ids only, so that users may live on another server; names are looked up
//! for a whole list at once and remembered for a minute.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{MySql, QueryBuilder};

use super::{Store, StoreError};
use crate::domain::user::Party;

#[derive(Clone)]
pub(super) struct Names(moka::sync::Cache<u64, Arc<str>>);

impl Default for Names {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(60)).build())
    }
}

/// Names for one list of rows.
pub(super) struct Known(HashMap<u64, Arc<str>>);

impl Known {
    /// A user who is not there (a row moved or was removed) still has a number.
    pub(super) fn party(&self, id: u64) -> Party {
        Party { id, name: self.0.get(&id).map_or_else(|| format!("#{id}"), |name| name.to_string()) }
    }
}

impl Names {
    /// The user is called otherwise now; other nodes follow when what they remember is a minute old.
    pub(super) fn forget(&self, user_id: u64) {
        self.0.invalidate(&user_id);
    }

    pub(super) fn forget_all(&self) {
        self.0.invalidate_all();
    }

    pub(super) fn remembered(&self) -> u64 {
        self.0.entry_count()
    }
}

impl Store {
    pub(super) async fn names_of(&self, ids: Vec<u64>) -> Result<Known, StoreError> {
        let mut known = HashMap::new();
        let mut missing = Vec::new();
        for id in ids {
            if known.contains_key(&id) || missing.contains(&id) {
                continue;
            }
            match self.names.0.get(&id) {
                Some(name) => drop(known.insert(id, name)),
                None => missing.push(id),
            }
        }
        for some in missing.chunks(1_000) {
            let mut query: QueryBuilder<MySql> = QueryBuilder::new("select id, name from users where id in (");
            let mut list = query.separated(", ");
            for id in some {
                list.push_bind(*id);
            }
            query.push(")");
            let rows: Vec<(u64, String)> = query.build_query_as().fetch_all(&self.pool).await?;
            for (id, name) in rows {
                let name: Arc<str> = name.into();
                self.names.0.insert(id, name.clone());
                known.insert(id, name);
            }
        }
        Ok(Known(known))
    }
}
