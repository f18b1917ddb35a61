//! One connection to Redis for one caller, RESP2. Written by hand for the reason `http` was: it shares the machine
//! with what it measures, and a command costs no task, no channel and no allocation of its own. It never sends
//! anything twice on its own: what was lost with a connection is the caller's to know.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

use crate::error::Error;

const READ_BYTES: usize = 256 << 10;
const ANSWER_BYTES_MAX: usize = 256 << 20;
const NESTING_MAX: u32 = 8;
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Longer than any command here blocks.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    Nothing,
    Number(i64),
    Text(Vec<u8>),
    List(Vec<Reply>),
    Refused(String),
}

pub(crate) struct Redis {
    stream: Either<UnixStream, TcpStream>,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
    /// Where in the inbox the next reply begins.
    at: usize,
    /// Commands whose replies were not read yet.
    owed: usize,
}

impl Redis {
    /// `redis+unix:///PATH` or `redis://HOST:PORT`.
    pub(crate) async fn connect(url: &str) -> Result<Self, Error> {
        let connecting = async {
            if let Some(path) = url.strip_prefix("redis+unix://") {
                return Ok(Either::Left(UnixStream::connect(path).await?));
            }
            let Some(host) = url.strip_prefix("redis://").filter(|rest| !rest.contains('@')) else {
                return Err(Error::Usage(format!("{url}: expected redis://HOST:PORT or redis+unix:///PATH, without a password")));
            };
            let host = host.split('/').next().unwrap_or(host);
            let address = if host.contains(':') { host.to_owned() } else { format!("{host}:6379") };
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Either::Right(stream))
        };
        let stream = tokio::time::timeout(CONNECT_WITHIN, connecting).await.map_err(|_| timed_out())??;
        Ok(Self { stream, outbox: Vec::new(), inbox: Vec::new(), at: 0, owed: 0 })
    }

    /// The server's process, where it can be known: on a unix socket.
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.stream {
            Either::Left(unix) => u32::try_from(unix.peer_cred().ok()?.pid()?).ok(),
            Either::Right(_) => None,
        }
    }

    /// Composes a command to be sent with the next `flush`.
    pub(crate) fn push(&mut self, parts: &[&str]) {
        let out = &mut self.outbox;
        out.extend(format!("*{}\r\n", parts.len()).as_bytes());
        for part in parts {
            out.extend(format!("${}\r\n", part.len()).as_bytes());
            out.extend(part.as_bytes());
            out.extend(b"\r\n");
        }
        self.owed += 1;
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.stream.write_all(&self.outbox).await?;
        self.outbox.clear();
        Ok(())
    }

    /// The reply to the oldest command that has none yet.
    pub(crate) async fn reply(&mut self) -> Result<Reply, Error> {
        loop {
            if let Some((reply, end)) = parse(&self.inbox, self.at, 0)? {
                self.at = end;
                if self.at == self.inbox.len() {
                    self.inbox.clear();
                    self.at = 0;
                }
                self.owed = self.owed.saturating_sub(1);
                return Ok(reply);
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<(), Error> {
        self.inbox.drain(..self.at);
        self.at = 0;
        if self.inbox.len() > ANSWER_BYTES_MAX {
            return Err(Error::Redis("a reply without an end".into()));
        }
        self.inbox.reserve(READ_BYTES);
        let reading = self.stream.read_buf(&mut self.inbox);
        match tokio::time::timeout(ANSWER_WITHIN, reading).await.map_err(|_| timed_out())?? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    /// Reads the replies of everything that was sent, and tells for each whether it was done.
    pub(crate) async fn settle(&mut self) -> Result<Vec<bool>, Error> {
        let mut done = Vec::with_capacity(self.owed);
        while self.owed > 0 {
            done.push(!matches!(self.reply().await?, Reply::Refused(_)));
        }
        Ok(done)
    }

    pub(crate) async fn ask(&mut self, parts: &[&str]) -> Result<Reply, Error> {
        self.push(parts);
        self.flush().await?;
        match self.reply().await? {
            Reply::Refused(words) => Err(Error::Redis(format!("{}: {words}", parts.first().unwrap_or(&"")))),
            reply => Ok(reply),
        }
    }
}

impl Reply {
    pub(crate) fn list(&self) -> &[Reply] {
        match self {
            Reply::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Reply::Text(bytes) => std::str::from_utf8(bytes).unwrap_or(""),
            _ => "",
        }
    }

    pub(crate) fn number(&self) -> i64 {
        match self {
            Reply::Number(number) => *number,
            _ => 0,
        }
    }
}

fn timed_out() -> Error {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

/// The reply that begins at `at` and where it ends, or `None` when it is not all there yet.
pub(crate) fn parse(bytes: &[u8], at: usize, depth: u32) -> Result<Option<(Reply, usize)>, Error> {
    let Some(length) = bytes[at..].windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let (line, mut end) = (&bytes[at..at + length], at + length + 2);
    let line = std::str::from_utf8(line).map_err(|_| malformed())?;
    let (kind, rest) = (line.as_bytes().first().copied(), line.get(1..).unwrap_or(""));
    let number = || rest.parse::<i64>().map_err(|_| malformed());
    let reply = match kind {
        Some(b'+') => Reply::Text(rest.as_bytes().to_vec()),
        Some(b'-') => Reply::Refused(rest.to_owned()),
        Some(b':') => Reply::Number(number()?),
        Some(b'$') => {
            let Ok(size) = usize::try_from(number()?) else { return Ok(Some((Reply::Nothing, end))) };
            let Some(text) = bytes.get(end..end + size + 2) else { return Ok(None) };
            end += size + 2;
            Reply::Text(text[..size].to_vec())
        }
        Some(b'*') if depth < NESTING_MAX => {
            let Ok(count) = usize::try_from(number()?) else { return Ok(Some((Reply::Nothing, end))) };
            let mut items = Vec::with_capacity(count.min(1024));
            for _ in 0..count {
                let Some((item, after)) = parse(bytes, end, depth + 1)? else { return Ok(None) };
                items.push(item);
                end = after;
            }
            Reply::List(items)
        }
        _ => return Err(malformed()),
    };
    Ok(Some((reply, end)))
}

fn malformed() -> Error {
    Error::Redis("not a RESP2 reply".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Reply {
        let (reply, end) = parse(bytes, 0, 0).unwrap().unwrap();
        assert_eq!(end, bytes.len());
        reply
    }

    #[test]
    fn replies_of_each_kind_are_read() {
        assert_eq!(whole(b"+OK\r\n"), Reply::Text(b"OK".to_vec()));
        assert_eq!(whole(b"-NOGROUP no\r\n"), Reply::Refused("NOGROUP no".into()));
        assert_eq!(whole(b":-3\r\n").number(), -3);
        assert_eq!(whole(b"$-1\r\n"), Reply::Nothing);
        assert_eq!(whole(b"*-1\r\n"), Reply::Nothing);
        assert_eq!(whole(b"$4\r\na\r\nb\r\n").text(), "a\r\nb");
        assert_eq!(whole(b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n").list().len(), 2);
    }

    #[test]
    fn a_reply_that_is_cut_anywhere_is_waited_for() {
        let bytes = b"*2\r\n$3\r\nabc\r\n*2\r\n:1\r\n+x\r\n";
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end], 0, 0).unwrap().is_none(), "{end}");
        }
        whole(bytes);
    }

    #[test]
    fn what_is_not_a_reply_is_an_error() {
        assert!(parse(b"?\r\n", 0, 0).is_err());
        assert!(parse(b"$x\r\n", 0, 0).is_err());
        assert!(parse("*1\r\n".repeat(20).as_bytes(), 0, 0).is_err());
    }
}
