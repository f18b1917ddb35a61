//! How a socket ends.

use std::io;

use super::inbound::Violation;
use super::protocol::close;

/// Why a socket ends.
pub(super) enum End {
    /// The peer closed, or the connection broke.
    Gone,
    /// The peer closed as it should and is answered with its code.
    Answer(u16),
    Close(u16, &'static str),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        End::Gone
    }
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::TooLong => End::Close(close::TOO_LARGE, "messages are at most 4096 bytes"),
            Violation::NotUtf8 => End::Close(1007, "text frames are UTF-8"),
            Violation::Protocol => End::Close(1002, "this is not the websocket protocol"),
        }
    }
}

/// What one thing that a socket does comes to.
pub(super) type Step = Result<(), End>;

pub(super) const SESSION_ENDED: End = End::Close(close::SESSION_ENDED, "session ended");
