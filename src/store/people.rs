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

/// Of the newest people, so many are looked through one by one.
const LOOKED_THROUGH: u32 = 1_000;

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

    /// The same of those whose number is `text`, or whose name or address begins with it. A name that many have is met often enough
    /// among the newest; for another the indexes name all who have it, who are few.
    pub async fn people_like(&self, text: &str, below: u64, limit: u32) -> Result<Vec<Person>, StoreError> {
        let begins = format!("{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let sought = Sought { name: &begins, email: &begins.to_lowercase(), id: text.parse().unwrap_or(0) };
        let mut ids: Vec<u64> = sought.among_newest(below, limit).build_query_scalar().fetch_all(&self.pool).await?;
        if ids.len() < limit as usize {
            ids = sought.by_index(below, limit).build_query_scalar().fetch_all(&self.pool).await?;
        }
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

/// Who is looked for: a pattern each, and a number.
struct Sought<'a> {
    name: &'a str,
    email: &'a str,
    id: u64,
}

impl Sought<'_> {
    fn among_newest(&self, below: u64, limit: u32) -> QueryBuilder<MySql> {
        let mut query = QueryBuilder::new("select id from (select id, name, email from users where id < ");
        query.push_bind(below).push(" order by id desc limit ").push_bind(LOOKED_THROUGH).push(") newest where name like ");
        query.push_bind(self.name.to_owned()).push(" or email like ").push_bind(self.email.to_owned());
        query.push(" or id = ").push_bind(self.id).push(" order by id desc limit ").push_bind(limit);
        query
    }

    /// Each condition by its own index: one `or` would read everybody.
    fn by_index(&self, below: u64, limit: u32) -> QueryBuilder<MySql> {
        let mut query = QueryBuilder::new("");
        for (key, column, begins) in [("by_name", "name", self.name), ("one_account_an_email", "email", self.email)] {
            query.push("(select id from users force index (").push(key).push(") where ").push(column);
            query.push(" like ").push_bind(begins.to_owned()).push(" and id < ").push_bind(below);
            query.push(" order by id desc limit ").push_bind(limit).push(") union ");
        }
        query.push("select id from users where id = ").push_bind(self.id).push(" and id < ").push_bind(below);
        query.push(" order by id desc limit ").push_bind(limit);
        query
    }
}
