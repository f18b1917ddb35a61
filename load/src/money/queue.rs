//! The queue as its two sides see it: names of the streams, a request's body, an answer.

use serde::{Deserialize, Serialize};

use super::redis::{Redis, Reply};
use crate::error::Error;

/// The consumer group of the workers.
pub(crate) const GROUP: &str = "billing";
/// The one field of every message.
const FIELD: &str = "op";

pub(crate) struct Streams {
    pub(crate) requests: String,
    pub(crate) responses: String,
    pub(crate) poison: String,
}

impl Streams {
    pub(crate) fn named(name: &str) -> Self {
        Self { requests: format!("{name}:requests"), responses: format!("{name}:responses"), poison: format!("{name}:poison") }
    }

    /// Composes a request; `redis.flush` sends it.
    pub(crate) fn push(&self, redis: &mut Redis, body: &str) {
        redis.push(&["XADD", &self.requests, "*", FIELD, body]);
    }
}

#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Credit,
    Debit,
    Hold,
    Capture,
    Release,
    Transfer,
}

#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Account {
    Wallet,
    Earnings,
}

impl Account {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "wallet" => Some(Self::Wallet),
            "earnings" => Some(Self::Earnings),
            _ => None,
        }
    }
}

#[derive(Serialize, Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) operation_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) user_id: u64,
    pub(crate) account: Account,
    pub(crate) currency: &'static str,
    pub(crate) amount: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to_user_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_s: Option<u64>,
}

impl Operation {
    pub(crate) fn new(operation_id: String, kind: Kind, user_id: u64, amount: i64) -> Self {
        let (account, currency) = (Account::Wallet, "RUB");
        Self { operation_id, kind, user_id, account, currency, amount, hold_id: None, to_user_id: None, expires_s: None }
    }

    pub(crate) fn body(&self) -> Result<String, Error> {
        Ok(serde_json::to_string(self)?)
    }
}

/// What a worker answered; of the result only what is asked for here.
#[derive(Deserialize)]
pub(crate) struct Answer {
    /// Missing where the request could not be read.
    pub(crate) operation_id: Option<String>,
    pub(crate) status: Status,
    pub(crate) code: Option<String>,
    pub(crate) result: Option<Outcome>,
}

#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Done,
    Refused,
}

#[derive(Deserialize, Default)]
pub(crate) struct Outcome {
    pub(crate) hold_id: Option<u64>,
}

/// Reads a stream on from where it stands.
pub(crate) struct Reader {
    stream: String,
    last_id: String,
}

impl Reader {
    pub(crate) fn from_start(stream: &str) -> Self {
        Self { stream: stream.into(), last_id: "0-0".into() }
    }

    pub(crate) async fn from_now(stream: &str, redis: &mut Redis) -> Result<Self, Error> {
        let newest = redis.ask(&["XREVRANGE", stream, "+", "-", "COUNT", "1"]).await?;
        let id = newest.list().first().and_then(|entry| entry.list().first()).map_or("0-0", Reply::text);
        Ok(Self { stream: stream.into(), last_id: id.into() })
    }

    /// Whether nothing was in the stream that was not read.
    pub(crate) async fn is_at_end(&self, redis: &mut Redis) -> Result<bool, Error> {
        let beyond = redis.ask(&["XRANGE", &self.stream, &format!("({}", self.last_id), "+", "COUNT", "1"]).await?;
        Ok(beyond.list().is_empty())
    }

    /// Calls `take` with the body of each message that is there, or of those that come within `block_ms`.
    pub(crate) async fn page(&mut self, redis: &mut Redis, block_ms: u64, mut take: impl FnMut(&str)) -> Result<u64, Error> {
        let block = block_ms.max(1).to_string();
        let read = redis.ask(&["XREAD", "COUNT", "2000", "BLOCK", &block, "STREAMS", &self.stream, &self.last_id]).await?;
        let entries = read.list().first().and_then(|stream| stream.list().get(1)).map_or(&[][..], Reply::list);
        for entry in entries {
            let fields = entry.list().get(1).map_or(&[][..], Reply::list);
            let body = fields.chunks(2).find(|pair| pair[0].text() == FIELD).and_then(|pair| pair.get(1));
            take(body.map_or("", Reply::text));
        }
        if let Some(id) = entries.last().and_then(|entry| entry.list().first()) {
            self.last_id = id.text().into();
        }
        Ok(entries.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_fields_of_the_protocol_and_no_others() {
        let credit = Operation::new("a".into(), Kind::Credit, 7, 100);
        let body = credit.body().unwrap();
        assert_eq!(body, r#"{"operation_id":"a","type":"credit","user_id":7,"account":"wallet","currency":"RUB","amount":100}"#);
        let hold = Operation { expires_s: Some(5), ..Operation::new("b".into(), Kind::Hold, 7, 1) };
        assert!(hold.body().unwrap().ends_with(r#""amount":1,"expires_s":5}"#));
    }

    #[test]
    fn answers_of_each_kind_are_read() {
        let done = r#"{"operation_id":"a","status":"done","result":{"hold_id":3,"accounts":[{"user_id":1,"account":"wallet"}]}}"#;
        let done: Answer = serde_json::from_str(done).unwrap();
        assert_eq!((done.status, done.result.and_then(|result| result.hold_id)), (Status::Done, Some(3)));
        let refused: Answer = serde_json::from_str(r#"{"operation_id":null,"status":"refused","code":"invalid","detail":"…"}"#).unwrap();
        assert_eq!((refused.operation_id, refused.code.as_deref()), (None, Some("invalid")));
    }
}
