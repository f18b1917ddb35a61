//! Users made in bulk on the command line, with a token and perhaps money: load tests need thousands, and none of them
//! a password.

use super::move_money::apply;
use super::transaction::transaction;
use super::{Flow, FlowError, hash_token, now, random_token};
use crate::domain::ledger::{AccountKind, EntryKind, Transfer};
use crate::domain::money::{Amount, Currency};
use crate::domain::news::Subject;
use crate::domain::sheet::Cause;
use crate::domain::user::Role;
use crate::store::operations::{self, Claim};
use crate::store::sessions::{self, NewSession};
use crate::store::users::{self, NewUser};
use crate::store::{MySqlConnection, StoreError};

/// A user made in bulk.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Granted {
    pub user_id: u64,
    pub role: Role,
    pub token: String,
}

impl Flow {
    /// Makes one user, called `name` where given, with a session in `role` and, where told, money in the wallet.
    pub async fn grant_user(&self, role: Role, name: Option<&str>, credit: Option<Amount>) -> Result<Granted, FlowError> {
        let token = random_token();
        let handle = token[..10].to_lowercase().replace(['-', '_'], "x");
        let email = format!("{}-{handle}@users.invalid", role.as_str());
        let default_name = format!("{} {}", role.as_str(), &handle[..6]);
        let user = NewUser { email: &email, name: name.unwrap_or(&default_name), password_hash: "", is_admin: role == Role::Admin };
        let user_id = transaction!(self.store, |connection| insert(connection, &user, &token, role, self.config.session_lifetime).await)?;
        self.open_accounts(user_id).await?;
        if let Some(amount) = credit {
            self.credit_wallet(user_id, amount).await?;
        }
        Ok(Granted { user_id, role, token })
    }

    /// Puts money from outside into a user's wallet, once per user.
    async fn credit_wallet(&self, user_id: u64, amount: Amount) -> Result<(), FlowError> {
        let wallet = self.store.account_id(user_id, AccountKind::Wallet, Currency::RUB.code()).await?;
        let operation_id = format!("grant:{user_id}");
        transaction!(self.store, |connection| credit(connection, &operation_id, wallet, amount).await)?;
        self.outbox.announce(Subject::account(wallet));
        Ok(())
    }
}

async fn insert(
    connection: &mut MySqlConnection,
    user: &NewUser<'_>,
    token: &str,
    role: Role,
    lifetime: std::time::Duration,
) -> Result<u64, FlowError> {
    let created_at = now();
    let user_id = users::insert(connection, user, created_at).await?;
    let user_id = user_id.ok_or_else(|| StoreError::Corrupt(format!("the random address {} was taken", user.email)))?;
    let session = NewSession {
        token_hash: hash_token(token),
        user_id,
        role,
        device: "command line",
        address: "",
        created_at,
        expires_at: created_at + lifetime,
    };
    sessions::insert(connection, &session).await?;
    Ok(user_id)
}

async fn credit(connection: &mut MySqlConnection, operation_id: &str, wallet: u64, amount: Amount) -> Result<(), FlowError> {
    let at = now();
    if !matches!(operations::claim(connection, operation_id, "credit", &[0; 32], at).await?, Claim::New) {
        return Ok(());
    }
    let cause = Cause::new(operation_id, at);
    apply(connection, &Transfer::credit(wallet, EntryKind::Credit, amount.minor()), Currency::RUB.code(), &cause).await?;
    operations::conclude(connection, operation_id, false, "{}").await?;
    Ok(())
}
