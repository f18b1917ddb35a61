//! Payouts: somebody asks for their money and it is held; an admin approves, and it leaves the house; or rejects, and it is
//! free again; or its owner thinks better of it first. The payout's row decides between them: whoever moves it out of
//! `created` moves the money, once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::move_money::{Short, apply, body_hash, judge, operation_id};
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::billing::{HoldEnd, NewHold};
use crate::domain::ledger::{AccountKind, Transfer};
use crate::domain::news::Subject;
use crate::domain::notice::{Event, Notice};
use crate::domain::order::unix_ms;
use crate::domain::payout::{PayoutDraft, PayoutStatus};
use crate::domain::refusal::Refusal;
use crate::domain::schema::Moment;
use crate::domain::sheet::Cause;
use crate::domain::user::{Actor, Role};
use crate::store::operations::{self, Claim};
use crate::store::payouts::{self, Decision, NewPayout, Payout};
use crate::store::{MySqlConnection, books, holds};

/// A payout as its owner reads it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Payout")]
pub struct OwnPayout {
    pub id: u64,
    pub amount: i64,
    pub currency: String,
    pub account: AccountKind,
    pub method: String,
    pub destination: String,
    pub status: PayoutStatus,
    pub comment: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub created_at: OffsetDateTime,
    pub created_ms: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<Moment>")]
    pub decided_at: Option<OffsetDateTime>,
    pub decided_ms: Option<i64>,
}

impl From<Payout> for OwnPayout {
    fn from(payout: Payout) -> Self {
        Self {
            id: payout.id,
            amount: payout.amount,
            currency: payout.currency,
            account: payout.account,
            method: payout.method,
            destination: payout.destination,
            status: payout.status,
            comment: payout.comment,
            created_at: payout.created_at,
            created_ms: unix_ms(payout.created_at),
            decided_at: payout.decided_at,
            decided_ms: payout.decided_at.map(unix_ms),
        }
    }
}

/// What may be decided about a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Approve,
    Reject,
    Cancel,
}

impl Verdict {
    fn status(self) -> PayoutStatus {
        match self {
            Verdict::Approve => PayoutStatus::Received,
            Verdict::Reject => PayoutStatus::Rejected,
            Verdict::Cancel => PayoutStatus::Cancelled,
        }
    }

    /// The operation's scope and kind, and how the hold ends.
    fn operation(self) -> (&'static str, &'static str, HoldEnd) {
        match self {
            Verdict::Approve => ("payout-approve", "withdrawal", HoldEnd::Captured),
            Verdict::Reject | Verdict::Cancel => ("payout-release", "release", HoldEnd::Released),
        }
    }

    /// What its owner is told; of their own doing nothing.
    fn event(self) -> Option<Event> {
        match self {
            Verdict::Approve => Some(Event::PayoutApproved),
            Verdict::Reject => Some(Event::PayoutRejected),
            Verdict::Cancel => None,
        }
    }

    fn transfer(self, payout: &Payout) -> Transfer {
        match self {
            Verdict::Approve => Transfer::withdraw(payout.account_id, payout.amount),
            Verdict::Reject | Verdict::Cancel => Transfer::release(payout.account_id, payout.amount),
        }
    }
}

/// A refusal as it is kept with its operation, to be told again in the same words.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kept {
    Short { available: i64, needed: i64, currency: String },
    Closed,
    NothingToSweep,
}

impl Kept {
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Kept::Short { available, needed, currency } => Refusal::InsufficientFunds { available, needed, currency },
            Kept::Closed => Refusal::UserClosed,
            Kept::NothingToSweep => Refusal::NothingToSweep,
        }
    }

    /// Commits the refusal as the operation's result.
    pub(super) async fn conclude(self, connection: &mut MySqlConnection, operation_id: &str) -> Result<Refusal, FlowError> {
        operations::conclude(connection, operation_id, true, &serde_json::to_string(&self)?).await?;
        Ok(self.refusal())
    }
}

/// A request under its idempotency id.
struct Asking<'a> {
    id: String,
    hash: [u8; 32],
    user_id: u64,
    /// Nothing where the user has no such account yet.
    account_id: Option<u64>,
    draft: &'a PayoutDraft,
}

impl Flow {
    /// Asks for a payout and holds its money. Answers the payout as JSON; under a `key` used before the very same answer, a
    /// refusal included.
    pub async fn request_payout(&self, actor: &Actor, draft: &PayoutDraft, key: Option<&str>) -> Result<String, FlowError> {
        let asking = Asking {
            id: operation_id("payout-request", actor.user.id, key),
            hash: body_hash(draft)?,
            user_id: actor.user.id,
            account_id: self.store.find_account(actor.user.id, draft.account, draft.currency.code()).await?,
            draft,
        };
        let answer = transaction!(self.store, |connection| request(connection, &asking).await)?;
        if answer.is_ok() {
            asking.account_id.into_iter().for_each(|account| self.outbox.announce(Subject::account(account)));
        }
        Ok(answer?)
    }

    /// The owner takes an undecided payout back. Asked again: the same payout, its money released once.
    pub async fn cancel_payout(&self, actor: &Actor, payout_id: u64) -> Result<Payout, FlowError> {
        let mine = |payout: &Payout| payout.user.id == actor.user.id;
        let payout = self.store.payout(payout_id).await?.filter(mine).ok_or(Refusal::NotFound("payout"))?;
        self.decide(actor, payout, Verdict::Cancel, None).await
    }

    /// An admin says that the money was paid. Asked again: the same payout, paid once.
    pub async fn approve_payout(&self, actor: &Actor, payout_id: u64, comment: Option<&str>) -> Result<Payout, FlowError> {
        let payout = self.payout_for_admin(actor, payout_id).await?;
        self.decide(actor, payout, Verdict::Approve, comment).await
    }

    /// An admin refuses to pay, and says why. Asked again: the same payout, its money released once.
    pub async fn reject_payout(&self, actor: &Actor, payout_id: u64, reason: &str) -> Result<Payout, FlowError> {
        let payout = self.payout_for_admin(actor, payout_id).await?;
        self.decide(actor, payout, Verdict::Reject, Some(reason)).await
    }

    async fn payout_for_admin(&self, actor: &Actor, payout_id: u64) -> Result<Payout, FlowError> {
        if actor.role != Role::Admin {
            return Err(Refusal::Forbidden("only admins decide about payouts").into());
        }
        Ok(self.store.payout(payout_id).await?.ok_or(Refusal::NotFound("payout"))?)
    }

    async fn decide(&self, actor: &Actor, payout: Payout, verdict: Verdict, comment: Option<&str>) -> Result<Payout, FlowError> {
        let wanted = verdict.status();
        let sum = (payout.amount, payout.currency.as_str());
        let words = comment.unwrap_or_default();
        let told = verdict.event().map(|event| Notice::payout_decided(payout.user.id, event, payout.id, sum, words));
        let told: Vec<Notice> = told.into_iter().collect();
        if payout.status == PayoutStatus::Created
            && transaction!(self.store, |connection| {
                let done = decide(connection, &payout, verdict, actor.user.id, comment).await;
                self.tell_if(connection, done, &told).await
            })?
        {
            let by_owner = actor.user.id == payout.user.id;
            tracing::info!(payout = payout.id, status = wanted.as_str(), by = actor.user.id, by_owner, "a payout was decided");
            self.outbox.announce(Subject::account(payout.account_id));
            self.announce_inboxes([payout.user.id]);
        }
        let now_is = self.store.payout(payout.id).await?.ok_or(Refusal::NotFound("payout"))?;
        if now_is.status != wanted {
            return Err(Refusal::PayoutDecided { status: now_is.status }.into());
        }
        Ok(now_is)
    }
}

async fn request(connection: &mut MySqlConnection, asking: &Asking<'_>) -> Result<Result<String, Refusal>, FlowError> {
    let at = now();
    match operations::claim(connection, &asking.id, "payout_request", &asking.hash, at).await? {
        Claim::New => {}
        Claim::Mismatch => return Ok(Err(Refusal::Mismatch)),
        Claim::Repeat { refused: false, result } => return Ok(Ok(result)),
        Claim::Repeat { refused: true, result } => return Ok(Err(serde_json::from_str::<Kept>(&result)?.refusal())),
    }
    let Asking { id, draft, user_id, .. } = asking;
    let (amount, currency) = (draft.amount.minor(), draft.currency.code());
    let short = |available: i64| Kept::Short { available, needed: amount, currency: currency.to_owned() };
    let Some(account_id) = asking.account_id else { return Ok(Err(short(0).conclude(connection, id).await?)) };
    // The account is locked and judged first: without the money there is nothing to undo.
    let mut sheet = match judge(connection, &Transfer::hold(account_id, amount), currency, Cause::new(id, at)).await? {
        Ok(sheet) => sheet,
        Err(Short { available }) => return Ok(Err(short(available).conclude(connection, id).await?)),
    };
    let account = sheet.account(account_id).ok_or_else(|| FlowError::Internal(format!("account {account_id} was judged unseen")))?;
    if account.is_closed {
        return Ok(Err(Kept::Closed.conclude(connection, id).await?));
    }
    let hold_seq = account.version;
    let hold = NewHold { account_id, operation_id: id.clone(), amount, expires_at: None, at };
    let hold_id = holds::insert(connection, &hold, None).await?;
    let payout_id = payouts::insert(connection, &NewPayout { user_id: *user_id, account_id, draft, hold_id, hold_seq, at }).await?;
    sheet.name_payout(payout_id, hold_id);
    books::write(connection, &mut sheet).await?;
    let payout = OwnPayout {
        id: payout_id,
        amount,
        currency: currency.to_owned(),
        account: draft.account,
        method: draft.method.clone(),
        destination: draft.destination.clone(),
        status: PayoutStatus::Created,
        comment: None,
        created_at: at,
        created_ms: unix_ms(at),
        decided_at: None,
        decided_ms: None,
    };
    let body = serde_json::to_string(&payout)?;
    operations::conclude(connection, id, false, &body).await?;
    Ok(Ok(body))
}

/// False when somebody had decided meanwhile; nothing is written then.
async fn decide(
    connection: &mut MySqlConnection,
    payout: &Payout,
    verdict: Verdict,
    by: u64,
    comment: Option<&str>,
) -> Result<bool, FlowError> {
    let at = now();
    // The payout first here, and without harm to the lock order: nobody else ever claims this operation's id.
    if !payouts::decide(connection, payout.id, &Decision { status: verdict.status(), by, comment, at }).await? {
        return Ok(false);
    }
    let (scope, kind, end) = verdict.operation();
    let operation_id = format!("{scope}:{}", payout.id);
    if !matches!(operations::claim(connection, &operation_id, kind, &[0; 32], at).await?, Claim::New) {
        return Err(FlowError::Internal(format!("payout {} was undecided after its money had moved", payout.id)));
    }
    if !holds::end(connection, payout.hold_id, end, at).await? {
        return Err(FlowError::Internal(format!("payout {} has no active hold", payout.id)));
    }
    let cause = Cause { payout_id: Some(payout.id), hold_id: Some(payout.hold_id), ..Cause::new(&operation_id, at) };
    apply(connection, &verdict.transfer(payout), &payout.currency, &cause).await?;
    operations::conclude(connection, &operation_id, false, "{}").await?;
    Ok(true)
}
