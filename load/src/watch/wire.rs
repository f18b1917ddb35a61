//! The websocket of a client that only listens, by hand: a library's buffers and allocations for each message would be
//! the main cost of a client that reads millions of changes a second.

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame as it came from a server, which does not mask.
pub(crate) struct Received<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// With its header.
    pub(crate) bytes: &'a [u8],
}

/// The first frame, if it is there as a whole.
pub(crate) fn first(bytes: &[u8]) -> Option<Received<'_>> {
    let (head, length): (usize, usize) = match bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    let bytes = bytes.get(..head.checked_add(length)?)?;
    Some(Received { opcode: bytes[0] & 0x0f, payload: &bytes[head..], bytes })
}

/// A client's frame. The mask is zero, so that the payload stays as it is.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(opcode, payload.len(), 0x80);
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// What a server's frame of this length begins with.
pub(crate) fn head(opcode: u8, length: usize, mask: u8) -> Vec<u8> {
    let mut head = vec![0x80 | opcode];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => head.push(mask | short),
        (_, Ok(medium)) => {
            head.push(mask | 126);
            head.extend(medium.to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

/// The question that opens a websocket. The key may be the same each time: only caches would care.
pub(crate) fn upgrade(authority: &str, path: &str, subprotocol: Option<&str>) -> String {
    let subprotocol = subprotocol.map_or(String::new(), |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: b3JkZXJib2FyZC1sb2FkIQ==\r\n{subprotocol}\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(payload: &[u8]) -> Vec<u8> {
        [head(TEXT, payload.len(), 0), payload.to_vec()].concat()
    }

    #[test]
    fn frames_of_every_length_are_found_where_they_end() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = served(&payload);
            let whole = bytes.len();
            bytes.extend(served(b"next"));
            let frame = first(&bytes).expect("it is there");
            assert_eq!((frame.opcode, frame.payload.len(), frame.bytes.len()), (TEXT, length, whole));
            assert!((0..whole).all(|cut| first(&bytes[..cut]).is_none()));
        }
    }

    #[test]
    fn a_masked_frame_says_so_and_carries_its_payload() {
        assert_eq!(masked(PONG, b"ab"), [0x8a, 0x82, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(masked(TEXT, &[0; 300])[..4], [0x81, 0xfe, 1, 44]);
    }
}
