//! What one process must spend to hand the same bytes to every websocket, and nothing else: it upgrades by hand, reads
//! one channel of Redis by hand, and writes whatever has gathered, once for each socket, from one shared buffer. No
//! server can do with less; how close ours comes is what `fanout` tells. Nothing here keeps a board, an order of
//! connections, a session or a heartbeat.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

use crate::cli::TcpFloor;
use crate::error::Error;
use crate::money::redis::parse;
use crate::watch::wire;

const WAITING_MAX: u32 = 4_096;
const READ_BYTES: usize = 256 << 10;
const HEAD_BYTES_MAX: usize = 8 << 10;
/// What a socket may owe before it is dropped: a floor has no way to catch up.
const OWED_BYTES_MAX: usize = 16 << 20;
/// How soon a socket that was full is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(1);
/// RFC 6455, section 1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

struct Connection {
    stream: TcpStream,
    /// What the socket would not take yet.
    owed: Vec<u8>,
}

type Connections = Rc<RefCell<Vec<Connection>>>;

/// Serves until its input ends or it is told to stop. On a thread of its own: nothing here is shared between threads.
pub(crate) fn run(options: &TcpFloor, stop: &CancellationToken) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            result = serve(options) => result,
            () = stop.cancelled() => Ok(()),
        }
    })
}

async fn serve(options: &TcpFloor) -> Result<(), Error> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(options.listen)?;
    let listener = socket.listen(WAITING_MAX)?;
    let news = subscribe(&options.redis, &options.channel).await?;
    let connections = Connections::default();
    let accepted = connections.clone();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connections = accepted.clone();
            tokio::task::spawn_local(async move {
                if let Ok(stream) = upgraded(stream).await {
                    connections.borrow_mut().push(Connection { stream, owed: Vec::new() });
                }
            });
        }
    });
    // Whoever started it waits for this line.
    println!("ready");
    hand_out(news, &connections).await
}

async fn subscribe(url: &str, channel: &str) -> Result<Either<UnixStream, TcpStream>, Error> {
    let mut stream = match (url.strip_prefix("redis+unix://"), url.strip_prefix("redis://")) {
        (Some(path), _) => Either::Left(UnixStream::connect(path).await?),
        (_, Some(address)) => Either::Right(TcpStream::connect(address).await?),
        _ => return Err(Error::Usage(format!("{url}: expected redis://HOST:PORT or redis+unix:///PATH"))),
    };
    stream.write_all(format!("SUBSCRIBE {channel}\r\n").as_bytes()).await?;
    Ok(stream)
}

async fn upgraded(mut stream: TcpStream) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let mut question = Vec::new();
    while !question.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut question).await? == 0 || question.len() > HEAD_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    let text = String::from_utf8_lossy(&question);
    let headers = text.lines().filter_map(|line| line.split_once(": "));
    let key = headers.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).map(|(_, key)| key).next();
    let accept = STANDARD.encode(Sha1::digest(format!("{}{MAGIC}", key.unwrap_or_default())));
    let answer =
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    Ok(stream)
}

async fn hand_out(mut news: Either<UnixStream, TcpStream>, connections: &Connections) -> Result<(), Error> {
    let (mut inbox, mut frames) = (Vec::with_capacity(READ_BYTES), Vec::new());
    loop {
        let is_owing = connections.borrow().iter().any(|connection| !connection.owed.is_empty());
        inbox.reserve(READ_BYTES);
        let got = tokio::select! {
            got = news.read_buf(&mut inbox) => got?,
            () = tokio::time::sleep(AGAIN_AFTER), if is_owing => {
                connections.borrow_mut().retain_mut(|connection| connection.owed.is_empty() || connection.pay());
                continue;
            }
        };
        if got == 0 {
            return Err(Error::Redis("the connection was lost".into()));
        }
        let mut at = 0;
        while let Some((reply, end)) = parse(&inbox, at, 0)? {
            at = end;
            // `subscribe` has a number in its third place.
            if let Some(crate::money::redis::Reply::Text(payload)) = reply.list().get(2) {
                frames.extend(wire::head(wire::TEXT, payload.len(), 0));
                frames.extend(payload);
            }
        }
        inbox.drain(..at);
        if !frames.is_empty() {
            connections.borrow_mut().retain_mut(|connection| connection.send(&frames));
            frames.clear();
        }
    }
}

impl Connection {
    /// False when it is over.
    fn send(&mut self, bytes: &[u8]) -> bool {
        if !self.owed.is_empty() {
            self.owed.extend_from_slice(bytes);
            return self.owed.len() <= OWED_BYTES_MAX && self.pay();
        }
        let sent = match self.stream.try_write(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return false,
        };
        self.owed.extend_from_slice(&bytes[sent..]);
        true
    }

    fn pay(&mut self) -> bool {
        match self.stream.try_write(&self.owed) {
            Ok(sent) => {
                self.owed.drain(..sent);
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}
