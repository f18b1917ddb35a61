//! What a client sends, out of the bytes that arrive: RFC 6455, sections 5 and 7.4, the server's side. A socket that says
//! nothing holds no buffer at all, which is why this is not left to a library: its read buffer would be most of what an idle
//! socket costs. Pure: bytes in, messages out.

/// Longest message a client may send.
pub(super) const MESSAGE_BYTES_MAX: usize = 4_096;
/// Longest payload of a control frame (section 5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// What a client has said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Text(String),
    Binary,
    Ping(Vec<u8>),
    Pong,
    /// With the code to answer.
    Close(u16),
}

/// Bytes that are not what they should be; the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    Protocol,
    NotUtf8,
    TooLong,
}

#[derive(Default)]
pub(super) struct Inbound {
    /// Bytes that do not make a whole frame yet.
    bytes: Vec<u8>,
    /// The fragments of a message so far, and whether it is text.
    fragments: Option<Box<(Vec<u8>, bool)>>,
}

struct Header {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Where the payload begins, and how long it is.
    at: usize,
    len: usize,
}

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

impl Inbound {
    pub(super) fn new(read_ahead: &[u8]) -> Self {
        Self { bytes: read_ahead.to_vec(), fragments: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if one is complete.
    pub(super) fn next(&mut self) -> Result<Option<Heard>, Violation> {
        loop {
            let header = match header(&self.bytes)? {
                Some(header) if self.bytes.len() >= header.at + header.len => header,
                _ => {
                    if self.bytes.is_empty() {
                        self.bytes = Vec::new();
                    }
                    return Ok(None);
                }
            };
            let end = header.at + header.len;
            let mut payload = self.bytes[header.at..end].to_vec();
            self.bytes.drain(..end);
            for (byte, mask) in payload.iter_mut().zip(header.mask.iter().cycle()) {
                *byte ^= mask;
            }
            if let Some(heard) = self.take(&header, payload)? {
                return Ok(Some(heard));
            }
        }
    }

    fn take(&mut self, header: &Header, payload: Vec<u8>) -> Result<Option<Heard>, Violation> {
        match header.opcode {
            PING => Ok(Some(Heard::Ping(payload))),
            PONG => Ok(Some(Heard::Pong)),
            CLOSE => closing(&payload).map(|code| Some(Heard::Close(code))),
            opcode => {
                let (mut message, is_text) = match (opcode, self.fragments.take()) {
                    (CONTINUATION, Some(fragments)) => *fragments,
                    (TEXT | BINARY, None) => (Vec::new(), opcode == TEXT),
                    // A continuation of nothing, or a message within a message.
                    _ => return Err(Violation::Protocol),
                };
                if message.len() + payload.len() > MESSAGE_BYTES_MAX {
                    return Err(Violation::TooLong);
                }
                if message.is_empty() {
                    message = payload;
                } else {
                    message.extend_from_slice(&payload);
                }
                if !header.is_final {
                    self.fragments = Some(Box::new((message, is_text)));
                    return Ok(None);
                }
                if !is_text {
                    return Ok(Some(Heard::Binary));
                }
                String::from_utf8(message).map(|text| Some(Heard::Text(text))).map_err(|_| Violation::NotUtf8)
            }
        }
    }
}

/// The header at the front, if it is complete. What can be refused is refused before its payload has arrived.
fn header(bytes: &[u8]) -> Result<Option<Header>, Violation> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
    let is_control = opcode & 0x08 != 0;
    let is_known = matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
    let is_masked = second & 0x80 != 0;
    if first & 0x70 != 0 || !is_known || !is_masked || (is_control && !is_final) {
        return Err(Violation::Protocol);
    }
    let (len, extended) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(len) => (u64::from(u16::from_be_bytes(*len)), 2),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(len) => (u64::from_be_bytes(*len), 8),
            None => return Ok(None),
        },
        len => (u64::from(len), 0),
    };
    let len = usize::try_from(len).map_err(|_| Violation::TooLong)?;
    if is_control && len > CONTROL_BYTES_MAX {
        return Err(Violation::Protocol);
    }
    if len > MESSAGE_BYTES_MAX {
        return Err(Violation::TooLong);
    }
    let Some(mask) = rest[extended..].first_chunk::<4>() else { return Ok(None) };
    Ok(Some(Header { is_final, opcode, mask: *mask, at: 2 + extended + 4, len }))
}

/// The code to answer a close with: the peer's own, if it is one that may be sent (section 7.4).
fn closing(payload: &[u8]) -> Result<u16, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(1000) } else { Err(Violation::Protocol) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol);
    }
    std::str::from_utf8(reason).map(|_| code).map_err(|_| Violation::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [7, 99, 200, 1];
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..126 => bytes.push(0x80 | len as u8),
            len => {
                bytes.push(0x80 | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn hear(bytes: &[u8], step: usize) -> Result<Vec<Heard>, Violation> {
        let mut inbound = Inbound::default();
        let mut heard = Vec::new();
        for some in bytes.chunks(step) {
            inbound.push(some);
            while let Some(one) = inbound.next()? {
                heard.push(one);
            }
        }
        assert_eq!(inbound.bytes.capacity(), 0, "nothing is kept between messages");
        Ok(heard)
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_arrive() {
        let long = "ж".repeat(2_000);
        let bytes = [
            frame(0x81, b"one"),
            frame(0x01, &long.as_bytes()[..1_001]),
            frame(0x89, b"alive?"),
            frame(0x80, &long.as_bytes()[1_001..]),
            frame(0x82, &[0xff]),
            frame(0x8a, b""),
            frame(0x81, b""),
            frame(0x88, &[0x0f, 0xa1, b'x']),
        ]
        .concat();
        let expected = [
            Heard::Text("one".into()),
            Heard::Ping(b"alive?".to_vec()),
            Heard::Text(long),
            Heard::Binary,
            Heard::Pong,
            Heard::Text(String::new()),
            Heard::Close(4001),
        ];
        for step in [1, 2, 3, 7, 1_000, bytes.len()] {
            assert_eq!(hear(&bytes, step).unwrap(), expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_close_is_answered_with_its_own_code_or_refused() {
        for (payload, expected) in [
            (&b""[..], Ok(vec![Heard::Close(1000)])),
            (&1001_u16.to_be_bytes(), Ok(vec![Heard::Close(1001)])),
            (&1005_u16.to_be_bytes(), Err(Violation::Protocol)),
            (&999_u16.to_be_bytes(), Err(Violation::Protocol)),
            (b"x", Err(Violation::Protocol)),
            (&[0x03, 0xe8, 0xff], Err(Violation::NotUtf8)),
        ] {
            assert_eq!(hear(&frame(0x88, payload), 100), expected, "{payload:?}");
        }
    }

    #[test]
    fn a_control_frame_is_short() {
        assert_eq!(hear(&frame(0x89, &[0; 126]), 1_000), Err(Violation::Protocol));
    }
}
