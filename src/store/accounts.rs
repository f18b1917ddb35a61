//! Money accounts and their entries, as they are read. What moves them is in `books`.

use super::{Store, StoreError, by_ids, parts};
use crate::domain::ledger::{Account, AccountKind, AccountNews};

#[derive(sqlx::FromRow)]
pub(super) struct AccountRow {
    id: u64,
    user_id: u64,
    kind: String,
    currency: String,
    available: i64,
    held: i64,
    version: u64,
}

impl AccountRow {
    pub(super) const COLUMNS: &str = "id, user_id, kind, currency, available, held, version";

    pub(super) fn news(self) -> Result<AccountNews, StoreError> {
        let kind =
            AccountKind::parse(&self.kind).ok_or_else(|| StoreError::Corrupt(format!("account {} has kind {}", self.id, self.kind)))?;
        let account = Account {
            id: self.id,
            account: kind,
            currency: self.currency,
            available: self.available,
            held: self.held,
            version: self.version,
        };
        Ok(AccountNews { user_id: self.user_id, account })
    }
}

impl Store {
    pub async fn accounts_of(&self, user_id: u64) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<AccountRow> = sqlx::query_as(
            "select id, user_id, kind, currency, available, held, version from accounts where user_id = ? order by kind, currency",
        )
        .bind(user_id)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.news().map(|news| news.account)).collect()
    }

    /// What these users have, each one's in the order of [`Store::accounts_of`].
    pub async fn accounts_of_users(&self, user_ids: &[u64]) -> Result<Vec<AccountNews>, StoreError> {
        let mut found = Vec::with_capacity(user_ids.len() * 2);
        for some in parts(user_ids) {
            let mut query =
                sqlx::QueryBuilder::new("select id, user_id, kind, currency, available, held, version from accounts where user_id in (");
            let mut list = query.separated(", ");
            for id in some {
                list.push_bind(*id);
            }
            query.push(") order by user_id, kind, currency");
            let rows: Vec<AccountRow> = query.build_query_as().fetch_all(&self.pool).await?;
            for row in rows {
                found.push(row.news()?);
            }
        }
        Ok(found)
    }

    /// The present state of these accounts, for news.
    pub async fn accounts_by_id(&self, ids: &[u64]) -> Result<Vec<AccountNews>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<AccountRow> = by_ids(AccountRow::COLUMNS, "accounts", ids).build_query_as().fetch_all(&self.pool).await?;
        rows.into_iter().map(AccountRow::news).collect()
    }

    /// The account's id; made when this user has none of the kind and currency yet.
    pub async fn account_id(&self, user_id: u64, kind: AccountKind, currency: &str) -> Result<u64, StoreError> {
        for _ in 0..2 {
            if let Some(id) = self.find_account(user_id, kind, currency).await? {
                return Ok(id);
            }
            let made = sqlx::query("insert into accounts (user_id, kind, currency, is_closed) values (?, ?, ?, ?)")
                .bind(user_id)
                .bind(kind.as_str())
                .bind(currency)
                .bind(self.is_user_closed(user_id).await?)
                .execute(&self.pool)
                .await
                .map_err(StoreError::from);
            match made {
                Ok(done) => return Ok(done.last_insert_id()),
                Err(error) if error.is_duplicate() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Corrupt(format!("account {} of user {user_id} is neither there nor can it be made", kind.as_str())))
    }

    /// The account's id, where it exists.
    pub async fn find_account(&self, user_id: u64, kind: AccountKind, currency: &str) -> Result<Option<u64>, StoreError> {
        Ok(sqlx::query_scalar("select id from accounts where user_id = ? and kind = ? and currency = ?")
            .bind(user_id)
            .bind(kind.as_str())
            .bind(currency)
            .fetch_optional(&self.pool)
            .await?)
    }
}
