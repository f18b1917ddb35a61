//! The model: what billing is, in a few maps. It shares no code with the real thing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::steps::{Belief, Step};

const AMOUNT_MAX: i64 = 1_000_000_000_000;
const BALANCE_MAX: i64 = 9_000_000_000_000_000;

/// (user, account, currency)
type Key = (u64, String, String);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Account {
    available: i64,
    held: i64,
    version: u64,
}

#[derive(Clone, Debug)]
struct Hold {
    key: Key,
    amount: i64,
    is_active: bool,
}

/// What an operation should be answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    /// The balances after it, and whether it makes a hold.
    Done {
        accounts: Vec<Value>,
        makes_hold: Option<(Key, i64)>,
    },
    Refused(&'static str),
    /// The answer that the id got before.
    Repeated,
}

impl Expected {
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Expected::Done { .. })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Expected::Done { .. } => "done",
            Expected::Refused(code) => code,
            Expected::Repeated => "repeated",
        }
    }
}

pub(super) struct Model {
    users: Vec<u64>,
    closed: u64,
    accounts: BTreeMap<Key, Account>,
    /// By the real number, which only the real thing knows.
    holds: BTreeMap<u64, Hold>,
    hold_ids: Vec<u64>,
    /// Bodies by id.
    bodies: BTreeMap<String, Value>,
    answers: BTreeMap<String, String>,
    ids: Vec<String>,
}

impl Model {
    pub(super) fn new(users: &[u64], closed: u64, credits: &[i64]) -> Self {
        let mut accounts = BTreeMap::new();
        for (user, credit) in users.iter().zip(credits) {
            let version = u64::from(*credit > 0);
            accounts.insert((*user, "wallet".to_owned(), "RUB".to_owned()), Account { available: *credit, held: 0, version });
            accounts.insert((*user, "earnings".to_owned(), "RUB".to_owned()), Account::default());
        }
        Self {
            users: users.to_vec(),
            closed,
            accounts,
            holds: BTreeMap::new(),
            hold_ids: Vec::new(),
            bodies: BTreeMap::new(),
            answers: BTreeMap::new(),
            ids: Vec::new(),
        }
    }

    pub(super) fn users(&self) -> &[u64] {
        &self.users
    }

    fn user(&self, number: usize) -> u64 {
        self.users.get(number).copied().unwrap_or(999_999_999)
    }

    /// The command that a step stands for at this point of the sequence.
    pub(super) fn op(&mut self, step: &Step, tag: &str) -> Value {
        let known = step.id.and_then(|ago| self.ids.len().checked_sub(ago + 1)).map(|at| self.ids[at].clone());
        if let Some(id) = &known
            && step.is_repeat
        {
            return self.bodies[id].clone();
        }
        let id = known.unwrap_or_else(|| format!("{tag}-{}", self.ids.len()));
        let mut op = json!({"operation_id": id, "type": step.kind});
        let members = op.as_object_mut().unwrap();
        if step.kind == "capture" || step.kind == "release" {
            let hold_id = self.hold_ids.get(step.hold % self.hold_ids.len().max(1)).copied().unwrap_or(999_999_999);
            let hold = self.holds.get(&hold_id).cloned();
            members.insert("hold_id".into(), hold_id.into());
            match (step.belief, hold) {
                (Belief::NoSuchHold, _) => drop(members.insert("hold_id".into(), 999_999_999_u64.into())),
                (Belief::Nothing, _) | (_, None) => {}
                (belief, Some(hold)) => {
                    let user = if matches!(belief, Belief::WrongUser) { hold.key.0 + 1_000_000 } else { hold.key.0 };
                    let currency = if matches!(belief, Belief::WrongCurrency) { "CHF" } else { &hold.key.2 };
                    let amount = hold.amount + i64::from(matches!(belief, Belief::WrongAmount));
                    members.insert("user_id".into(), user.into());
                    members.insert("account".into(), hold.key.1.clone().into());
                    members.insert("currency".into(), currency.into());
                    members.insert("amount".into(), amount.into());
                }
            }
            if step.kind == "capture" && step.pays_somebody {
                members.insert("to_user_id".into(), self.user(step.to_user).into());
            }
        } else {
            members.insert("user_id".into(), self.user(step.user).into());
            members.insert("account".into(), step.account.into());
            members.insert("currency".into(), step.currency.into());
            members.insert("amount".into(), step.amount.into());
            if step.kind == "transfer" {
                members.insert("to_user_id".into(), self.user(step.to_user).into());
            }
        }
        self.bodies.entry(id.clone()).or_insert_with(|| op.clone());
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
        op
    }

    /// Applies the command and says what the answer must be.
    pub(super) fn apply(&mut self, op: &Value) -> Expected {
        let id = op["operation_id"].as_str().unwrap();
        if self.bodies[id] != *op {
            return Expected::Refused("mismatch");
        }
        if self.answers.contains_key(id) {
            return Expected::Repeated;
        }
        // The answer's text comes with `learn`; until then the id is taken.
        self.answers.insert(id.to_owned(), String::new());
        let before = self.accounts.clone();
        match self.carry_out(op) {
            Ok(expected) => expected,
            Err(code) => {
                self.accounts = before;
                Expected::Refused(code)
            }
        }
    }

    fn carry_out(&mut self, op: &Value) -> Result<Expected, &'static str> {
        let kind = op["type"].as_str().unwrap();
        if kind == "dance" {
            return Err("unknown_type");
        }
        let amount = op["amount"].as_i64();
        if amount.is_some_and(|amount| !(1..=AMOUNT_MAX).contains(&amount)) {
            return Err("invalid");
        }
        let to_user = op["to_user_id"].as_u64();
        if kind == "capture" || kind == "release" {
            return self.end_hold(op, to_user);
        }
        let key: Key =
            (op["user_id"].as_u64().unwrap(), op["account"].as_str().unwrap().to_owned(), op["currency"].as_str().unwrap().to_owned());
        let amount = amount.unwrap();
        if to_user == Some(key.0) {
            return Err("self_transfer");
        }
        match kind {
            "credit" => {
                self.may_have(key.0)?;
                self.add(&key, amount, 0)?;
                Ok(self.done(&[key], None))
            }
            "debit" => {
                self.may_have(key.0)?;
                self.add(&key, -amount, 0)?;
                Ok(self.done(&[key], None))
            }
            "hold" => {
                self.may_have(key.0)?;
                self.add(&key, -amount, amount)?;
                Ok(self.done(std::slice::from_ref(&key), Some((key.clone(), amount))))
            }
            "transfer" => {
                let other = (to_user.unwrap(), key.1.clone(), key.2.clone());
                self.may_have(key.0)?;
                if !self.accounts.contains_key(&key) {
                    return Err("insufficient_funds");
                }
                self.may_have(other.0)?;
                // In the order of the accounts' numbers, which is that of their making: whichever says no says it.
                self.add(&key, -amount, 0)?;
                self.add(&other, amount, 0)?;
                Ok(self.done(&[key, other], None))
            }
            other => panic!("no model of {other}"),
        }
    }

    fn end_hold(&mut self, op: &Value, to_user: Option<u64>) -> Result<Expected, &'static str> {
        if to_user.is_some() && to_user == op["user_id"].as_u64() {
            return Err("self_transfer");
        }
        let hold_id = op["hold_id"].as_u64().unwrap();
        let hold = self.holds.get(&hold_id).cloned().ok_or("unknown_hold")?;
        let differs = |name: &str, own: Value| !op[name].is_null() && op[name] != own;
        if differs("user_id", hold.key.0.into()) || differs("account", hold.key.1.clone().into()) {
            return Err("unknown_hold");
        }
        if differs("currency", hold.key.2.clone().into()) {
            return Err("currency_mismatch");
        }
        if !hold.is_active {
            return Err("hold_resolved");
        }
        if differs("amount", hold.amount.into()) {
            return Err("amount_mismatch");
        }
        let keys = match (op["type"].as_str().unwrap(), to_user) {
            ("release", _) => {
                self.add(&hold.key, hold.amount, -hold.amount)?;
                vec![hold.key]
            }
            (_, None) => {
                self.add(&hold.key, 0, -hold.amount)?;
                vec![hold.key]
            }
            (_, Some(user)) if user == hold.key.0 => return Err("self_transfer"),
            (_, Some(user)) => {
                let other = (user, hold.key.1.clone(), hold.key.2.clone());
                self.may_have(user)?;
                self.add(&hold.key, 0, -hold.amount)?;
                self.add(&other, hold.amount, 0)?;
                vec![hold.key, other]
            }
        };
        self.holds.get_mut(&hold_id).unwrap().is_active = false;
        Ok(self.done(&keys, None))
    }

    fn may_have(&self, user: u64) -> Result<(), &'static str> {
        match user {
            user if !self.users.contains(&user) => Err("unknown_user"),
            user if user == self.closed => Err("user_closed"),
            _ => Ok(()),
        }
    }

    fn add(&mut self, key: &Key, available: i64, held: i64) -> Result<(), &'static str> {
        let account = self.accounts.get(key).copied().unwrap_or_default();
        let after = Account { available: account.available + available, held: account.held + held, version: account.version + 1 };
        if after.available < 0 || after.held < 0 {
            return Err("insufficient_funds");
        }
        if after.available + after.held > BALANCE_MAX {
            return Err("balance_limit");
        }
        self.accounts.insert(key.clone(), after);
        Ok(())
    }

    fn done(&self, keys: &[Key], makes_hold: Option<(Key, i64)>) -> Expected {
        let after = |key: &Key| {
            let account = self.accounts[key];
            json!({"user_id": key.0, "account": key.1, "currency": key.2, "available": account.available, "held": account.held, "version": account.version})
        };
        Expected::Done { accounts: keys.iter().map(after).collect(), makes_hold }
    }

    /// Compares the answer with what it must be, and learns the number of a hold that was made.
    pub(super) fn learn(&mut self, op: &Value, expected: &Expected, text: &str) -> Result<(), String> {
        let answer: Value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
        let id = op["operation_id"].as_str().unwrap();
        let complain = || Err(format!("{op}\nexpected {expected:?}\nanswered {text}"));
        if answer["operation_id"] != op["operation_id"] {
            return complain();
        }
        match expected {
            Expected::Refused(code) if answer["status"] != "refused" || answer["code"] != *code => return complain(),
            Expected::Refused("mismatch") => return Ok(()),
            Expected::Refused(_) => {}
            Expected::Done { accounts, makes_hold } => {
                if answer["status"] != "done" || answer["result"]["accounts"] != Value::Array(accounts.clone()) {
                    return complain();
                }
                if let Some((key, amount)) = makes_hold {
                    let Some(hold_id) = answer["result"]["hold_id"].as_u64() else { return complain() };
                    self.holds.insert(hold_id, Hold { key: key.clone(), amount: *amount, is_active: true });
                    self.hold_ids.push(hold_id);
                }
            }
            // Refusals come by HTTP inside a problem, whose members have another order: compared as values.
            Expected::Repeated => {
                let first: Value = serde_json::from_str(&self.answers[id]).unwrap();
                return if first == answer { Ok(()) } else { complain() };
            }
        }
        self.answers.insert(id.to_owned(), text.to_owned());
        Ok(())
    }

    /// The database's accounts of these users are the model's.
    pub(super) fn agrees(&self, rows: &[(u64, String, String, i64, i64, u64)]) -> Result<(), String> {
        let real: BTreeMap<Key, Account> = rows
            .iter()
            .map(|(user, kind, currency, available, held, version)| {
                ((*user, kind.clone(), currency.clone()), Account { available: *available, held: *held, version: *version })
            })
            .collect();
        if real == self.accounts { Ok(()) } else { Err(format!("the database has {real:#?}\nthe model {:#?}", self.accounts)) }
    }
}
