//! Topping up the wallet: a payment is asked for, the gateway says that its money has arrived, the wallet is credited once.
//!
//! A top-up is `created`, then `received`, `rejected` (declined in the sandbox; the real gateway never says so) or, when
//! nobody paid in time, `outdated`. Only the gateway's signed notification makes it `received`, and it does so out of
//! every other state: money that has arrived is the payer's, also when it comes late or after a refusal. What a browser
//! brings back from the gateway changes nothing.

use schemars::JsonSchema;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::move_money::{apply, body_hash, operation_id};
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::ledger::{AccountKind, EntryKind, Transfer};
use crate::domain::money::{Amount, Currency};
use crate::domain::news::Subject;
use crate::domain::notice::Notice;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::robokassa::{Culture, Fields, Invoice, Merchant, Message, Stage, Unreadable, out_sum, parse_sum};
use crate::domain::schema::Moment;
use crate::domain::sheet::Cause;
use crate::domain::user::Actor;
use crate::store::operations::{self, Claim};
use crate::store::topups::{self, From as States, TopupRow};
use crate::store::{MySqlConnection, StoreError};

/// How top-ups are paid, and how long one waits for its money.
#[derive(Clone, Debug)]
pub struct TopupConfig {
    /// Without one there are no top-ups.
    pub gateway: Option<Merchant>,
    pub outdated_after: Duration,
}

impl Default for TopupConfig {
    fn default() -> Self {
        Self { gateway: None, outdated_after: Duration::from_secs(28_800) }
    }
}

/// A top-up as its owner reads it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Topup {
    pub id: u64,
    pub amount: i64,
    pub currency: String,
    #[schemars(extend("enum" = ["created", "received", "rejected", "outdated"]))]
    pub status: String,
    /// Where to pay; empty when the gateway takes no such payment any more.
    pub pay_url: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub created_at: OffsetDateTime,
}

/// How the sandbox is told that a payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    Paid,
    Declined,
}

/// What became of a notification that money has arrived for a top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Credited(u64),
    /// It was credited before.
    Known(u64),
}

/// Why a notification is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    NoGateway,
    Unreadable(Unreadable),
    BadSign,
    /// A payment with no money behind it, where money is meant.
    Test,
    Unknown,
    /// Signed, and for another sum than was asked for: money has arrived, and a person has to look where it belongs.
    WrongSum {
        topup: u64,
        due: String,
        told: String,
    },
}

enum Asked {
    Created(String),
    Mismatch,
}

struct Ask<'a> {
    user_id: u64,
    amount: i64,
    currency: &'a str,
    culture: Culture,
}

impl Flow {
    /// Asks for a payment; the answer is the top-up as JSON, the very same under a `key` used before.
    pub async fn create_topup(
        &self,
        actor: &Actor,
        (amount, currency): (Amount, Currency),
        culture: Culture,
        key: Option<&str>,
    ) -> Result<String, FlowError> {
        let gateway = self.config.topups.gateway.as_ref();
        let gateway = gateway.ok_or(Refusal::Forbidden("wallets cannot be topped up here: no payment gateway is set up"))?;
        if !gateway.takes(currency.code()) {
            let detail = format!("the payment gateway takes no payments in {currency}; ask for RUB");
            return Err(Invalid::new("currency", Reason::Currency, detail).into());
        }
        let id = operation_id("topup-request", actor.user.id, key);
        let hash = body_hash(&(amount, currency))?;
        let ask = Ask { user_id: actor.user.id, amount: amount.minor(), currency: currency.code(), culture };
        match transaction!(self.store, |connection| self.ask_for_payment(connection, &id, &hash, &ask).await)? {
            Asked::Created(body) => Ok(body),
            Asked::Mismatch => Err(Refusal::Mismatch.into()),
        }
    }

    /// A top-up as its owner reads it, with the way to pay it.
    pub fn shown_topup(&self, row: TopupRow, culture: Culture) -> Topup {
        let gateway = self.config.topups.gateway.as_ref().filter(|gateway| gateway.takes(&row.currency));
        let pay_url = gateway.map(|gateway| {
            gateway.link(&Invoice {
                id: row.id,
                amount: row.amount,
                currency: &row.currency,
                culture,
                expires_at: row.created_at + self.config.topups.outdated_after,
                // For whoever looks at the payment in the shop's own list at the gateway.
                shp: vec![("Shp_user".to_owned(), row.user_id.to_string())],
            })
        });
        Topup {
            id: row.id,
            amount: row.amount,
            currency: row.currency,
            status: row.status,
            pay_url: pay_url.unwrap_or_default(),
            created_at: row.created_at,
        }
    }

    /// The gateway's word (ResultURL) that money has arrived. However often it is repeated, one credit.
    pub async fn hear_of_payment(&self, fields: &Fields) -> Result<Result<Arrival, Fault>, FlowError> {
        let heard = self.hear(fields, States::Any).await?;
        let result = match &heard {
            Ok(Arrival::Credited(_)) => "credited",
            Ok(Arrival::Known(_)) => "known",
            Err(Fault::NoGateway) => "no_gateway",
            Err(Fault::Unreadable(_)) => "unreadable",
            Err(Fault::BadSign) => "bad_sign",
            Err(Fault::Test) => "test",
            Err(Fault::Unknown) => "unknown",
            Err(Fault::WrongSum { .. }) => "wrong_sum",
        };
        metrics::counter!("orderboard_payment_notifications_total", "result" => result).increment(1);
        Ok(heard)
    }

    /// Whether the gateway itself sent this browser back after a payment (SuccessURL), and of which top-up. It is no proof
    /// of money, which only the notification is.
    pub fn returned_from_payment(&self, fields: &Fields) -> Option<u64> {
        let message = Message::read(fields).ok()?;
        self.gateway().filter(|gateway| gateway.is_return(&message))?;
        message.invoice()
    }

    /// The shop at the gateway, where there is one.
    pub fn gateway(&self) -> Option<&Merchant> {
        self.config.topups.gateway.as_ref()
    }

    /// The sandbox's word on a payment of the actor's, without the way through a browser. Repeating it is harmless;
    /// contradicting it is refused.
    pub async fn resolve_topup(&self, actor: &Actor, topup_id: u64, payment: Payment, culture: Culture) -> Result<Topup, FlowError> {
        let sandbox = self.gateway().filter(|gateway| gateway.stage == Stage::Sandbox);
        let sandbox = sandbox.ok_or(Refusal::Forbidden("only the sandbox can be told how a payment ended"))?;
        let mine = |row: &TopupRow| row.user_id == actor.user.id;
        let topup = self.store.topup(topup_id).await?.filter(mine).ok_or(Refusal::NotFound("top-up"))?;
        let wanted = match payment {
            Payment::Paid => {
                let told = sandbox.notification(&out_sum(topup.amount), &topup.id.to_string(), &[]);
                let fields = Fields::parse(told.as_bytes()).map_err(|fault| FlowError::Internal(fault.to_string()))?;
                if let Err(fault) = self.hear(&fields, States::NotRejected).await? {
                    return Err(FlowError::Internal(format!("the sandbox was not believed: {fault:?}")));
                }
                "received"
            }
            Payment::Declined => {
                transaction!(self.store, |connection| Ok::<_, FlowError>(topups::reject(connection, topup_id, now()).await?))?;
                "rejected"
            }
        };
        let now_is = self.store.topup(topup_id).await?.ok_or(Refusal::NotFound("top-up"))?;
        if now_is.status != wanted {
            return Err(Refusal::TopupDecided.into());
        }
        Ok(self.shown_topup(now_is, culture))
    }

    /// Marks payments that nobody made in time, at most `batch` of them; tells how many it were.
    pub async fn outdate_topups(&self, batch: u32) -> Result<u64, FlowError> {
        let at = now();
        let before = at - self.config.topups.outdated_after;
        transaction!(self.store, |connection| Ok::<_, FlowError>(topups::outdate(connection, before, batch, at).await?))
    }

    async fn ask_for_payment(
        &self,
        connection: &mut MySqlConnection,
        id: &str,
        hash: &[u8; 32],
        ask: &Ask<'_>,
    ) -> Result<Asked, FlowError> {
        let at = now();
        match operations::claim(connection, id, "topup_request", hash, at).await? {
            Claim::New => {}
            Claim::Repeat { result, .. } => return Ok(Asked::Created(result)),
            Claim::Mismatch => return Ok(Asked::Mismatch),
        }
        let topup_id = topups::insert(connection, ask.user_id, ask.amount, ask.currency, at).await?;
        let row = TopupRow {
            id: topup_id,
            user_id: ask.user_id,
            currency: ask.currency.to_owned(),
            amount: ask.amount,
            status: "created".into(),
            created_at: at,
        };
        let body = serde_json::to_string(&self.shown_topup(row, ask.culture))?;
        operations::conclude(connection, id, false, &body).await?;
        Ok(Asked::Created(body))
    }

    async fn hear(&self, fields: &Fields, from: States) -> Result<Result<Arrival, Fault>, FlowError> {
        let message = match self.believed(fields) {
            Ok(message) => message,
            Err(fault) => return Ok(Err(fault)),
        };
        let known = match message.invoice() {
            Some(id) => self.store.topup(id).await?,
            None => None,
        };
        let Some(topup) = known else { return Ok(Err(Fault::Unknown)) };
        if parse_sum(&message.out_sum) != Some(topup.amount) {
            return Ok(Err(Fault::WrongSum { topup: topup.id, due: out_sum(topup.amount), told: message.out_sum }));
        }
        if topup.status == "received" {
            return Ok(Ok(Arrival::Known(topup.id)));
        }
        let wallet = self.store.account_id(topup.user_id, AccountKind::Wallet, &topup.currency).await?;
        let told = [Notice::topup(topup.user_id, topup.id, topup.amount, &topup.currency)];
        let received = transaction!(self.store, |connection| {
            let done = receive(connection, &topup, from, wallet).await;
            self.tell_if(connection, done, &told).await
        })?;
        if !received {
            return Ok(Ok(Arrival::Known(topup.id)));
        }
        if topup.status != "created" {
            tracing::info!(topup = topup.id, was = topup.status, "money has arrived for a payment that was given up");
        }
        self.outbox.announce(Subject::account(wallet));
        self.announce_inboxes([topup.user_id]);
        Ok(Ok(Arrival::Credited(topup.id)))
    }

    /// What the gateway says, if it is the gateway that says it.
    fn believed(&self, fields: &Fields) -> Result<Message, Fault> {
        let gateway = self.gateway().ok_or(Fault::NoGateway)?;
        let message = Message::read(fields).map_err(Fault::Unreadable)?;
        // The flag is not signed. The test passwords are what keeps test payments out; this says it a second time.
        if message.is_test && gateway.stage == Stage::Live {
            return Err(Fault::Test);
        }
        if gateway.is_notification(&message) { Ok(message) } else { Err(Fault::BadSign) }
    }
}

/// False when there was nothing to do: credited before, or not in one of the states.
async fn receive(connection: &mut MySqlConnection, topup: &TopupRow, from: States, wallet: u64) -> Result<bool, FlowError> {
    let at = now();
    if !topups::receive(connection, topup.id, from, at).await? {
        return Ok(false);
    }
    let operation_id = format!("topup:{}", topup.id);
    if !matches!(operations::claim(connection, &operation_id, "credit", &[0; 32], at).await?, Claim::New) {
        return Err(StoreError::Corrupt(format!("top-up {} was undecided after it had been credited", topup.id)).into());
    }
    let cause = Cause { topup_id: Some(topup.id), ..Cause::new(&operation_id, at) };
    apply(connection, &Transfer::credit(wallet, EntryKind::Topup, topup.amount), &topup.currency, &cause).await?;
    operations::conclude(connection, &operation_id, false, "{}").await?;
    Ok(true)
}
