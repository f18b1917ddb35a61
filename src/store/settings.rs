//! Settings: values that an admin switches at run time, each a row of JSON.

use std::collections::HashMap;

use super::{Store, StoreError, padded};

impl Store {
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("select value from settings where name = ?").bind(name).fetch_optional(&self.pool).await?)
    }

    /// Those of these that there are.
    pub async fn settings(&self, names: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        let mut query = sqlx::QueryBuilder::new("select name, value from settings where name in (");
        let mut list = query.separated(", ");
        for name in padded(names.to_vec()) {
            list.push_bind(name.to_owned());
        }
        query.push(")");
        let rows: Vec<(String, String)> = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }

    pub async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query("insert into settings (name, value) values (?, ?) on duplicate key update value = ?")
            .bind(name)
            .bind(value)
            .bind(value)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
