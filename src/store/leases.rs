//! Leases: work that one node at a time does for all. Held by the database's clock; nothing goes wrong when two work at
//! once, it only costs more.

use std::time::Duration;

use super::{Store, StoreError};

impl Store {
    /// Takes the lease or holds on to it; false while somebody else has it.
    pub async fn hold_lease(&self, name: &str, holder: &str, hold_for: Duration) -> Result<bool, StoreError> {
        let held = sqlx::query(
            "update leases set holder = ?, held_until = now(6) + interval ? microsecond \
             where name = ? and (holder = ? or held_until < now(6))",
        )
        .bind(holder)
        .bind(u64::try_from(hold_for.as_micros()).unwrap_or(u64::MAX))
        .bind(name)
        .bind(holder)
        .execute(&self.pool)
        .await?;
        Ok(held.rows_affected() == 1)
    }

    /// Lets go of it, if it is held.
    pub async fn end_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        sqlx::query("update leases set held_until = '2000-01-01' where name = ? and holder = ?")
            .bind(name)
            .bind(holder)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
