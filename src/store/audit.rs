//! What must hold between the tables, and how to find where it does not. Each violation names its subject and the figures;
//! nothing here changes a row but [`repairs`], which `flow` calls inside transactions of its own.
//!
//! Most classes are one query each. What needs the whole history is not: grouping a million operations in the database
//! takes longer than reading them once in the order of an index and counting here (see [`walks`]). Memory stays bounded
//! either way: violations beyond the number asked for are dropped.

use schemars::JsonSchema;
use std::collections::HashMap;

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlConnection};

use super::{Store, StoreError};

mod checks;
pub mod repairs;
mod walks;

pub use checks::{Check, Repair, checks};

use checks::Source;

/// Violations of one class that a report tells; that there are more is all it says of the rest.
pub const TOLD_MAX: usize = 50;

/// One place where an invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct Violation {
    /// Such as `account 12`.
    pub subject: String,
    pub detail: String,
    /// The subject without its noun.
    #[serde(skip)]
    pub id: String,
}

/// What one class has on a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub violations: Vec<Violation>,
    pub has_more: bool,
}

/// Gathers violations by class and keeps no more than `max` of each.
struct Gathered {
    max: usize,
    by_slug: HashMap<&'static str, Found>,
    nouns: HashMap<&'static str, &'static str>,
}

impl Gathered {
    fn new(max: usize) -> Self {
        Self { max, by_slug: HashMap::new(), nouns: checks().map(|check| (check.slug, check.noun)).collect() }
    }

    fn add(&mut self, slug: &'static str, id: String, detail: impl FnOnce() -> String) {
        let noun = self.nouns.get(slug).copied().unwrap_or("row");
        let found = self.by_slug.entry(slug).or_default();
        if found.violations.len() < self.max {
            found.violations.push(Violation { subject: format!("{noun} {id}"), detail: detail(), id });
        } else {
            found.has_more = true;
        }
    }
}

impl Store {
    /// A connection of its own for long reads: no time limit, and what it sees stands still from its transaction's first
    /// statement on.
    pub async fn open_for_audit(&self) -> Result<MySqlConnection, StoreError> {
        let mut connection = self.options.connect().await?;
        connection.execute("set session transaction isolation level repeatable read").await?;
        Ok(connection)
    }
}

/// Runs every check on `snapshot`; at most `max` violations each, in the catalogue's order.
pub async fn run(snapshot: &mut MySqlConnection, max: usize) -> Result<Vec<(&'static Check, Found)>, StoreError> {
    let mut gathered = Gathered::new(max);
    for check in checks() {
        let Source::Sql(sql) = check.source else { continue };
        // One more than is told, to know that there are more.
        let limited = AssertSqlSafe(format!("{sql} limit {}", max.saturating_add(1)));
        let rows: Vec<(String, String)> = sqlx::query_as(limited).fetch_all(&mut *snapshot).await?;
        for (id, detail) in rows {
            gathered.add(check.slug, id, || detail);
        }
    }
    walks::accounts(snapshot, &mut gathered).await?;
    walks::operations(snapshot, &mut gathered).await?;
    walks::orders(snapshot, &mut gathered).await?;
    Ok(checks().map(|check| (check, gathered.by_slug.remove(check.slug).unwrap_or_default())).collect())
}
