//! Operations that other systems command: credit, debit, hold, capture, release, transfer. `request` reads one from JSON,
//! `desk` judges it against the accounts and holds it is about, and this file says how it is answered.
//!
//! An answer is one line of JSON, the same for every door and for every repeat:
//! `{"operation_id":"…","status":"done","result":{…}}` or
//! `{"operation_id":"…","status":"refused","code":"…","detail":"…","result":{…}}`.

mod desk;
mod request;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::refusal::Invalid;

pub use desk::{After, Desk, Done, HoldEnd, HoldState, NewHold, Place};
pub use request::{Deed, EXPIRES_S_MAX, HoldCheck, OPERATION_ID_MAX, Request, Spot, Unreadable, read};

/// Why an operation is refused: a stable code, words for people, the facts for programs.
#[derive(Clone, Debug, PartialEq)]
pub struct No {
    pub code: &'static str,
    pub detail: String,
    pub facts: Map<String, Value>,
}

impl No {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), facts: Map::new() }
    }

    #[must_use]
    pub fn with(mut self, facts: Value) -> Self {
        if let Value::Object(facts) = facts {
            self.facts.extend(facts);
        }
        self
    }

    /// The id is known, with another body. Not stored: the first answer under the id stays.
    pub fn mismatch() -> Self {
        Self::new("mismatch", "this operation_id was used with another body; use a new id for a new operation")
    }

    /// This operation cannot be carried out because of a fault on our side; a person has to look.
    pub fn internal() -> Self {
        Self::new("internal", "this operation met a fault on our side and changed nothing; it was set aside for a person to look at")
    }
}

impl From<Invalid> for No {
    fn from(invalid: Invalid) -> Self {
        Self::new("invalid", invalid.detail).with(json!({"field": invalid.field, "reason": invalid.reason.as_str()}))
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    operation_id: &'a Value,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

/// An operation's balances, as its answer tells them.
pub fn done(operation_id: &str, done: &Done, hold_id: Option<u64>) -> String {
    let mut result = json!({"accounts": done.accounts});
    if let (Some(hold_id), Value::Object(members)) = (hold_id.or(done.hold_id), &mut result) {
        members.insert("hold_id".into(), hold_id.into());
    }
    write(&Answer { operation_id: &operation_id.into(), status: "done", code: None, detail: None, result: Some(result) })
}

/// A refusal; `operation_id` as it came, because it may be anything.
pub fn refused(operation_id: &Value, no: &No) -> String {
    let result = (!no.facts.is_empty()).then(|| Value::Object(no.facts.clone()));
    write(&Answer { operation_id, status: "refused", code: Some(no.code), detail: Some(&no.detail), result })
}

fn write(answer: &Answer<'_>) -> String {
    // Strings, numbers and objects with text keys: there is nothing in it that could not be written.
    serde_json::to_string(answer).unwrap_or_default()
}
