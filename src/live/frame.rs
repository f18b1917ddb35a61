//! Websocket frames, encoded once for everybody. A server's frames are not masked, so the bytes on the wire are the
//! same for each receiver and can be shared by reference (RFC 6455, section 5.2).

use bytes::{BufMut, Bytes, BytesMut};

/// A whole message as it goes on the wire, and where its payload begins.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    wire: Bytes,
    payload_at: u8,
}

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

impl Frame {
    pub(super) fn text(payload: &str) -> Self {
        Self::new(FINAL_TEXT, payload.as_bytes())
    }

    pub(super) fn binary(payload: &[u8]) -> Self {
        Self::new(FINAL_BINARY, payload)
    }

    pub(super) fn ping() -> Self {
        Self::new(PING, b"")
    }

    /// The answer to a ping: what it carried.
    pub(super) fn pong(payload: &[u8]) -> Self {
        Self::new(PONG, payload)
    }

    pub(super) fn close(code: u16, reason: &str) -> Self {
        Self::new(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    fn new(first: u8, payload: &[u8]) -> Self {
        let mut wire = BytesMut::with_capacity(payload.len() + 10);
        wire.put_u8(first);
        match payload.len() {
            len @ 0..126 => wire.put_u8(len as u8),
            len @ 126..=0xFFFF => {
                wire.put_u8(126);
                wire.put_u16(len as u16);
            }
            len => {
                wire.put_u8(127);
                wire.put_u64(len as u64);
            }
        }
        let payload_at = wire.len() as u8;
        wire.extend_from_slice(payload);
        Self { wire: wire.freeze(), payload_at }
    }

    pub(super) fn json(message: &impl serde::Serialize) -> Self {
        // Our own messages are plain structs with string keys: serialising them cannot fail.
        Self::text(&serde_json::to_string(message).unwrap_or_default())
    }

    pub(super) fn wire(&self) -> Bytes {
        self.wire.clone()
    }

    pub(super) fn payload(&self) -> Bytes {
        self.wire.slice(usize::from(self.payload_at)..)
    }

    pub(super) fn len(&self) -> usize {
        self.wire.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn lengths_are_written_in_the_shortest_form() {
        for (len, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = Frame::text(&"x".repeat(len));
            assert_eq!((frame.len(), frame.payload().len()), (len + header, len));
        }
    }
}
