//! A sheet: the accounts that one transaction has locked, and what the operations of that transaction do to them, one
//! after the other. Everything is judged here, in memory, before anything is written; the caller writes the outcome with a
//! few statements, however many operations there were.
//!
//! A refused operation leaves the sheet as it was, to the last number.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::ledger::{AccountKind, EntryKind, SystemAccount, Transfer};

/// The largest balance: 9·10^15 minor units, which every JSON reader still holds exactly.
pub const BALANCE_MAX: i64 = 9_000_000_000_000_000;
/// Accounts that are yet to be made have numbers from here on, beyond every real one.
const PROVISIONAL: u64 = 1 << 63;

/// What an operation's entries are about.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    pub operation_id: &'a str,
    pub at: OffsetDateTime,
    pub order_id: Option<u64>,
    pub topup_id: Option<u64>,
    pub hold_id: Option<u64>,
    pub payout_id: Option<u64>,
}

impl<'a> Cause<'a> {
    pub fn new(operation_id: &'a str, at: OffsetDateTime) -> Self {
        Self { operation_id, at, order_id: None, topup_id: None, hold_id: None, payout_id: None }
    }
}

/// An account as it stands within the transaction.
#[derive(Clone, Debug)]
pub struct Standing {
    pub id: u64,
    pub user_id: u64,
    pub kind: AccountKind,
    pub currency: String,
    pub available: i64,
    pub held: i64,
    pub version: u64,
    /// Its version when it was locked.
    pub version_read: u64,
    pub changed_at: OffsetDateTime,
    pub is_closed: bool,
}

impl Standing {
    /// Yet to be made: it exists once the sheet is written.
    pub fn is_new(&self) -> bool {
        self.id >= PROVISIONAL
    }
}

/// A line of an account's history, about to be written.
#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    pub account_id: u64,
    pub seq: u64,
    pub kind: EntryKind,
    pub available_delta: i64,
    pub held_delta: i64,
    pub available_after: i64,
    pub held_after: i64,
    pub peer: Option<u64>,
    /// Times never go back within an account.
    pub at: OffsetDateTime,
    pub cause: Cause<'a>,
}

/// A line on a system account, about to be written.
#[derive(Clone, Debug)]
pub struct NewLine<'a> {
    pub number: u8,
    pub account: SystemAccount,
    pub currency: String,
    pub amount: i64,
    pub cause: Cause<'a>,
}

/// Why a transfer cannot be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unposted {
    /// A part of this account would become negative.
    Short { account_id: u64, available: i64 },
    /// This account would hold more than [`BALANCE_MAX`].
    TooMuch { account_id: u64 },
    /// The accounts are of different currencies, or one of them is not on the sheet: a fault of the program.
    Misfit { account_id: u64 },
}

#[derive(Clone, Debug, Default)]
pub struct Sheet<'a> {
    accounts: BTreeMap<u64, Standing>,
    entries: Vec<NewEntry<'a>>,
    lines: Vec<NewLine<'a>>,
}

impl<'a> Sheet<'a> {
    pub fn new(locked: impl IntoIterator<Item = Standing>) -> Self {
        Self { accounts: locked.into_iter().map(|standing| (standing.id, standing)).collect(), ..Self::default() }
    }

    pub fn account(&self, id: u64) -> Option<&Standing> {
        self.accounts.get(&id)
    }

    /// Makes room for an account that does not exist yet, and tells its provisional number.
    pub fn add_new(&mut self, user_id: u64, kind: AccountKind, currency: &str) -> u64 {
        let id = PROVISIONAL + self.accounts.len() as u64;
        let standing = Standing {
            id,
            user_id,
            kind,
            currency: currency.to_owned(),
            available: 0,
            held: 0,
            version: 0,
            version_read: 0,
            changed_at: OffsetDateTime::UNIX_EPOCH,
            is_closed: false,
        };
        self.accounts.insert(id, standing);
        id
    }

    /// Posts the whole transfer, or nothing of it.
    pub fn post(&mut self, transfer: &Transfer, cause: Cause<'a>) -> Result<(), Unposted> {
        let before: Vec<Standing> =
            transfer.postings().iter().filter_map(|posting| self.accounts.get(&posting.account_id).cloned()).collect();
        let entries_before = self.entries.len();
        match self.post_all(transfer, cause) {
            Ok(currency) => {
                self.lines.extend((0_u8..).zip(transfer.lines()).map(|(number, line)| NewLine {
                    number,
                    account: line.account,
                    currency: currency.clone(),
                    amount: line.amount,
                    cause,
                }));
                Ok(())
            }
            Err(unposted) => {
                self.entries.truncate(entries_before);
                // In reverse, so that an account with two postings gets its first state back.
                self.accounts.extend(before.into_iter().rev().map(|standing| (standing.id, standing)));
                Err(unposted)
            }
        }
    }

    fn post_all(&mut self, transfer: &Transfer, cause: Cause<'a>) -> Result<String, Unposted> {
        let mut currency: Option<String> = None;
        for posting in transfer.postings() {
            let account_id = posting.account_id;
            let standing = self.accounts.get_mut(&account_id).ok_or(Unposted::Misfit { account_id })?;
            if currency.get_or_insert_with(|| standing.currency.clone()) != &standing.currency {
                return Err(Unposted::Misfit { account_id });
            }
            let (available, held) = (standing.available + posting.available, standing.held + posting.held);
            if available < 0 || held < 0 {
                return Err(Unposted::Short { account_id, available: standing.available });
            }
            if available + held > BALANCE_MAX {
                return Err(Unposted::TooMuch { account_id });
            }
            standing.available = available;
            standing.held = held;
            standing.version += 1;
            standing.changed_at = standing.changed_at.max(cause.at);
            self.entries.push(NewEntry {
                account_id,
                seq: standing.version,
                kind: posting.kind,
                available_delta: posting.available,
                held_delta: posting.held,
                available_after: available,
                held_after: held,
                peer: posting.peer,
                at: standing.changed_at,
                cause,
            });
        }
        Ok(currency.unwrap_or_default())
    }

    /// Accounts that operations have moved, in ascending order of id.
    pub fn moved(&self) -> impl Iterator<Item = &Standing> {
        self.accounts.values().filter(|standing| standing.version != standing.version_read)
    }

    pub fn entries(&self) -> &[NewEntry<'a>] {
        &self.entries
    }

    pub fn lines(&self) -> &[NewLine<'a>] {
        &self.lines
    }

    /// Gives new accounts the ids they were made with.
    pub fn name_new(&mut self, made: &BTreeMap<u64, u64>) {
        for (provisional, id) in made {
            if let Some(standing) = self.accounts.remove(provisional) {
                self.accounts.insert(*id, Standing { id: *id, ..standing });
            }
        }
        for entry in &mut self.entries {
            if let Some(id) = made.get(&entry.account_id) {
                entry.account_id = *id;
            }
        }
    }

    /// Tells the entries which order they are about, and which hold was made for it.
    pub fn name_order(&mut self, order_id: u64, hold_id: u64) {
        for entry in &mut self.entries {
            entry.cause.order_id = Some(order_id);
            entry.cause.hold_id = Some(hold_id);
        }
    }

    /// Tells the entries which payout they are about, and which hold was made for it.
    pub fn name_payout(&mut self, payout_id: u64, hold_id: u64) {
        for entry in &mut self.entries {
            entry.cause.payout_id = Some(payout_id);
            entry.cause.hold_id = Some(hold_id);
        }
    }

    /// Tells the entries of these operations which hold they made.
    pub fn name_holds(&mut self, made: &BTreeMap<String, u64>) {
        for entry in &mut self.entries {
            if let Some(hold_id) = made.get(entry.cause.operation_id) {
                entry.cause.hold_id = Some(*hold_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::Side;

    fn standing(id: u64, available: i64, held: i64) -> Standing {
        Standing {
            id,
            user_id: id * 10,
            kind: AccountKind::Wallet,
            currency: "RUB".into(),
            available,
            held,
            version: 3,
            version_read: 3,
            changed_at: OffsetDateTime::UNIX_EPOCH,
            is_closed: false,
        }
    }

    fn side(account_id: u64) -> Side {
        Side { account_id, user_id: account_id * 10 }
    }

    fn cause(operation_id: &str) -> Cause<'_> {
        Cause::new(operation_id, OffsetDateTime::UNIX_EPOCH + time::Duration::SECOND)
    }

    #[test]
    fn operations_follow_each_other_and_each_entry_holds_the_balance_after_it() {
        let mut sheet = Sheet::new([standing(1, 100, 0), standing(2, 0, 0)]);
        sheet.post(&Transfer::hold(1, 40), cause("a")).expect("covered");
        sheet.post(&Transfer::give(side(1), side(2), 60), cause("b")).expect("covered");
        assert_eq!(sheet.post(&Transfer::debit(1, 1), cause("c")), Err(Unposted::Short { account_id: 1, available: 0 }));
        let told: Vec<_> = sheet.entries().iter().map(|e| (e.account_id, e.seq, e.available_after, e.held_after)).collect();
        assert_eq!(told, [(1, 4, 60, 40), (1, 5, 0, 40), (2, 4, 60, 0)]);
    }

    #[test]
    fn a_refusal_half_way_leaves_nothing() {
        let mut sheet = Sheet::new([standing(1, 5, 0), standing(2, BALANCE_MAX, 0)]);
        let before = format!("{sheet:?}");
        assert_eq!(sheet.post(&Transfer::give(side(1), side(2), 5), cause("a")), Err(Unposted::TooMuch { account_id: 2 }));
        assert_eq!(sheet.post(&Transfer::settle(9, 1, None, 2, 1), cause("b")), Err(Unposted::Misfit { account_id: 9 }));
        assert_eq!(sheet.post(&Transfer::sweep(1, 2, 5), cause("c")), Err(Unposted::TooMuch { account_id: 2 }));
        assert_eq!(format!("{sheet:?}"), before);
    }

    #[test]
    fn currencies_do_not_mix() {
        let mut sheet = Sheet::new([standing(1, 5, 0), Standing { currency: "USD".into(), ..standing(2, 0, 0) }]);
        assert_eq!(sheet.post(&Transfer::give(side(1), side(2), 5), cause("a")), Err(Unposted::Misfit { account_id: 2 }));
    }

    #[test]
    fn times_never_go_back_within_an_account() {
        let later = OffsetDateTime::UNIX_EPOCH + time::Duration::DAY;
        let mut sheet = Sheet::new([Standing { changed_at: later, ..standing(1, 5, 0) }]);
        sheet.post(&Transfer::debit(1, 1), cause("a")).expect("covered");
        assert_eq!(sheet.entries()[0].at, later);
    }

    #[test]
    fn new_accounts_and_holds_get_their_numbers_when_they_are_made() {
        let mut sheet = Sheet::new([standing(1, 5, 0)]);
        let new = sheet.add_new(20, AccountKind::Wallet, "RUB");
        sheet.post(&Transfer::give(side(1), Side { account_id: new, user_id: 20 }, 5), cause("a")).expect("covered");
        sheet.name_new(&BTreeMap::from([(new, 8)]));
        sheet.name_holds(&BTreeMap::from([("a".to_owned(), 77)]));
        assert_eq!(sheet.account(8).map(|standing| (standing.available, standing.is_new())), Some((5, false)));
        let told: Vec<_> = sheet.entries().iter().map(|e| (e.account_id, e.cause.hold_id)).collect();
        assert_eq!(told, [(1, Some(77)), (8, Some(77))]);
    }
}
