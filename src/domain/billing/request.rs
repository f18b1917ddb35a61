//! Reading a command. Whatever is wrong with it is a refusal of that command; only what has no usable id, and so cannot be
//! answered under one, is unreadable.

use serde_json::{Value, json};

use super::No;
use crate::domain::ledger::AccountKind;
use crate::domain::money::{Amount, Currency};
use crate::domain::refusal::{Invalid, Reason};

/// Longest operation id of another system, in bytes.
pub const OPERATION_ID_MAX: usize = 90;
/// Longest command, in bytes; a sensible one has a few hundred.
const COMMAND_MAX: usize = 16 * 1024;
/// A year.
pub const EXPIRES_S_MAX: i64 = 31_536_000;

/// An account, told by whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spot {
    pub user_id: u64,
    pub kind: AccountKind,
    pub currency: Currency,
}

/// A hold, and what the caller believes of it; each belief that was told must be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldCheck {
    pub hold_id: u64,
    pub user_id: Option<u64>,
    pub kind: Option<AccountKind>,
    pub currency: Option<Currency>,
    pub amount: Option<i64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Credit {
        to: Spot,
        amount: Amount,
    },
    Debit {
        from: Spot,
        amount: Amount,
    },
    Hold {
        on: Spot,
        amount: Amount,
        expires_s: Option<i64>,
    },
    /// To the house, or to that user's account of the same kind.
    Capture {
        hold: HoldCheck,
        to_user_id: Option<u64>,
    },
    Release {
        hold: HoldCheck,
    },
    Transfer {
        from: Spot,
        to: Spot,
        amount: Amount,
    },
    /// A hold's time is over. Only the system itself says so.
    Expire {
        hold_id: u64,
    },
}

impl Deed {
    /// The operation's kind, as it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Deed::Credit { .. } => "credit",
            Deed::Debit { .. } => "debit",
            Deed::Hold { .. } => "hold",
            Deed::Capture { .. } => "capture",
            Deed::Release { .. } => "release",
            Deed::Transfer { .. } => "transfer",
            Deed::Expire { .. } => "expire",
        }
    }

    /// Accounts it names by their owners.
    pub fn spots(&self) -> impl Iterator<Item = Spot> {
        let (one, other) = match *self {
            Deed::Credit { to: spot, .. } | Deed::Debit { from: spot, .. } | Deed::Hold { on: spot, .. } => (Some(spot), None),
            Deed::Transfer { from, to, .. } => (Some(from), Some(to)),
            Deed::Capture { .. } | Deed::Release { .. } | Deed::Expire { .. } => (None, None),
        };
        one.into_iter().chain(other)
    }

    pub fn hold_id(&self) -> Option<u64> {
        match *self {
            Deed::Capture { hold, .. } | Deed::Release { hold } => Some(hold.hold_id),
            Deed::Expire { hold_id } => Some(hold_id),
            _ => None,
        }
    }
}

/// A command with an id. One that cannot be carried out keeps its id, and its refusal is its result.
#[derive(Clone, Debug)]
pub struct Request {
    pub operation_id: String,
    /// The whole body with its members in order: what two requests under one id must share.
    pub canonical: String,
    pub deed: Result<Deed, No>,
}

/// What cannot be answered under an id. `operation_id` is what came in its place.
#[derive(Clone, Debug)]
pub struct Unreadable {
    pub operation_id: Value,
    pub no: No,
}

/// Reads one command.
pub fn read(text: &str) -> Result<Request, Unreadable> {
    let unreadable = |operation_id: Value, detail: String| Unreadable { operation_id, no: No::new("malformed", detail) };
    if text.len() > COMMAND_MAX {
        return Err(unreadable(Value::Null, format!("a command is at most {COMMAND_MAX} bytes long, not {}", text.len())));
    }
    let body: Value = serde_json::from_str(text).map_err(|error| unreadable(Value::Null, format!("this is not JSON: {error}")))?;
    let Value::Object(members) = &body else {
        return Err(unreadable(Value::Null, "this is not an object; see the description of billing operations".into()));
    };
    let operation_id = match members.get("operation_id") {
        Some(Value::String(id)) if is_usable_id(id) => id.clone(),
        Some(Value::String(id)) if id.len() <= 400 => {
            let detail = format!("`operation_id` must be 1 to {OPERATION_ID_MAX} visible ASCII characters");
            return Err(unreadable(id.clone().into(), detail));
        }
        Some(_) => {
            return Err(unreadable(
                Value::Null,
                format!("`operation_id` must be text of 1 to {OPERATION_ID_MAX} visible ASCII characters"),
            ));
        }
        None => return Err(unreadable(Value::Null, "`operation_id` is missing".into())),
    };
    let deed = deed(&Body(&body));
    Ok(Request { operation_id, canonical: body.to_string(), deed })
}

fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= OPERATION_ID_MAX && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn deed(body: &Body<'_>) -> Result<Deed, No> {
    let kind = body.text("type")?.ok_or_else(|| body.missing("type"))?;
    match kind {
        "credit" => Ok(Deed::Credit { to: body.spot()?, amount: body.amount()? }),
        "debit" => Ok(Deed::Debit { from: body.spot()?, amount: body.amount()? }),
        "hold" => Ok(Deed::Hold { on: body.spot()?, amount: body.amount()?, expires_s: body.expires_s()? }),
        "capture" => {
            let (hold, to_user_id) = (body.hold()?, body.id("to_user_id")?);
            if to_user_id.is_some() && to_user_id == hold.user_id {
                return Err(self_transfer());
            }
            Ok(Deed::Capture { hold, to_user_id })
        }
        "release" => Ok(Deed::Release { hold: body.hold()? }),
        "transfer" => {
            let (from, amount) = (body.spot()?, body.amount()?);
            let to_user_id = body.id("to_user_id")?.ok_or_else(|| body.missing("to_user_id"))?;
            if to_user_id == from.user_id {
                return Err(self_transfer());
            }
            Ok(Deed::Transfer { from, to: Spot { user_id: to_user_id, ..from }, amount })
        }
        other => {
            let shown: String = other.chars().take(40).collect();
            Err(No::new("unknown_type", format!("`type` must be credit, debit, hold, capture, release or transfer, not {shown:?}")))
        }
    }
}

pub(super) fn self_transfer() -> No {
    No::new("self_transfer", "the money would go to where it comes from; name another user in `to_user_id`")
}

struct Body<'a>(&'a Value);

impl<'a> Body<'a> {
    fn missing(&self, field: &'static str) -> No {
        Invalid::new(field, Reason::Required, format!("`{field}` is missing")).into()
    }

    fn malformed(field: &'static str, must_be: &str) -> No {
        Invalid::new(field, Reason::Malformed, format!("`{field}` must be {must_be}")).into()
    }

    /// A member that is absent and one that is null are the same.
    fn member(&self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn text(&self, field: &'static str) -> Result<Option<&'a str>, No> {
        match self.member(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Self::malformed(field, "text")),
        }
    }

    fn id(&self, field: &'static str) -> Result<Option<u64>, No> {
        match self.member(field) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(id) if id > 0 && i64::try_from(id).is_ok() => Ok(Some(id)),
                _ => Err(Self::malformed(field, "a whole number from 1")),
            },
        }
    }

    fn account(&self) -> Result<Option<AccountKind>, No> {
        let Some(name) = self.text("account")? else { return Ok(None) };
        AccountKind::parse(name).map(Some).ok_or_else(|| Self::malformed("account", "wallet or earnings"))
    }

    fn currency(&self) -> Result<Option<Currency>, No> {
        Ok(self.text("currency")?.map(Currency::parse).transpose()?)
    }

    fn spot(&self) -> Result<Spot, No> {
        Ok(Spot {
            user_id: self.id("user_id")?.ok_or_else(|| self.missing("user_id"))?,
            kind: self.account()?.unwrap_or(AccountKind::Wallet),
            currency: self.currency()?.unwrap_or(Currency::RUB),
        })
    }

    /// Whole minor units. A number too large for any integer is still a number, and too large.
    fn minor(&self) -> Result<Option<i64>, No> {
        match self.member("amount") {
            None => Ok(None),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(minor) => Ok(Some(minor)),
                None if number.is_u64() => Ok(Some(i64::MAX)),
                None => Err(Self::malformed("amount", "a whole number of minor units")),
            },
            Some(_) => Err(Self::malformed("amount", "a whole number of minor units")),
        }
    }

    fn amount(&self) -> Result<Amount, No> {
        let minor = self.minor()?.ok_or_else(|| self.missing("amount"))?;
        Ok(Amount::parse("amount", minor)?)
    }

    fn expires_s(&self) -> Result<Option<i64>, No> {
        match self.member("expires_s") {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(seconds) if (1..=EXPIRES_S_MAX).contains(&seconds) => Ok(Some(seconds)),
                _ => Err(Self::malformed("expires_s", &format!("a whole number of seconds from 1 to {EXPIRES_S_MAX}"))),
            },
        }
    }

    fn hold(&self) -> Result<HoldCheck, No> {
        if let Some(minor) = self.minor()? {
            Amount::parse("amount", minor)?;
        }
        Ok(HoldCheck {
            hold_id: self.id("hold_id")?.ok_or_else(|| self.missing("hold_id"))?,
            user_id: self.id("user_id")?,
            kind: self.account()?,
            currency: self.currency()?,
            amount: self.minor()?,
        })
    }
}

/// A command of the system's own, in the same words.
impl Request {
    pub fn expire(hold_id: u64) -> Self {
        let canonical = json!({"type": "expire", "hold_id": hold_id}).to_string();
        Self { operation_id: format!("expire:{hold_id}"), canonical, deed: Ok(Deed::Expire { hold_id }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        match read(text) {
            Ok(request) => request.deed.err().map_or("fine", |no| no.code),
            Err(unreadable) => unreadable.no.code,
        }
    }

    #[test]
    fn each_type_is_read() {
        for text in [
            r#"{"operation_id":"a","type":"credit","user_id":1,"account":"earnings","currency":"USD","amount":5}"#,
            r#"{"operation_id":"a","type":"debit","user_id":1,"amount":5}"#,
            r#"{"operation_id":"a","type":"hold","user_id":1,"amount":5,"expires_s":60}"#,
            r#"{"operation_id":"a","type":"capture","hold_id":7,"amount":5,"to_user_id":2}"#,
            r#"{"operation_id":"a","type":"release","hold_id":7,"amount":null}"#,
            r#"{"operation_id":"a","type":"transfer","user_id":1,"to_user_id":2,"amount":5}"#,
        ] {
            assert_eq!(code(text), "fine", "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let credit = |rest: &str| format!(r#"{{"operation_id":"a","type":"credit","user_id":1{rest}}}"#);
        for rest in [
            "",
            r#","amount":0"#,
            r#","amount":-1"#,
            r#","amount":1.5"#,
            r#","amount":"5""#,
            r#","amount":9223372036854775807"#,
            r#","amount":18446744073709551615"#,
            r#","amount":1e30"#,
            r#","amount":5,"currency":"rub""#,
            r#","amount":5,"account":"pocket""#,
        ] {
            assert_eq!(code(&credit(rest)), "invalid", "{rest}");
        }
        assert_eq!(code(r#"{"operation_id":"a","type":"transfer","user_id":1,"to_user_id":1,"amount":5}"#), "self_transfer");
        assert_eq!(code(r#"{"operation_id":"a","type":"steal"}"#), "unknown_type");
        assert_eq!(code(r#"{"operation_id":"a"}"#), "invalid");
        for text in ["", "x", "[]", "5", "{}", r#"{"operation_id":""}"#, r#"{"operation_id":"ж"}"#, r#"{"operation_id":5}"#] {
            assert_eq!(code(text), "malformed", "{text}");
        }
        assert_eq!(code(&format!(r#"{{"operation_id":"a","type":"credit","note":"{}"}}"#, "x".repeat(COMMAND_MAX))), "malformed");
        let long = "x".repeat(OPERATION_ID_MAX + 1);
        assert_eq!(code(&format!(r#"{{"operation_id":"{long}"}}"#)), "malformed");
    }

    #[test]
    fn the_order_of_members_does_not_make_another_body() {
        let one = read(r#"{"operation_id":"a","type":"release","hold_id":7}"#).map(|request| request.canonical);
        let other = read(r#"{ "hold_id": 7, "type":"release", "operation_id":"a" }"#).map(|request| request.canonical);
        assert_eq!(one.ok(), other.ok());
    }
}
