//! A websocket for one of ten thousand: the client shares two processors with the server it measures, so it reads straight
//! into one small buffer, gives that back after a large frame, and copies nothing. Only what this server sends is
//! understood: whole, unmasked frames.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::error::Error;
use crate::socket::PING_EVERY;

/// A server whose queue is full may forget a connection that its client believes in: rather soon another try.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 4096;
/// What a socket may keep between frames.
const KEEP_BYTES: usize = 2 * READ_BYTES;
const FRAME_BYTES_MAX: usize = 64 << 20;
/// The key of RFC 6455's own example, and the answer that belongs to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const KEY_ANSWER: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) struct Line {
    stream: TcpStream,
    inbox: Vec<u8>,
    /// Where in the inbox the next frame begins.
    at: usize,
    /// The server must hear something now and then, however often the reader changes.
    pub(crate) ping_due: Instant,
}

/// A frame's place in the inbox.
pub(crate) struct Got {
    pub(crate) is_binary: bool,
    place: Range<usize>,
}

/// A frame's head.
#[derive(Debug, PartialEq)]
struct Head {
    opcode: u8,
    start: usize,
    length: usize,
}

fn broken(words: &str) -> Error {
    Error::Server(words.to_owned())
}

impl Line {
    /// With `receive_bytes` the kernel keeps little of what is not read.
    pub(crate) async fn open(authority: &str, token: Option<&str>, receive_bytes: Option<u32>) -> Result<Self, Error> {
        let opening = Self::upgrade(authority, token, receive_bytes);
        tokio::time::timeout(OPEN_WITHIN, opening).await.map_err(|_| broken("no websocket in time"))?
    }

    async fn upgrade(authority: &str, token: Option<&str>, receive_bytes: Option<u32>) -> Result<Self, Error> {
        let mut addresses = tokio::net::lookup_host(authority).await?;
        let address = addresses.next().ok_or_else(|| broken("the server's name has no address"))?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let mut line = Self { stream, inbox: Vec::new(), at: 0, ping_due: Instant::now() + PING_EVERY };
        let bearer = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
        let request = format!(
            "GET /ws HTTP/1.1\r\nhost: {authority}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: {KEY}\r\nsec-websocket-protocol: orderboard.v1\r\n{bearer}\r\n"
        );
        line.stream.write_all(request.as_bytes()).await?;
        loop {
            line.fill(READ_BYTES).await?;
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut head = httparse::Response::new(&mut headers);
            let Ok(status) = head.parse(&line.inbox) else { return Err(broken("not an HTTP answer to the upgrade")) };
            if let httparse::Status::Complete(end) = status {
                if head.code != Some(101) {
                    return Err(Error::Server(format!("the upgrade was answered with {}", head.code.unwrap_or(0))));
                }
                let key = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("sec-websocket-accept"));
                if key.is_none_or(|header| header.value != KEY_ANSWER.as_bytes()) {
                    return Err(broken("the upgrade was answered for another key"));
                }
                line.at = end;
                return Ok(line);
            }
        }
    }

    /// Clients mask; with zeros the mask changes nothing.
    pub(crate) async fn send(&mut self, text: &str) -> Result<(), Error> {
        let length = u16::try_from(text.len()).map_err(|_| broken("too long to be sent"))?;
        let mut frame = vec![0x81];
        match u8::try_from(length) {
            Ok(short) if short < 126 => frame.push(0x80 | short),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        Ok(self.stream.write_all(&frame).await?)
    }

    /// The next frame with something in it; pings are answered on the way. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Got, Error> {
        loop {
            let missing = match head(&self.inbox[self.at..])? {
                Some(Head { opcode, start, length }) => {
                    let (start, end) = (self.at + start, self.at + start + length);
                    if end <= self.inbox.len() {
                        self.at = end;
                        match opcode {
                            1 | 2 => return Ok(Got { is_binary: opcode == 2, place: start..end }),
                            8 => return Err(closed(&self.inbox[start..end])),
                            9 => self.pong(start..end).await?,
                            10 => {}
                            _ => return Err(broken("a frame in pieces, which this client does not read")),
                        }
                        continue;
                    }
                    end - self.inbox.len()
                }
                None => READ_BYTES,
            };
            self.give_back();
            self.fill(missing.max(READ_BYTES)).await?;
        }
    }

    pub(crate) fn bytes(&self, got: &Got) -> &[u8] {
        &self.inbox[got.place.clone()]
    }

    /// A few bytes of a frame, and not its end.
    pub(crate) async fn nibble(&mut self) -> Result<(), Error> {
        let mut few = [0; 7];
        match self.stream.read(&mut few).await? {
            0 => Err(broken("connection lost")),
            _ => Ok(()),
        }
    }

    async fn pong(&mut self, place: Range<usize>) -> Result<(), Error> {
        let body = self.inbox[place].to_vec();
        let length = u8::try_from(body.len()).map_err(|_| broken("a ping that is too long"))?;
        let mut frame = vec![0x8a, 0x80 | length, 0, 0, 0, 0];
        frame.extend(body);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// Drops what has been read, and the room that only a large frame needed.
    fn give_back(&mut self) {
        if self.at == self.inbox.len() && self.inbox.capacity() > KEEP_BYTES {
            self.inbox = Vec::new();
        } else if self.at > 0 {
            self.inbox.drain(..self.at);
        }
        self.at = 0;
    }

    async fn fill(&mut self, room: usize) -> Result<(), Error> {
        self.inbox.reserve(room);
        match self.stream.read_buf(&mut self.inbox).await {
            Ok(0) => Err(Error::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn head(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    if second & 0x80 != 0 || first & 0x80 == 0 {
        return Err(broken("a masked frame, or one in pieces"));
    }
    let opcode = first & 0x0f;
    let (start, length) = match second {
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (4, u64::from(u16::from_be_bytes([a, b]))),
            _ => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|length| length.try_into().ok()) {
            Some(length) => (10, u64::from_be_bytes(length)),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    match usize::try_from(length) {
        Ok(length) if length <= FRAME_BYTES_MAX => Ok(Some(Head { opcode, start, length })),
        _ => Err(broken("a frame longer than 64 MiB")),
    }
}

fn closed(body: &[u8]) -> Error {
    let code = body.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
    Error::Server(format!("closed by the server: {code} {}", String::from_utf8_lossy(body.get(2..).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_all_of_it_is_there() {
        let known = |bytes: &[u8]| head(bytes).expect("a head");
        assert_eq!(known(&[0x81]), None);
        assert_eq!(known(&[0x81, 5]), Some(Head { opcode: 1, start: 2, length: 5 }));
        assert_eq!(known(&[0x82, 126, 1]), None);
        assert_eq!(known(&[0x82, 126, 1, 0]), Some(Head { opcode: 2, start: 4, length: 256 }));
        assert_eq!(known(&[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Some(Head { opcode: 1, start: 10, length: 65_536 }));
    }

    #[test]
    fn what_this_client_does_not_understand_is_an_error() {
        assert!(head(&[0x81, 0x85]).is_err(), "masked");
        assert!(head(&[0x01, 5]).is_err(), "the first of several pieces");
        assert!(head(&[0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]).is_err(), "endless");
    }
}
