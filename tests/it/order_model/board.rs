//! The model: what orders are, in a few structs. It shares no code with the real thing, knows no clock, and is asked one call after
//! the other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::split::Policy;

pub(super) const POLICIES: [Policy; 4] = [
    Policy { rate: 1_000, floor: 800, is_round: true },
    Policy { rate: 1_000, floor: 800, is_round: false },
    Policy { rate: 200, floor: 100, is_round: true },
    Policy { rate: 5_000, floor: 5_000, is_round: false },
];
pub(super) const TITLES: [&str; 3] = ["Paint a fence", "Paint a wall", "Забор"];
pub(super) const CATEGORIES: [Option<&str>; 4] = [None, Some("it"), Some("repair"), Some("no-such-category")];

/// An account: what is free, what is held, how many entries it has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Account {
    pub(super) available: i64,
    pub(super) held: i64,
    pub(super) version: u64,
}

/// What people see of somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) created: i64,
    pub(super) money: i64,
    pub(super) done: i64,
    pub(super) completed: i64,
    pub(super) received: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct User {
    pub(super) wallet: Account,
    pub(super) earnings: Account,
    pub(super) figures: Figures,
}

/// What an edit changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub(super) title: &'static str,
    pub(super) category: Option<&'static str>,
    pub(super) price: i64,
    pub(super) payout: i64,
}

impl Text {
    /// Field by field, from this to that.
    pub(super) fn until(&self, now: &Text) -> Value {
        let mut changes = json!({});
        let fields = |text: &Text| {
            let Text { title, category, price, payout } = text;
            [
                ("title", json!(title)),
                ("category", json!(category)),
                ("price", json!(price)),
                ("payout", json!(payout)),
                ("commission", json!(price - payout)),
            ]
        };
        for ((name, from), (_, to)) in fields(self).into_iter().zip(fields(now)) {
            if from != to {
                changes[name] = json!({"from": from, "to": to});
            }
        }
        changes
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Application {
    pub(super) version: u64,
    pub(super) price: i64,
    pub(super) payout: i64,
    pub(super) status: &'static str,
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) customer: u64,
    pub(super) executor: Option<u64>,
    pub(super) status: &'static str,
    pub(super) version: u64,
    pub(super) edited: u64,
    pub(super) is_chosen: bool,
    pub(super) is_auto: bool,
    pub(super) was_disputed: bool,
    pub(super) policy: Policy,
    pub(super) text: Text,
    pub(super) applicants: usize,
    pub(super) applications: BTreeMap<u64, Application>,
    /// What it said from which version on.
    pub(super) told: Vec<(u64, Text)>,
    pub(super) events: Vec<(u64, &'static str)>,
}

impl Order {
    pub(super) fn new(customer: u64, policy: Policy, text: Text, [is_chosen, is_auto]: [bool; 2]) -> Self {
        Self {
            id: 0,
            customer,
            executor: None,
            status: "open",
            version: 1,
            edited: 1,
            is_chosen,
            is_auto,
            was_disputed: false,
            policy,
            told: vec![(1, text.clone())],
            text,
            applicants: 0,
            applications: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn is_disputed(&self) -> bool {
        self.was_disputed && matches!(self.status, "in_work" | "submitted")
    }

    pub(super) fn is_party(&self, user: u64) -> bool {
        self.customer == user || self.executor == Some(user)
    }

    /// What has changed since this version, for those who have seen it.
    pub(super) fn since(&self, version: u64) -> Value {
        let seen = self.told.iter().rev().find(|(from, _)| *from <= version).unwrap_or(&self.told[0]);
        seen.1.until(&self.text)
    }

    pub(super) fn step(&mut self, event: &'static str) {
        self.version += 1;
        self.events.push((self.version, event));
    }

    /// It says something else from its present version on.
    pub(super) fn says(&mut self, text: Text) {
        if text != self.text {
            self.edited = self.version;
            self.told.push((self.version, text.clone()));
            self.text = text;
        }
    }

    pub(super) fn count_applicants(&mut self) {
        self.applicants = self.applications.values().filter(|application| application.status == "waiting").count();
    }

    pub(super) fn decline_all(&mut self) {
        self.applications.values_mut().filter(|one| one.status == "waiting").for_each(|one| one.status = "declined");
        self.applicants = 0;
    }

    /// What its hold is.
    pub(super) fn hold(&self) -> &'static str {
        match self.status {
            "done" => "captured",
            "cancelled" | "failed" => "released",
            _ => "active",
        }
    }
}

/// What a call should be answered.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// With this status and at least these members.
    Done(u16, Value),
    Refused(u16, &'static str, Value),
    /// As the call under the same key was.
    Repeated,
    /// It is no call; it is to confirm so many orders.
    Confirmed(usize),
}

pub(super) fn refused(code: &'static str) -> Expected {
    let status = match code {
        "invalid" => 422,
        "forbidden" => 403,
        "not_found" => 404,
        _ => 409,
    };
    Expected::Refused(status, code, json!({}))
}

impl Expected {
    pub(super) fn with(self, members: Value) -> Self {
        match self {
            Expected::Refused(status, code, _) => Expected::Refused(status, code, members),
            other => other,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Expected::Done(..) | Expected::Confirmed(_) => "done",
            Expected::Refused(_, code, _) => code,
            Expected::Repeated => "repeated",
        }
    }
}
