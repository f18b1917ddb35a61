//! People as admins look for them.

use sqlx::{MySql, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError, padded};

/// A user as an admin sees them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Person {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub about: String,
    pub language: String,
    pub is_admin: bool,
    pub created_at: OffsetDateTime,
    pub closed_at: Option<OffsetDateTime>,
}

const COLUMNS: &str = "select id, name, email, about, language, is_admin, created_at, closed_at from users where ";

impl Store {
    pub async fn person(&self, id: u64) -> Result<Option<Person>, StoreError> {
        let mut query = QueryBuilder::<MySql>::new(COLUMNS);
        query.push("id = ").push_bind(id);
        Ok(query.build_query_as().fetch_optional(&self.pool).await?)
    }

    /// Everybody with an id below `below`, newest first.
    pub async fn people(&self, below: u64, limit: u32) -> Result<Vec<Person>, StoreError> {
        let mut query = QueryBuilder::<MySql>::new(COLUMNS);
        query.push("id < ").push_bind(below).push(" order by id desc limit ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }

    /// The same of those whose number is `text`, or whose name or address begins with it. Each condition by its own index, which
    /// names no more people than the page has: one `or` would read everybody, and a common name has many.
    pub async fn people_like(&self, text: &str, below: u64, limit: u32) -> Result<Vec<Person>, StoreError> {
        let begins = format!("{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let mut query = QueryBuilder::<MySql>::new("");
        for (key, column, begins) in [("by_name", "name", begins.clone()), ("one_account_an_email", "email", begins.to_lowercase())] {
            query.push("(select id from users force index (").push(key).push(") where ").push(column).push(" like ").push_bind(begins);
            query.push(" and id < ").push_bind(below).push(" order by id desc limit ").push_bind(limit).push(") union ");
        }
        query.push("select id from users where id = ").push_bind(text.parse::<u64>().unwrap_or(0)).push(" and id < ").push_bind(below);
        query.push(" order by id desc limit ").push_bind(limit);
        let ids: Vec<u64> = query.build_query_scalar().fetch_all(&self.pool).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<MySql>::new(COLUMNS);
        query.push("id in (");
        let mut list = query.separated(", ");
        for id in padded(ids) {
            list.push_bind(id);
        }
        query.push(") order by id desc");
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }
}
