//! The ways in which the servers under test are subscribed to.

use super::book::Reading;
use super::wire::{self, BINARY, TEXT};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// `orderboard.v1`
    Orderboard,
    /// Subscribed by connecting
    Plain,
    SocketIo,
    Nats,
    Mqtt,
}

/// A step of a handshake: what to send, and what the server's answer begins with.
pub(crate) struct Step {
    pub(crate) send: Vec<u8>,
    pub(crate) until: &'static [u8],
}

const WATCH: &[u8] = br#"{"type":"watch","board":"all"}"#;
/// The channel, subject or topic that peers are subscribed to.
pub(crate) const TOPIC: &str = "orders";

impl Protocol {
    pub(crate) fn reading(self) -> Reading {
        if self == Self::Orderboard { Reading::Board } else { Reading::Numbered }
    }

    pub(super) fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Orderboard => Some("orderboard.v1"),
            Self::Mqtt => Some("mqtt"),
            _ => None,
        }
    }

    /// After the upgrade.
    pub(super) fn handshake(self) -> Vec<Step> {
        let step = |send: Vec<u8>, until| Step { send, until };
        match self {
            // The snapshot is read by whoever reads everything else.
            Self::Orderboard => vec![step(wire::masked(TEXT, WATCH), b"")],
            Self::Plain => Vec::new(),
            Self::SocketIo => vec![step(Vec::new(), b"0{"), step(wire::masked(TEXT, b"40"), b"40")],
            Self::Nats => {
                let subscribe = format!("CONNECT {{\"verbose\":false}}\r\nSUB {TOPIC} 1\r\nPING\r\n");
                vec![step(Vec::new(), b"INFO"), step(wire::masked(BINARY, subscribe.as_bytes()), b"PONG")]
            }
            Self::Mqtt => {
                // CONNECT of version 3.1.1: clean session, no keep-alive, no name; SUBSCRIBE at most once.
                let connect = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00";
                let mut subscribe = vec![0x82, 5 + TOPIC.len() as u8, 0, 1, 0, TOPIC.len() as u8];
                subscribe.extend(TOPIC.as_bytes());
                subscribe.push(0);
                vec![step(wire::masked(BINARY, connect), b"\x20"), step(wire::masked(BINARY, &subscribe), b"\x90")]
            }
        }
    }

    /// The answer to a protocol's own question whether the client lives.
    pub(super) fn answer(self, payload: &[u8]) -> Option<Vec<u8>> {
        match (self, payload) {
            (Self::SocketIo, b"2") => Some(wire::masked(TEXT, b"3")),
            (Self::Nats, b"PING\r\n") => Some(wire::masked(BINARY, b"PONG\r\n")),
            _ => None,
        }
    }

    /// Meant for one socket alone.
    pub(super) fn is_personal(self, payload: &[u8]) -> bool {
        self == Self::Orderboard && payload.starts_with(br#"{"type":"hello""#)
    }
}
