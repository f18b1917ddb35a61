//! Settings: values that an admin switches at run time, each a row of JSON.

use super::{Store, StoreError};

impl Store {
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("select value from settings where name = ?").bind(name).fetch_optional(&self.pool).await?)
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
