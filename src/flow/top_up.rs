//! Topping up the wallet: a payment is asked for, the gateway says how it ended, the wallet is credited once.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::move_money::{apply, body_hash, operation_id};
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::ledger::{AccountKind, EntryKind, Transfer};
use crate::domain::money::{Amount, Currency};
use crate::domain::news::Subject;
use crate::domain::refusal::Refusal;
use crate::domain::user::Actor;
use crate::store::accounts::Cause;
use crate::store::operations::{self, Claim};
use crate::store::topups::{self, TopupRow};
use crate::store::{MySqlConnection, StoreError};

/// A top-up as its owner reads it.
#[derive(Clone, Debug, Serialize)]
pub struct Topup {
    pub id: u64,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    pub pay_url: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl From<TopupRow> for Topup {
    fn from(row: TopupRow) -> Self {
        let pay_url = format!("/sandbox/topups/{}", row.id);
        Self { id: row.id, amount: row.amount, currency: row.currency, status: row.status, pay_url, created_at: row.created_at }
    }
}

/// How the gateway says a payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    Paid,
    Declined,
}

enum Asked {
    Created(String),
    Mismatch,
}

impl Flow {
    /// Asks for a payment; the answer is the top-up as JSON, the very same under a `key` used before.
    pub async fn create_topup(&self, actor: &Actor, amount: Amount, currency: Currency, key: Option<&str>) -> Result<String, FlowError> {
        let id = operation_id("topup-request", actor.user.id, key);
        let hash = body_hash(&(amount, currency))?;
        let ask = |user_id: u64| (user_id, amount.minor(), currency.code());
        match transaction!(self.store, |connection| create(connection, &id, &hash, ask(actor.user.id)).await)? {
            Asked::Created(body) => Ok(body),
            Asked::Mismatch => Err(Refusal::Mismatch.into()),
        }
    }

    /// The gateway's word on a payment of the actor's. Repeating it is harmless; contradicting it is refused.
    pub async fn resolve_topup(&self, actor: &Actor, topup_id: u64, payment: Payment) -> Result<Topup, FlowError> {
        let mine = |row: &TopupRow| row.user_id == actor.user.id;
        let topup = self.store.topup(topup_id).await?.filter(mine).ok_or(Refusal::NotFound("top-up"))?;
        let wanted = match payment {
            Payment::Paid => "received",
            Payment::Declined => "rejected",
        };
        if topup.status == "created" {
            let wallet = self.store.account_id(topup.user_id, AccountKind::Wallet, &topup.currency).await?;
            if transaction!(self.store, |connection| resolve(connection, &topup, wanted, wallet).await)? && payment == Payment::Paid {
                self.outbox.announce(Subject::account(wallet));
            }
        }
        let now_is = self.store.topup(topup_id).await?.ok_or(Refusal::NotFound("top-up"))?;
        if now_is.status != wanted {
            return Err(Refusal::TopupDecided.into());
        }
        Ok(now_is.into())
    }
}

async fn create(
    connection: &mut MySqlConnection,
    id: &str,
    hash: &[u8; 32],
    (user_id, amount, currency): (u64, i64, &str),
) -> Result<Asked, FlowError> {
    let at = now();
    match operations::claim(connection, id, "topup_request", hash, at).await? {
        Claim::New => {}
        Claim::Repeat { result, .. } => return Ok(Asked::Created(result)),
        Claim::Mismatch => return Ok(Asked::Mismatch),
    }
    let topup_id = topups::insert(connection, user_id, amount, currency, at).await?;
    let row = TopupRow { id: topup_id, user_id, currency: currency.to_owned(), amount, status: "created".into(), created_at: at };
    let body = serde_json::to_string(&Topup::from(row))?;
    operations::conclude(connection, id, false, &body).await?;
    Ok(Asked::Created(body))
}

/// False when the top-up was decided meanwhile.
async fn resolve(connection: &mut MySqlConnection, topup: &TopupRow, wanted: &str, wallet: u64) -> Result<bool, FlowError> {
    let at = now();
    if !topups::resolve(connection, topup.id, wanted, at).await? {
        return Ok(false);
    }
    if wanted == "received" {
        let operation_id = format!("topup:{}", topup.id);
        credit(connection, &operation_id, wallet, topup, at).await?;
    }
    Ok(true)
}

async fn credit(
    connection: &mut MySqlConnection,
    operation_id: &str,
    wallet: u64,
    topup: &TopupRow,
    at: OffsetDateTime,
) -> Result<(), FlowError> {
    if !matches!(operations::claim(connection, operation_id, "credit", &[0; 32], at).await?, Claim::New) {
        return Err(StoreError::Corrupt(format!("top-up {} was undecided after it had been credited", topup.id)).into());
    }
    let cause = Cause { operation_id, order_id: None, topup_id: Some(topup.id), at };
    apply(connection, &Transfer::credit(wallet, EntryKind::Topup, topup.amount), &topup.currency, &cause).await?;
    operations::conclude(connection, operation_id, false, "{}").await?;
    Ok(())
}
