//! Double entry. An operation is a set of postings on users' accounts and lines on system accounts whose sum is
//! zero; building one is pure, so it is checked before anything is written.
//!
//! System accounts (`gateway`, `payouts`, `commission`) have no balance row that could become hot: they are only
//! ever appended to. Money that people hold is therefore minus the sum of all system lines, to the kopeck.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Money put in by an operator's command line.
    Credit,
    Topup,
    Hold,
    Release,
    Capture,
    /// An executor's pay for an order.
    Payout,
    /// Earnings that flow on into the wallet of somebody who wants one balance.
    Sweep,
}

impl EntryKind {
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Credit => "credit",
            EntryKind::Topup => "topup",
            EntryKind::Hold => "hold",
            EntryKind::Release => "release",
            EntryKind::Capture => "capture",
            EntryKind::Payout => "payout",
            EntryKind::Sweep => "sweep",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemAccount {
    /// Where money comes in from; its sum is minus what came in.
    Gateway,
    /// What the house earned.
    Commission,
}

impl SystemAccount {
    pub fn as_str(self) -> &'static str {
        match self {
            SystemAccount::Gateway => "gateway",
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
        Self::balanced(
            vec![Posting { account_id, kind, available: amount, held: 0 }],
            vec![SystemLine { account: SystemAccount::Gateway, amount: -amount }],
        )
    }

    /// Free money becomes held money of the same account.
    pub fn hold(account_id: u64, amount: i64) -> Self {
        Self::balanced(vec![Posting { account_id, kind: EntryKind::Hold, available: -amount, held: amount }], vec![])
    }

    /// Held money becomes free again.
    pub fn release(account_id: u64, amount: i64) -> Self {
        Self::balanced(vec![Posting { account_id, kind: EntryKind::Release, available: amount, held: -amount }], vec![])
    }

    /// A finished order: the customer's hold pays the executor and the house. Where `sweep_to` names the executor's
    /// wallet, the payout flows on into it.
    pub fn settle(customer_account: u64, earnings: u64, sweep_to: Option<u64>, payout: i64, commission: i64) -> Self {
        let price = payout + commission;
        let mut postings = vec![
            Posting { account_id: customer_account, kind: EntryKind::Capture, available: 0, held: -price },
            Posting { account_id: earnings, kind: EntryKind::Payout, available: payout, held: 0 },
        ];
        if let Some(wallet) = sweep_to {
            postings.push(Posting { account_id: earnings, kind: EntryKind::Sweep, available: -payout, held: 0 });
            postings.push(Posting { account_id: wallet, kind: EntryKind::Sweep, available: payout, held: 0 });
        }
        Self::balanced(postings, vec![SystemLine { account: SystemAccount::Commission, amount: commission }])
    }

    /// The postings in ascending account id: the one order in which accounts are ever locked. Several of one account keep
    /// the order in which they were written.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    pub fn lines(&self) -> &[SystemLine] {
        &self.lines
    }

    fn balanced(mut postings: Vec<Posting>, lines: Vec<SystemLine>) -> Self {
        let sum: i64 = postings.iter().map(|posting| posting.available + posting.held).sum::<i64>()
            + lines.iter().map(|line| line.amount).sum::<i64>();
        assert_eq!(sum, 0, "an operation must balance: {postings:?} {lines:?}");
        postings.sort_by_key(|posting| posting.account_id);
        Self { postings, lines }
    }
}

/// An account as its owner sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
