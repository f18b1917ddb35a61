//! What a client's messages do: parsed strictly, answered on the same socket, limited in number.

use serde_json::Value;
use tokio::time::Instant;

use super::protocol::{CLIENT_TYPES, ClientMessage};

/// So many seconds' worth of messages may come at once.
const BURST_S: f64 = 4.0;
/// Refused messages in a row after which the socket is closed.
const PATIENCE: u32 = 100;

/// A message that cannot be acted upon: the socket lives on.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

pub(super) fn parse(text: &str) -> Result<ClientMessage, Unusable> {
    let malformed = |detail: String| Unusable { code: "malformed", detail };
    let value: Value = serde_json::from_str(text).map_err(|error| malformed(format!("this is not JSON: {error}")))?;
    let kind = value.get("type").and_then(Value::as_str).ok_or_else(|| malformed("a message is an object with a `type`".into()))?;
    if !CLIENT_TYPES.contains(&kind) {
        return Err(Unusable { code: "unknown_type", detail: "there is no such message; send auth, watch, unwatch or ping".into() });
    }
    serde_json::from_value(value).map_err(|error| malformed(error.to_string()))
}

/// A token bucket for one socket's messages.
pub(super) struct Allowance {
    per_second: f64,
    tokens: f64,
    at: Instant,
    refused: u32,
}

/// What to do with the next message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Yes,
    No,
    /// Enough is enough.
    Close,
}

impl Allowance {
    pub(super) fn new(messages_s: u32, now: Instant) -> Self {
        let per_second = f64::from(messages_s);
        Self { per_second, tokens: per_second * BURST_S, at: now, refused: 0 }
    }

    pub(super) fn next(&mut self, now: Instant) -> Allowed {
        let burst = self.per_second * BURST_S;
        self.tokens = (self.tokens + now.duration_since(self.at).as_secs_f64() * self.per_second).min(burst);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            self.refused = 0;
            return Allowed::Yes;
        }
        self.refused += 1;
        metrics::counter!("orderboard_socket_messages_refused_total").increment(1);
        if self.refused > PATIENCE { Allowed::Close } else { Allowed::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (text, code) in [
            ("", "malformed"),
            ("[]", "malformed"),
            ("{}", "malformed"),
            (r#"{"type":7}"#, "malformed"),
            (r#"{"type":"accept"}"#, "unknown_type"),
            (r#"{"type":"watch"}"#, "malformed"),
            (r#"{"type":"watch","board":7}"#, "malformed"),
            (r#"{"type":"watch","board":"all","seq":-1}"#, "malformed"),
            (r#"{"type":"watch","board":"all","extra":1}"#, "malformed"),
            (r#"{"type":"ping"}"#, "malformed"),
        ] {
            assert_eq!(parse(text).expect_err(text).code, code, "{text}");
        }
        assert!(parse(r#"{"type":"watch","board":"all","epoch":"x","seq":3}"#).is_ok());
    }

    #[test]
    fn a_flood_is_refused_then_closed_and_patience_returns() {
        let start = Instant::now();
        let mut allowance = Allowance::new(10, start);
        for _ in 0..40 {
            assert_eq!(allowance.next(start), Allowed::Yes);
        }
        assert_eq!(allowance.next(start), Allowed::No);
        let later = start + std::time::Duration::from_secs(1);
        assert_eq!(allowance.next(later), Allowed::Yes);
        let flood = (0..200).map(|_| allowance.next(later)).collect::<Vec<_>>();
        assert_eq!(flood.last(), Some(&Allowed::Close));
    }
}
