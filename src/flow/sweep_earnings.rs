//! Earnings into the wallet: for those who want one balance, from now on or for what is there already.

use schemars::JsonSchema;
use serde::Serialize;

use super::move_money::{attempt, body_hash, operation_id};
use super::payouts::Kept;
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::ledger::{AccountKind, Transfer};
use crate::domain::money::Currency;
use crate::domain::news::Subject;
use crate::domain::refusal::Refusal;
use crate::domain::sheet::Cause;
use crate::domain::user::Actor;
use crate::store::operations::{self, Claim};
use crate::store::{MySqlConnection, books};

/// What was moved.
#[derive(Serialize, JsonSchema)]
pub struct Swept {
    pub amount: i64,
    pub currency: &'static str,
}

struct Sweeping {
    id: String,
    hash: [u8; 32],
    currency: &'static str,
    earnings: u64,
    wallet: u64,
}

impl Flow {
    /// Moves all that is free among the earnings into the wallet. Answers what was moved as JSON; under a `key` used before
    /// the very same answer, a refusal included.
    pub async fn sweep_now(&self, actor: &Actor, currency: Currency, key: Option<&str>) -> Result<String, FlowError> {
        let currency = currency.code();
        let Some(earnings) = self.store.find_account(actor.user.id, AccountKind::Earnings, currency).await? else {
            return Err(Refusal::NothingToSweep.into());
        };
        let sweeping = Sweeping {
            id: operation_id("sweep", actor.user.id, key),
            hash: body_hash(&currency)?,
            currency,
            earnings,
            wallet: self.store.account_id(actor.user.id, AccountKind::Wallet, currency).await?,
        };
        let answer = transaction!(self.store, |connection| sweep(connection, &sweeping).await)?;
        if answer.is_ok() {
            self.outbox.announce(Subject::account(sweeping.earnings));
            self.outbox.announce(Subject::account(sweeping.wallet));
        }
        Ok(answer?)
    }
}

async fn sweep(connection: &mut MySqlConnection, sweeping: &Sweeping) -> Result<Result<String, Refusal>, FlowError> {
    let at = now();
    let Sweeping { id, hash, currency, earnings, wallet } = sweeping;
    match operations::claim(connection, id, "sweep", hash, at).await? {
        Claim::New => {}
        Claim::Mismatch => return Ok(Err(Refusal::Mismatch)),
        Claim::Repeat { refused: false, result } => return Ok(Ok(result)),
        Claim::Repeat { refused: true, result } => return Ok(Err(serde_json::from_str::<Kept>(&result)?.refusal())),
    }
    // Both are locked, so what is read is what is moved.
    let locked = books::lock(connection, [*earnings, *wallet]).await?;
    if locked.iter().any(|account| account.is_closed) {
        return Ok(Err(Kept::Closed.conclude(connection, id).await?));
    }
    let amount = locked.iter().find(|account| account.id == *earnings).map_or(0, |account| account.available);
    if amount == 0 {
        return Ok(Err(Kept::NothingToSweep.conclude(connection, id).await?));
    }
    let transfer = Transfer::sweep(*earnings, *wallet, amount);
    if attempt(connection, &transfer, currency, &Cause::new(id, at)).await?.is_some() {
        return Err(FlowError::Internal(format!("operation {id}: locked money was gone")));
    }
    let body = serde_json::to_string(&Swept { amount, currency })?;
    operations::conclude(connection, id, false, &body).await?;
    Ok(Ok(body))
}
