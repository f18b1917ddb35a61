//! A small HTTP/1.1 client on plain sockets: keep-alive, exact about what was sent, and able to hang up in the middle of
//! a call, which well-behaved clients are not.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of that name (lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem of an answer that must be this refusal.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let problem = self.problem();
        assert_eq!((self.status, problem["code"].as_str().unwrap()), (status, code), "{}", self.text());
        problem
    }

    /// The problem of any refusal, checked for its form.
    #[track_caller]
    pub(crate) fn problem(&self) -> Value {
        assert!(self.status >= 400, "{} {}", self.status, self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{} {}", self.status, self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        for member in ["type", "title", "code", "detail"] {
            assert!(problem[member].is_string(), "no `{member}` in {problem}");
        }
        problem
    }
}

/// A request as it is put on the wire.
pub(crate) struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { head: format!("{method} {path} HTTP/1.1\r\n"), body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) fn bearer(self, token: Option<&str>) -> Self {
        match token {
            Some(token) => self.header("authorization", &format!("Bearer {token}")),
            None => self,
        }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        // `null` is no body at all.
        if body.is_null() { self } else { self.bytes("application/json", body.to_string().as_bytes()) }
    }

    pub(crate) fn bytes(self, content_type: &str, body: &[u8]) -> Self {
        let with_type = self.header("content-type", content_type);
        Self { body: body.to_owned(), ..with_type }
    }

    /// The verb and the path.
    pub(super) fn line(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    fn wire(&self, host: SocketAddr) -> Vec<u8> {
        let length = self.body.len();
        let mut wire = format!("{}host: {host}\r\ncontent-length: {length}\r\n\r\n", self.head).into_bytes();
        wire.extend_from_slice(&self.body);
        wire
    }
}

/// One connection.
pub(crate) struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    host: SocketAddr,
}

impl Connection {
    pub(crate) async fn open(host: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self { reader: BufReader::new(reader), writer, host })
    }

    /// Puts the request on the wire; dropping the connection afterwards is a client that hung up.
    pub(crate) async fn send(&mut self, request: &Request) -> std::io::Result<()> {
        self.writer.write_all(&request.wire(self.host)).await
    }

    /// Puts the first half of the request on the wire.
    pub(crate) async fn send_half(&mut self, request: &Request) -> std::io::Result<()> {
        let wire = request.wire(self.host);
        self.writer.write_all(&wire[..wire.len() / 2]).await
    }

    /// Reads until the server closes; how many bytes came. An error when it resets.
    pub(crate) async fn until_closed(&mut self) -> std::io::Result<usize> {
        self.reader.read_to_end(&mut Vec::new()).await
    }

    /// Reads while it writes: a server that has heard enough answers early.
    pub(crate) async fn call(&mut self, request: &Request) -> std::io::Result<Answer> {
        let wire = request.wire(self.host);
        let Self { reader, writer, .. } = self;
        let (sent, received) = tokio::join!(writer.write_all(&wire), receive(reader));
        match received {
            Ok(answer) => Ok(answer),
            Err(error) => sent.and(Err(error)),
        }
    }
}

async fn receive(reader: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Answer> {
    let status_line = line(reader).await?;
    let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("not an answer: {status_line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = line(reader).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    if let Some(length) = answer.header("content-length") {
        answer.body = vec![0; length.parse().map_err(std::io::Error::other)?];
        reader.read_exact(&mut answer.body).await?;
    } else if answer.header("transfer-encoding") == Some("chunked") {
        chunks(reader, &mut answer.body).await?;
    }
    Ok(answer)
}

/// A body that came in pieces; one that breaks off before its last piece is an error.
async fn chunks(reader: &mut BufReader<OwnedReadHalf>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let length = usize::from_str_radix(&line(reader).await?, 16).map_err(std::io::Error::other)?;
        let begin = body.len();
        body.resize(begin + length, 0);
        reader.read_exact(&mut body[begin..]).await?;
        line(reader).await?;
        if length == 0 {
            return Ok(());
        }
    }
}

async fn line(reader: &mut BufReader<OwnedReadHalf>) -> std::io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
