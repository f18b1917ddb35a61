//! A keep-alive HTTP/1.1 client for one caller: one connection, one request at a time.
//! Written by hand because the client shares the machine with the server it measures: a request
//! costs one write, one read and no allocation once the buffers have grown. It never repeats a
//! request on its own, for that would hide exactly what a load test must see.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HEADERS_MAX: usize = 64;
const ANSWER_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("connection closed before the answer was complete")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not an HTTP answer: {0}")]
    Malformed(&'static str),
}

pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

pub(crate) struct Client {
    authority: Arc<str>,
    token: Option<Arc<str>>,
    timeout: Duration,
    stream: Option<TcpStream>,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
}

impl Client {
    pub(crate) fn new(authority: Arc<str>, token: Option<Arc<str>>, timeout: Duration) -> Self {
        Self { authority, token, timeout, stream: None, outbox: Vec::new(), inbox: Vec::new() }
    }

    /// Opens the connection ahead of the first request, so that a race does not begin with handshakes.
    pub(crate) async fn connect(&mut self) -> Result<(), CallError> {
        let connecting = TcpStream::connect(&*self.authority);
        let stream = tokio::time::timeout(self.timeout, connecting).await.map_err(|_| CallError::Timeout(self.timeout))??;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        Ok(())
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer<'_>, CallError> {
        self.call("GET", path, None).await
    }

    /// `body` is JSON; none sends an empty body.
    pub(crate) async fn post(&mut self, path: &str, body: Option<&str>) -> Result<Answer<'_>, CallError> {
        self.call("POST", path, body).await
    }

    async fn call(&mut self, method: &str, path: &str, body: Option<&str>) -> Result<Answer<'_>, CallError> {
        self.compose(method, path, body);
        if self.has_been_closed() {
            self.connect().await?;
        }
        let limit = self.timeout;
        let done = tokio::time::timeout(limit, self.exchange()).await;
        match done {
            Ok(Ok(reply)) => {
                if reply.last {
                    self.stream = None;
                }
                Ok(Answer { status: reply.status, body: &self.inbox[reply.body] })
            }
            // After a failure the rest of the old answer might still arrive: never reuse it.
            Ok(Err(error)) => {
                self.stream = None;
                Err(error)
            }
            Err(_) => {
                self.stream = None;
                Err(CallError::Timeout(limit))
            }
        }
    }

    fn compose(&mut self, method: &str, path: &str, body: Option<&str>) {
        let out = &mut self.outbox;
        out.clear();
        let mut put = |parts: &[&str]| parts.iter().for_each(|p| out.extend(p.as_bytes()));
        put(&[method, " ", path, " HTTP/1.1\r\nhost: ", &self.authority, "\r\n"]);
        if let Some(token) = &self.token {
            put(&["authorization: Bearer ", token, "\r\n"]);
        }
        match body {
            Some(json) => {
                let length = json.len().to_string();
                put(&["content-type: application/json\r\ncontent-length: ", &length, "\r\n\r\n", json]);
            }
            None if method == "POST" => put(&["content-length: 0\r\n\r\n"]),
            None => put(&["\r\n"]),
        }
    }

    /// Whether the server ended the idle connection since the last answer. Costs no system call as
    /// long as nothing has happened on it.
    fn has_been_closed(&self) -> bool {
        match &self.stream {
            None => true,
            Some(stream) => !matches!(
                stream.try_read(&mut [0; 1]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock
            ),
        }
    }

    async fn exchange(&mut self) -> Result<Reply, CallError> {
        let stream = self.stream.as_mut().ok_or(CallError::Closed)?;
        stream.write_all(&self.outbox).await?;
        self.inbox.clear();
        loop {
            if stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(CallError::Closed);
            }
            if let Some(reply) = Reply::parse(&mut self.inbox)? {
                return Ok(reply);
            }
            if self.inbox.len() > ANSWER_BYTES_MAX {
                return Err(CallError::Malformed("longer than 64 MiB"));
            }
        }
    }
}

/// One complete answer in the inbox.
#[derive(Debug)]
struct Reply {
    status: u16,
    body: Range<usize>,
    /// The server closes the connection after it.
    last: bool,
}

impl Reply {
    /// None: more must be read. A chunked body is put together in place.
    fn parse(inbox: &mut Vec<u8>) -> Result<Option<Self>, CallError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let start = match head.parse(inbox) {
            Ok(httparse::Status::Complete(start)) => start,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(CallError::Malformed("its head does not parse")),
        };
        let status = head.code.ok_or(CallError::Malformed("no status"))?;
        let value = |name: &str| {
            let found = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found.and_then(|h| std::str::from_utf8(h.value).ok())
        };
        let last = value("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let chunked = value("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        let length = match value("content-length") {
            Some(text) => text.parse().map_err(|_| CallError::Malformed("content-length"))?,
            None => 0,
        };
        let body = if chunked {
            match dechunk(&inbox[start..])? {
                Some(whole) => {
                    inbox.truncate(start);
                    inbox.extend(whole);
                    start..inbox.len()
                }
                None => return Ok(None),
            }
        } else if inbox.len() < start + length {
            return Ok(None);
        } else {
            start..start + length
        };
        Ok(Some(Self { status, body, last }))
    }
}

/// The body without its chunk marks; none while its end has not arrived.
fn dechunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>, CallError> {
    const BAD: CallError = CallError::Malformed("chunked body");
    let mut whole = Vec::new();
    loop {
        let (mark, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((mark, size))) => (mark, size),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(BAD),
        };
        let size = usize::try_from(size).map_err(|_| BAD)?;
        let end = mark.checked_add(size).ok_or(BAD)?;
        if rest.len() < end + 2 {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(whole));
        }
        whole.extend(&rest[mark..end]);
        rest = &rest[end + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(u16, String, bool)> {
        let mut inbox = text.as_bytes().to_vec();
        let reply = Reply::parse(&mut inbox).expect("well formed")?;
        let body = String::from_utf8_lossy(&inbox[reply.body]).into_owned();
        Some((reply.status, body, reply.last))
    }

    #[test]
    fn an_answer_is_complete_once_its_announced_length_has_arrived() {
        let head = "HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\n";
        assert_eq!(parsed(&head[..20]), None);
        assert_eq!(parsed(&format!("{head}abc")), None);
        assert_eq!(parsed(&format!("{head}abcd")), Some((409, "abcd".into(), false)));
    }

    #[test]
    fn an_answer_without_body_needs_no_length() {
        let text = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        assert_eq!(parsed(text), Some((204, String::new(), true)));
    }

    #[test]
    fn a_chunked_answer_is_put_together() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(parsed(&format!("{head}{}", &body[..14])), None);
        assert_eq!(parsed(&format!("{head}{body}")), Some((200, "abcde".into(), false)));
    }
}
