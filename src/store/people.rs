//! People as admins look for them.

use sqlx::{MySql, QueryBuilder};
use time::OffsetDateTime;

use super::{Store, StoreError};

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

    /// The same of those whose number is `text`, or whose name or address begins with it. Each condition by its own index: one
    /// `or` would read everybody.
    pub async fn people_like(&self, text: &str, below: u64, limit: u32) -> Result<Vec<Person>, StoreError> {
        let begins = format!("{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let mut query = QueryBuilder::<MySql>::new(COLUMNS);
        query.push("id in (select id from (select id from users where name like ").push_bind(&begins);
        query.push(" union select id from users where email like ").push_bind(begins.to_lowercase());
        query.push(" union select id from users where id = ").push_bind(text.parse::<u64>().unwrap_or(0));
        query.push(") found) and id < ").push_bind(below).push(" order by id desc limit ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }
}
