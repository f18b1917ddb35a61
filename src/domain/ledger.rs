//! Double entry. An operation is a set of postings on users' accounts and lines on system accounts whose sum is
//! zero; building one is pure, so it is checked before anything is written.
//!
//! System accounts (`gateway`, `payouts`, `commission`) have no balance row that could become hot: they are only
//! ever appended to. Money that people hold is therefore minus the sum of all system lines, to the kopeck.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// The customer's money.
    Wallet,
    /// The executor's money.
    Earnings,
}

impl AccountKind {
    pub fn as_str(self) -> &'static str {
        match self {
            AccountKind::Wallet => "wallet",
            AccountKind::Earnings => "earnings",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "wallet" => Some(AccountKind::Wallet),
            "earnings" => Some(AccountKind::Earnings),
            _ => None,
        }
    }
}

/// What an entry was for, as its owner reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Money put in by an operator's command line or by another system.
    Credit,
    /// Money taken out by another system.
    Debit,
    Topup,
    Hold,
    Release,
    /// An order's hold that followed its price.
    Adjust,
    Capture,
    /// An executor's pay for an order.
    Payout,
    /// Earnings that flow on into the wallet of somebody who wants one balance.
    Sweep,
    /// From one user to another.
    Transfer,
    /// Held money that was paid out of the system.
    Withdrawal,
}

impl EntryKind {
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Credit => "credit",
            EntryKind::Debit => "debit",
            EntryKind::Topup => "topup",
            EntryKind::Hold => "hold",
            EntryKind::Release => "release",
            EntryKind::Adjust => "adjust",
            EntryKind::Capture => "capture",
            EntryKind::Payout => "payout",
            EntryKind::Sweep => "sweep",
            EntryKind::Transfer => "transfer",
            EntryKind::Withdrawal => "withdrawal",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemAccount {
    /// Where money comes in from and other systems' debits go; its sum is minus what came in.
    Gateway,
    /// What was paid out to people.
    Payouts,
    /// What the house earned.
    Commission,
}

impl SystemAccount {
    pub fn as_str(self) -> &'static str {
        match self {
            SystemAccount::Gateway => "gateway",
            SystemAccount::Payouts => "payouts",
            SystemAccount::Commission => "commission",
        }
    }
}

/// One change of one user's account.
#[derive(Clone, Copy, Debug)]
pub struct Posting {
    pub account_id: u64,
    pub kind: EntryKind,
    pub available: i64,
    pub held: i64,
    /// The user on the other side, where there is one whom the owner should see.
    pub peer: Option<u64>,
}

impl Posting {
    fn new(account_id: u64, kind: EntryKind, available: i64, held: i64) -> Self {
        Self { account_id, kind, available, held, peer: None }
    }
}

/// An account and whose it is, as one side of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    pub account_id: u64,
    pub user_id: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct SystemLine {
    pub account: SystemAccount,
    pub amount: i64,
}

/// What one operation does to money. Built only by the functions below, each of which balances.
#[derive(Clone, Debug)]
pub struct Transfer {
    postings: Vec<Posting>,
    lines: Vec<SystemLine>,
}

impl Transfer {
    /// Money from outside onto an account.
    pub fn credit(account_id: u64, kind: EntryKind, amount: i64) -> Self {
        Self::balanced(vec![Posting::new(account_id, kind, amount, 0)], Some((SystemAccount::Gateway, -amount)))
    }

    /// Free money of an account goes back outside.
    pub fn debit(account_id: u64, amount: i64) -> Self {
        Self::balanced(vec![Posting::new(account_id, EntryKind::Debit, -amount, 0)], Some((SystemAccount::Gateway, amount)))
    }

    /// Free money becomes held money of the same account.
    pub fn hold(account_id: u64, amount: i64) -> Self {
        Self::balanced(vec![Posting::new(account_id, EntryKind::Hold, -amount, amount)], None)
    }

    /// Held money becomes free again.
    pub fn release(account_id: u64, amount: i64) -> Self {
        Self::balanced(vec![Posting::new(account_id, EntryKind::Release, amount, -amount)], None)
    }

    /// A hold becomes larger by so much, or smaller.
    pub fn adjust(account_id: u64, by: i64) -> Self {
        Self::balanced(vec![Posting::new(account_id, EntryKind::Adjust, -by, by)], None)
    }

    /// Held money goes to the house.
    pub fn capture(account_id: u64, amount: i64) -> Self {
        Self::balanced(vec![Posting::new(account_id, EntryKind::Capture, 0, -amount)], Some((SystemAccount::Commission, amount)))
    }

    /// Held money goes to another user.
    pub fn capture_to(from: Side, to: Side, amount: i64) -> Self {
        Self::between(from, to, EntryKind::Capture, (0, -amount), amount)
    }

    /// Free money goes to another user.
    pub fn give(from: Side, to: Side, amount: i64) -> Self {
        Self::between(from, to, EntryKind::Transfer, (-amount, 0), amount)
    }

    /// Held money leaves the system: it was paid out to its owner.
    pub fn withdraw(account_id: u64, amount: i64) -> Self {
        Self::balanced(vec![Posting::new(account_id, EntryKind::Withdrawal, 0, -amount)], Some((SystemAccount::Payouts, amount)))
    }

    /// Earnings flow on into the wallet of the same user.
    pub fn sweep(earnings: u64, wallet: u64, amount: i64) -> Self {
        let postings = vec![Posting::new(earnings, EntryKind::Sweep, -amount, 0), Posting::new(wallet, EntryKind::Sweep, amount, 0)];
        Self::balanced(postings, None)
    }

    /// A finished order: the customer's hold pays the executor and the house. Where `sweep_to` names the executor's
    /// wallet, the payout flows on into it.
    pub fn settle(customer_account: u64, earnings: u64, sweep_to: Option<u64>, payout: i64, commission: i64) -> Self {
        let mut postings = vec![
            Posting::new(customer_account, EntryKind::Capture, 0, -(payout + commission)),
            Posting::new(earnings, EntryKind::Payout, payout, 0),
        ];
        if let Some(wallet) = sweep_to {
            postings.push(Posting::new(earnings, EntryKind::Sweep, -payout, 0));
            postings.push(Posting::new(wallet, EntryKind::Sweep, payout, 0));
        }
        Self::balanced(postings, Some((SystemAccount::Commission, commission)))
    }

    fn between(from: Side, to: Side, kind: EntryKind, (available, held): (i64, i64), amount: i64) -> Self {
        let gives = Posting { peer: Some(to.user_id), ..Posting::new(from.account_id, kind, available, held) };
        let gets = Posting { peer: Some(from.user_id), ..Posting::new(to.account_id, EntryKind::Transfer, amount, 0) };
        Self::balanced(vec![gives, gets], None)
    }

    /// The postings in ascending account id: the one order in which accounts are ever locked. Several of one account keep
    /// the order in which they were written.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    pub fn lines(&self) -> &[SystemLine] {
        &self.lines
    }

    fn balanced(mut postings: Vec<Posting>, line: Option<(SystemAccount, i64)>) -> Self {
        let lines: Vec<SystemLine> = line.into_iter().map(|(account, amount)| SystemLine { account, amount }).collect();
        let sum: i64 = postings.iter().map(|posting| posting.available + posting.held).sum::<i64>()
            + lines.iter().map(|line| line.amount).sum::<i64>();
        assert_eq!(sum, 0, "an operation must balance: {postings:?} {lines:?}");
        postings.sort_by_key(|posting| posting.account_id);
        Self { postings, lines }
    }
}

/// An account as its owner sees it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    #[serde(skip_serializing, default)]
    pub id: u64,
    pub account: AccountKind,
    pub currency: String,
    pub available: i64,
    pub held: i64,
    pub version: u64,
}

/// An account's row in the news: the owner is known to nodes, never shown to clients.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountNews {
    pub user_id: u64,
    #[serde(flatten)]
    pub account: Account,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_come_in_the_order_in_which_accounts_are_locked() {
        let settled = Transfer::settle(9, 4, Some(6), 90, 10);
        let ids: Vec<u64> = settled.postings().iter().map(|posting| posting.account_id).collect();
        assert_eq!(ids, [4, 4, 6, 9]);
        assert_eq!(settled.postings()[0].available, 90, "earned before it flows on");
    }

    #[test]
    fn every_operation_sums_to_zero() {
        for transfer in [
            Transfer::credit(1, EntryKind::Topup, 5),
            Transfer::debit(1, 5),
            Transfer::capture(1, 5),
            Transfer::capture_to(Side { account_id: 1, user_id: 7 }, Side { account_id: 2, user_id: 8 }, 5),
            Transfer::give(Side { account_id: 1, user_id: 7 }, Side { account_id: 2, user_id: 8 }, 5),
            Transfer::withdraw(1, 5),
            Transfer::sweep(1, 2, 5),
            Transfer::hold(1, 5),
            Transfer::release(1, 5),
            Transfer::settle(1, 2, None, 4, 1),
            Transfer::settle(1, 2, Some(3), 4, 1),
        ] {
            let users: i64 = transfer.postings().iter().map(|posting| posting.available + posting.held).sum();
            let system: i64 = transfer.lines().iter().map(|line| line.amount).sum();
            assert_eq!(users + system, 0);
        }
    }
}
