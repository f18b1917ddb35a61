//! Judging commands: a sheet of locked accounts, the holds they name, and what each command does to both. Pure, so that it
//! can be compared with a model.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::No;
use super::request::{Deed, HoldCheck, Spot, self_transfer};
use crate::domain::ledger::{AccountKind, Side, Transfer};
use crate::domain::sheet::{BALANCE_MAX, Cause, Sheet, Unposted};

/// Where a spot leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the sheet under this id.
    Account(u64),
    /// The user is there and has no such account yet.
    Empty,
    /// There is no such user.
    Nobody,
    /// The user is closed and never had such an account.
    Closed,
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    Captured,
    Released,
    Expired,
}

impl HoldEnd {
    pub fn as_str(self) -> &'static str {
        match self {
            HoldEnd::Captured => "captured",
            HoldEnd::Released => "released",
            HoldEnd::Expired => "expired",
        }
    }
}

/// A hold as it is within the transaction.
#[derive(Clone, Debug)]
pub struct HoldState {
    pub account_id: u64,
    pub amount: i64,
    /// `active`, or how it ended.
    pub state: String,
    pub expires_at: Option<OffsetDateTime>,
    /// Made by a billing operation, and not by an order or a payout, which alone decide about theirs.
    pub is_of_billing: bool,
}

/// A hold about to be made.
#[derive(Clone, Debug)]
pub struct NewHold {
    pub account_id: u64,
    pub operation_id: String,
    pub amount: i64,
    pub expires_at: Option<OffsetDateTime>,
    pub at: OffsetDateTime,
}

/// An account after an operation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "AccountAfter")]
pub struct After {
    pub user_id: u64,
    pub account: AccountKind,
    pub currency: String,
    pub available: i64,
    pub held: i64,
    pub version: u64,
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The accounts it moved, the one it was commanded on first.
    pub accounts: Vec<After>,
    /// The hold it ended. One that it made gets its number when it is written.
    pub hold_id: Option<u64>,
}

#[derive(Debug, Default)]
pub struct Desk<'a> {
    pub sheet: Sheet<'a>,
    pub places: HashMap<Spot, Place>,
    pub holds: HashMap<u64, HoldState>,
    pub new_holds: Vec<NewHold>,
    pub ended: BTreeMap<u64, HoldEnd>,
}

impl<'a> Desk<'a> {
    /// Carries out one command, or refuses it and changes nothing.
    pub fn judge(&mut self, deed: &Deed, cause: Cause<'a>) -> Result<Done, No> {
        match *deed {
            Deed::Credit { to, amount } => {
                let account = self.target(to)?;
                self.post(&Transfer::credit(account, crate::domain::ledger::EntryKind::Credit, amount.minor()), cause, amount.minor())?;
                Ok(self.done(&[account], None))
            }
            Deed::Debit { from, amount } => {
                let account = self.source(from, amount.minor())?;
                self.post(&Transfer::debit(account, amount.minor()), cause, amount.minor())?;
                Ok(self.done(&[account], None))
            }
            Deed::Hold { on, amount, expires_s } => {
                let account = self.source(on, amount.minor())?;
                self.post(&Transfer::hold(account, amount.minor()), cause, amount.minor())?;
                self.new_holds.push(NewHold {
                    account_id: account,
                    operation_id: cause.operation_id.to_owned(),
                    amount: amount.minor(),
                    expires_at: expires_s.map(|seconds| cause.at + Duration::seconds(seconds)),
                    at: cause.at,
                });
                Ok(self.done(&[account], None))
            }
            Deed::Transfer { from, to, amount } => {
                let source = self.source(from, amount.minor())?;
                let target = self.target(to)?;
                let (gives, gets) = (Side { account_id: source, user_id: from.user_id }, Side { account_id: target, user_id: to.user_id });
                self.post(&Transfer::give(gives, gets, amount.minor()), cause, amount.minor())?;
                Ok(self.done(&[source, target], None))
            }
            Deed::Capture { hold, to_user_id } => self.capture(&hold, to_user_id, cause),
            Deed::Release { hold } => {
                let found = self.active(&hold)?;
                self.release(hold.hold_id, &found, HoldEnd::Released, cause)
            }
            Deed::Expire { hold_id } => {
                let check = HoldCheck { hold_id, user_id: None, kind: None, currency: None, amount: None };
                let found = self.active(&check)?;
                match found.expires_at {
                    Some(expires_at) if expires_at <= cause.at => self.release(hold_id, &found, HoldEnd::Expired, cause),
                    _ => Err(No::new("not_due", "this hold's time is not over")),
                }
            }
        }
    }

    fn capture(&mut self, check: &HoldCheck, to_user_id: Option<u64>, cause: Cause<'a>) -> Result<Done, No> {
        let hold = self.active(check)?;
        if hold.expires_at.is_some_and(|expires_at| expires_at <= cause.at) {
            return Err(No::new("hold_expired", "this hold's time is over; its money is free again, or about to be"));
        }
        let Some(owner) = self.sheet.account(hold.account_id).cloned() else { return Err(No::internal()) };
        let mut cause = cause;
        cause.hold_id = Some(check.hold_id);
        let moved = match to_user_id {
            None => {
                self.post(&Transfer::capture(owner.id, hold.amount), cause, hold.amount)?;
                vec![owner.id]
            }
            Some(user_id) if user_id == owner.user_id => return Err(self_transfer()),
            Some(user_id) => {
                let currency = owner.currency.parse().map_err(|_| No::internal())?;
                let target = self.target(Spot { user_id, kind: owner.kind, currency })?;
                let (gives, gets) = (Side { account_id: owner.id, user_id: owner.user_id }, Side { account_id: target, user_id });
                self.post(&Transfer::capture_to(gives, gets, hold.amount), cause, hold.amount)?;
                vec![owner.id, target]
            }
        };
        self.end(check.hold_id, HoldEnd::Captured);
        Ok(self.done(&moved, Some(check.hold_id)))
    }

    fn release(&mut self, hold_id: u64, hold: &HoldState, end: HoldEnd, cause: Cause<'a>) -> Result<Done, No> {
        let mut cause = cause;
        cause.hold_id = Some(hold_id);
        self.post(&Transfer::release(hold.account_id, hold.amount), cause, hold.amount)?;
        self.end(hold_id, end);
        Ok(self.done(&[hold.account_id], Some(hold_id)))
    }

    fn end(&mut self, hold_id: u64, end: HoldEnd) {
        if let Some(hold) = self.holds.get_mut(&hold_id) {
            end.as_str().clone_into(&mut hold.state);
        }
        self.ended.insert(hold_id, end);
    }

    /// The hold, if it may be ended and is what the caller believes it to be.
    fn active(&self, check: &HoldCheck) -> Result<HoldState, No> {
        let unknown = || No::new("unknown_hold", "there is no such hold on this account; name the `hold_id` that the hold's answer told");
        let hold = self.holds.get(&check.hold_id).filter(|hold| hold.is_of_billing).ok_or_else(unknown)?;
        let owner = self.sheet.account(hold.account_id).ok_or_else(No::internal)?;
        if check.user_id.is_some_and(|user_id| user_id != owner.user_id) || check.kind.is_some_and(|kind| kind != owner.kind) {
            return Err(unknown());
        }
        if let Some(currency) = check.currency.filter(|currency| currency.code() != owner.currency) {
            let detail = format!("this hold is in {}, not in {currency}; an operation never mixes currencies", owner.currency);
            return Err(No::new("currency_mismatch", detail).with(json!({"currency": owner.currency})));
        }
        if hold.state != "active" {
            return Err(No::new("hold_resolved", format!("this hold was {} already", hold.state)).with(json!({"state": hold.state})));
        }
        if check.amount.is_some_and(|amount| amount != hold.amount) {
            let detail = format!("this hold is of exactly {}; a hold is captured or released as a whole", hold.amount);
            return Err(No::new("amount_mismatch", detail).with(json!({"amount": hold.amount})));
        }
        Ok(hold.clone())
    }

    /// An account that money leaves.
    fn source(&self, spot: Spot, needed: i64) -> Result<u64, No> {
        match self.places.get(&spot) {
            Some(Place::Account(id)) => self.open(*id),
            Some(Place::Empty) => Err(short(0, needed, spot.currency.code())),
            Some(Place::Closed) => Err(closed()),
            Some(Place::Nobody) | None => Err(nobody(spot.user_id)),
        }
    }

    /// An account that money reaches; made when it is the first of its kind and currency.
    fn target(&mut self, spot: Spot) -> Result<u64, No> {
        match self.places.get(&spot) {
            Some(Place::Account(id)) => self.open(*id),
            Some(Place::Empty) => {
                let id = self.sheet.add_new(spot.user_id, spot.kind, spot.currency.code());
                self.places.insert(spot, Place::Account(id));
                Ok(id)
            }
            Some(Place::Closed) => Err(closed()),
            Some(Place::Nobody) | None => Err(nobody(spot.user_id)),
        }
    }

    fn open(&self, account_id: u64) -> Result<u64, No> {
        match self.sheet.account(account_id) {
            Some(standing) if standing.is_closed => Err(closed()),
            Some(_) => Ok(account_id),
            None => Err(No::internal()),
        }
    }

    fn post(&mut self, transfer: &Transfer, cause: Cause<'a>, needed: i64) -> Result<(), No> {
        self.sheet.post(transfer, cause).map_err(|unposted| match unposted {
            Unposted::Short { account_id, available } => {
                let currency = self.sheet.account(account_id).map_or("", |standing| &standing.currency);
                short(available, needed, currency)
            }
            Unposted::TooMuch { .. } => No::new("balance_limit", format!("a balance is at most {BALANCE_MAX} minor units")),
            Unposted::Misfit { .. } => No::internal(),
        })
    }

    fn done(&self, accounts: &[u64], hold_id: Option<u64>) -> Done {
        let after = |id: &u64| {
            let standing = self.sheet.account(*id)?;
            Some(After {
                user_id: standing.user_id,
                account: standing.kind,
                currency: standing.currency.clone(),
                available: standing.available,
                held: standing.held,
                version: standing.version,
            })
        };
        Done { accounts: accounts.iter().filter_map(after).collect(), hold_id }
    }
}

fn short(available: i64, needed: i64, currency: &str) -> No {
    let detail = format!("{needed} minor units of {currency} are needed and {available} are free");
    No::new("insufficient_funds", detail).with(json!({"available": available, "needed": needed, "currency": currency}))
}

fn closed() -> No {
    No::new("user_closed", "this user is closed; only holds that exist may still be captured or released")
}

fn nobody(user_id: u64) -> No {
    No::new("unknown_user", format!("there is no user {user_id}")).with(json!({"user_id": user_id}))
}
