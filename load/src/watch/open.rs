//! Opening many websockets, from as many addresses as their number needs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::engine::{Engine, Opened};
use super::protocol::Protocol;
use super::wire;
use crate::error::Error;

/// Sockets that are connecting or have not received their board yet.
const OPENING_MAX: u64 = 64;
const OPEN_WITHIN: Duration = Duration::from_secs(180);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Fewer than the ports that one address has for connections to one other (28,232 by default).
pub(crate) const PER_SOURCE: u64 = 20_000;

/// Where the sockets go.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) authority: Arc<str>,
    pub(crate) path: String,
    pub(crate) protocol: Protocol,
}

/// Which sockets, by their numbers over all processes, and from how many addresses.
#[derive(Clone, Copy)]
pub(crate) struct Portion {
    pub(crate) from: u64,
    pub(crate) count: u64,
    pub(crate) sources: u64,
}

pub(crate) async fn open_all(target: &Target, portion: Portion, engine: &Engine, stop: &CancellationToken) -> Result<(), Error> {
    let address = resolve(&target.authority).await?;
    let give_up = Instant::now() + OPEN_WITHIN;
    let mut opening = JoinSet::new();
    let (mut begun, mut failed) = (0, 0);
    while begun < portion.count || !opening.is_empty() {
        if stop.is_cancelled() {
            return Ok(());
        }
        if Instant::now() > give_up {
            let settled = engine.settled.load(Ordering::Relaxed);
            return Err(Error::Server(format!("{settled} of {} sockets were open after {OPEN_WITHIN:?}", portion.count)));
        }
        let on_their_way = begun - failed - engine.settled.load(Ordering::Relaxed);
        if begun < portion.count && on_their_way < OPENING_MAX {
            let source = source(address, portion, begun);
            let target = target.clone();
            opening.spawn(async move { tokio::time::timeout(ANSWER_WITHIN, open(&target, address, source)).await });
            begun += 1;
            continue;
        }
        tokio::select! {
            Some(opened) = opening.join_next() => match opened? {
                Ok(Ok(opened)) => engine.add(opened),
                Ok(Err(error)) if failed == 0 => return Err(error),
                _ => failed += 1,
            },
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
    while engine.settled.load(Ordering::Relaxed) + failed < portion.count && Instant::now() < give_up && !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if failed > 0 {
        return Err(Error::Server(format!("{failed} of {} sockets could not be opened", portion.count)));
    }
    Ok(())
}

async fn resolve(authority: &str) -> Result<SocketAddr, Error> {
    let mut found = tokio::net::lookup_host(authority).await?;
    found.next().ok_or_else(|| Error::Usage(format!("{authority} has no address")))
}

/// On loopback 127.0.0.2, .3, …, in turns; elsewhere what the system chooses.
fn source(to: SocketAddr, portion: Portion, nth: u64) -> Option<Ipv4Addr> {
    let IpAddr::V4(to) = to.ip() else { return None };
    if portion.sources < 2 || !to.is_loopback() {
        return None;
    }
    let place = u8::try_from(2 + (portion.from + nth) % portion.sources).ok()?;
    Some(Ipv4Addr::new(127, 0, 0, place))
}

async fn open(target: &Target, address: SocketAddr, source: Option<Ipv4Addr>) -> Result<Opened, Error> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        socket.bind((source, 0).into())?;
    }
    let mut talk = Talk { stream: socket.connect(address).await?, inbox: Vec::new() };
    talk.stream.set_nodelay(true)?;
    let question = wire::upgrade(&target.authority, &target.path, target.protocol.subprotocol());
    talk.stream.write_all(question.as_bytes()).await?;
    talk.upgraded().await?;
    for step in target.protocol.handshake() {
        talk.stream.write_all(&step.send).await?;
        if !step.until.is_empty() {
            talk.hear(step.until).await?;
        }
    }
    Ok(Opened { stream: talk.stream.into_std()?, rest: talk.inbox })
}

struct Talk {
    stream: TcpStream,
    inbox: Vec<u8>,
}

impl Talk {
    async fn more(&mut self) -> Result<(), Error> {
        let got = self.stream.read_buf(&mut self.inbox).await?;
        if got == 0 || self.inbox.len() > ANSWER_BYTES_MAX {
            return Err(Error::Server("the connection was closed before it was a websocket".into()));
        }
        Ok(())
    }

    async fn upgraded(&mut self) -> Result<(), Error> {
        let end = loop {
            match memchr::memmem::find(&self.inbox, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.more().await?,
            }
        };
        if !self.inbox.starts_with(b"HTTP/1.1 101") {
            let head = String::from_utf8_lossy(&self.inbox);
            return Err(Error::Server(format!("no websocket: {}", head.lines().next().unwrap_or_default())));
        }
        self.inbox.drain(..end);
        Ok(())
    }

    /// Reads frames up to the one that begins so.
    async fn hear(&mut self, until: &[u8]) -> Result<(), Error> {
        loop {
            match wire::first(&self.inbox) {
                Some(frame) => {
                    let (is_it, length) = (frame.payload.starts_with(until), frame.bytes.len());
                    self.inbox.drain(..length);
                    if is_it {
                        return Ok(());
                    }
                }
                None => self.more().await?,
            }
        }
    }
}
