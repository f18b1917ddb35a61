//! A customer creates an order: the split is computed, the price is held, the order is on the board.

use serde::Serialize;
use time::OffsetDateTime;

use super::move_money::{Short, body_hash, judge, operation_id};
use super::transaction::transaction;
use super::{Flow, FlowError, limits, now, statistics};
use crate::domain::billing::NewHold;
use crate::domain::commission::{Policy, Split};
use crate::domain::ledger::{AccountKind, Transfer};
use crate::domain::limits::Limits;
use crate::domain::money::{Amount, Currency};
use crate::domain::news::Subject;
use crate::domain::order::{Acceptance, Assignment, FullOrder, Order, Status, unix_ms};
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::sheet::Cause;
use crate::domain::user::{Actor, Role};
use crate::store::operations::{self, Claim};
use crate::store::orders::{self, NewOrder};
use crate::store::{MySqlConnection, StoreError};
use crate::store::{books, holds};

/// The side of the price that the customer typed.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Price(Amount),
    Payout(Amount),
}

impl Ask {
    pub fn split(self, policy: Policy) -> Result<Split, Invalid> {
        match self {
            Ask::Price(price) => policy.by_price(price),
            Ask::Payout(payout) => policy.by_payout(payout),
        }
    }
}

/// A valid request for an order.
#[derive(Clone, Debug, Serialize)]
pub struct OrderDraft {
    pub title: String,
    pub description: String,
    pub category: Option<String>,
    pub currency: Currency,
    /// Not told where it is the first taker's: requests from before there was a choice had the same hash.
    #[serde(skip_serializing_if = "is_first")]
    pub assignment: Assignment,
    pub acceptance: Acceptance,
    pub ask: Ask,
}

fn is_first(assignment: &Assignment) -> bool {
    *assignment == Assignment::First
}

/// A refusal as it is kept with its operation, to be told again in the same words.
#[derive(Serialize, serde::Deserialize)]
pub(super) struct Uncovered {
    pub(super) available: i64,
    pub(super) needed: i64,
    pub(super) currency: String,
}

impl Uncovered {
    pub(super) fn refusal(self) -> Refusal {
        Refusal::InsufficientFunds { available: self.available, needed: self.needed, currency: self.currency }
    }
}

struct Creation<'a> {
    id: String,
    hash: [u8; 32],
    actor: &'a Actor,
    draft: &'a OrderDraft,
    split: Split,
    policy: Policy,
    limits: Limits,
    /// What is wrong with the category today; a repeat hears what the order was answered with all the same.
    unusable: Option<Invalid>,
    /// Nothing where the customer has no wallet in this currency yet.
    wallet: Option<u64>,
}

enum Created {
    Order { id: u64, body: String },
    Repeated(String),
    Refused(Refusal),
}

impl Flow {
    /// Answers the new order as JSON. Under a `key` used before, the very same answer, a refusal included.
    pub async fn create_order(&self, actor: &Actor, draft: &OrderDraft, key: Option<&str>) -> Result<String, FlowError> {
        if actor.role != Role::Customer {
            return Err(Refusal::Forbidden("only customers create orders; sign in as a customer").into());
        }
        let policy = self.policy();
        let creation = Creation {
            id: operation_id("create", actor.user.id, key),
            hash: body_hash(draft)?,
            actor,
            draft,
            split: draft.ask.split(policy)?,
            policy,
            limits: self.limits(),
            unusable: match &draft.category {
                Some(category) => self.unusable_category(category).await?,
                None => None,
            },
            wallet: self.store.find_account(actor.user.id, AccountKind::Wallet, draft.currency.code()).await?,
        };
        match transaction!(self.store, |connection| create(connection, &creation).await)? {
            Created::Order { id, body } => {
                self.outbox.announce(Subject::order(id));
                creation.wallet.into_iter().for_each(|wallet| self.outbox.announce(Subject::account(wallet)));
                Ok(body)
            }
            Created::Repeated(body) => Ok(body),
            Created::Refused(refusal) => Err(refusal.into()),
        }
    }
}

async fn create(connection: &mut MySqlConnection, creation: &Creation<'_>) -> Result<Created, FlowError> {
    let at = now();
    match operations::claim(connection, &creation.id, "create_order", &creation.hash, at).await? {
        Claim::New => {}
        Claim::Mismatch => return Ok(Created::Refused(Refusal::Mismatch)),
        Claim::Repeat { refused: false, result } => return Ok(Created::Repeated(result)),
        Claim::Repeat { refused: true, result } => {
            return Ok(Created::Refused(serde_json::from_str::<Uncovered>(&result)?.refusal()));
        }
    }
    if let Some(unusable) = &creation.unusable {
        return Err(unusable.clone().into());
    }
    let price = creation.split.price;
    let refuse = |available: i64| Uncovered { available, needed: price, currency: creation.draft.currency.code().to_owned() };
    let Some(wallet) = creation.wallet else { return refused(connection, creation, refuse(0)).await };
    // The money first: without it there is nothing to undo, and the refusal is committed as the operation's result.
    let transfer = Transfer::hold(wallet, price);
    let mut sheet = match judge(connection, &transfer, creation.draft.currency.code(), Cause::new(&creation.id, at)).await? {
        Ok(sheet) => sheet,
        Err(Short { available }) => return refused(connection, creation, refuse(available)).await,
    };
    limits::one_more_order(connection, &creation.limits, creation.actor.user.id, at).await?;
    let order = insert(connection, creation, at).await?;
    let hold = NewHold { account_id: wallet, operation_id: creation.id.clone(), amount: price, expires_at: None, at };
    let hold_id = holds::insert(connection, &hold, Some(order.order.id)).await?;
    sheet.name_order(order.order.id, hold_id);
    books::write(connection, &mut sheet).await?;
    statistics::created(connection, creation.actor.user.id, creation.draft.currency.code(), price).await?;
    let body = serde_json::to_string(&order)?;
    operations::conclude(connection, &creation.id, false, &body).await?;
    Ok(Created::Order { id: order.order.id, body })
}

async fn refused(connection: &mut MySqlConnection, creation: &Creation<'_>, short: Uncovered) -> Result<Created, FlowError> {
    operations::conclude(connection, &creation.id, true, &serde_json::to_string(&short)?).await?;
    Ok(Created::Refused(short.refusal()))
}

/// Writes the order and tells it as it will be read.
async fn insert(connection: &mut MySqlConnection, creation: &Creation<'_>, at: OffsetDateTime) -> Result<FullOrder, StoreError> {
    let Creation { actor, draft, split, policy, .. } = creation;
    let new = NewOrder {
        customer_id: actor.user.id,
        title: &draft.title,
        description: &draft.description,
        category: draft.category.as_deref(),
        currency: draft.currency,
        assignment: draft.assignment,
        acceptance: draft.acceptance,
        split: *split,
        policy: *policy,
        created_at: at,
    };
    let id = orders::insert(connection, &new).await?;
    let order = Order {
        id,
        version: 1,
        status: Status::Open,
        title: draft.title.clone(),
        category: draft.category.clone(),
        price: split.price,
        payout: split.payout,
        commission: split.commission,
        rate_bp: policy.rate_bp(),
        currency: draft.currency.code().to_owned(),
        customer: actor.user.clone(),
        executor: None,
        assignment: draft.assignment,
        acceptance: draft.acceptance,
        applicants: 0,
        created_ms: unix_ms(at),
        accepted_ms: None,
        submitted_ms: None,
        finished_ms: None,
        confirm_by_ms: None,
        created_at: at,
        accepted_at: None,
        edited_version: 1,
        disputed_ms: None,
    };
    Ok(FullOrder {
        order,
        executor_id: None,
        floor_bp: policy.floor_bp(),
        mode: policy.mode().as_str().to_owned(),
        description: draft.description.clone(),
        report: None,
        reject_reason: None,
        dispute_reason: None,
    })
}
