//! One watcher's life on a websocket: sign in, watch `all`, keep the copy exact, come back when the
//! connection is lost. What it sees first goes to the news, and to its taker if it has one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_util::sync::CancellationToken;

use crate::check::Problems;
use crate::error::Error;
use crate::races::{News, Sighting, is_drawn, locked};
use crate::replica::{Applied, Frame, Replica, Sight};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// tungstenite zero-fills its whole read buffer on each read, so a large one costs time, not only
/// memory.
const READ_BUFFER_BYTES: usize = 4096;
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Often enough for any server that closes silent connections.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);
pub(crate) const PING: &str = r#"{"type":"ping","t":0}"#;
/// A question about a gap that is not answered within this is asked again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
const SIGHTINGS_MAX: usize = 4096;

/// Connects and upgrades, signed in if there is a token.
pub(crate) async fn open(authority: &str, token: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{authority}/ws").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("orderboard.v1"));
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        headers.insert(AUTHORIZATION, value.map_err(|e| Error::Server(format!("token: {e}")))?);
    }
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let connecting = async {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        Ok::<_, Error>(upgrade.await?.0)
    };
    let late = || Error::Server(format!("no websocket within {CONNECT_WITHIN:?}"));
    tokio::time::timeout(CONNECT_WITHIN, connecting).await.map_err(|_| late())?
}

/// The taker behind a watcher, who races for the orders drawn for it.
pub(crate) struct Drawing {
    pub(crate) taker: u64,
    pub(crate) takers: u64,
    pub(crate) racers: u64,
    /// With the moment at which the frame that shows it was read.
    pub(crate) orders: UnboundedSender<(u64, Instant)>,
    /// Calls handed to takers and not answered yet.
    pub(crate) in_flight: Arc<AtomicU64>,
}

/// What others may look at while the watcher lives.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) replica: Mutex<Replica>,
    pub(crate) frames: AtomicU64,
    /// Ticks and snapshots whose checksum proved the copy.
    pub(crate) proofs: AtomicU64,
    pub(crate) resyncs: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) mismatches: Mutex<Problems>,
    pub(crate) errors: Mutex<Problems>,
}

pub(crate) struct Watcher {
    pub(crate) index: u64,
    pub(crate) authority: Arc<str>,
    pub(crate) token: Option<String>,
    /// Orders of other runs are none of this run's races or news.
    pub(crate) tag: String,
    pub(crate) news: Arc<News>,
    pub(crate) drawing: Option<Drawing>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) stop: CancellationToken,
    pub(crate) sightings: Vec<Sighting>,
    pub(crate) asked: Option<Instant>,
}

impl Watcher {
    /// Watches until stopped.
    pub(crate) async fn watch(mut self) {
        while let Err(error) = self.live().await {
            if self.stop.is_cancelled() {
                break;
            }
            self.watched.reconnects.fetch_add(1, Ordering::Relaxed);
            locked(&self.watched.errors).add(|| format!("watcher {}: {error}", self.index));
            // Spread, so that a restarted server is not met by all at once.
            let pause = Duration::from_millis(50 + 7 * (self.index % 100));
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.news.settle(&mut self.sightings);
    }

    /// One connection's life; Ok only when it was this side that ended it.
    async fn live(&mut self) -> Result<(), Error> {
        let mut socket = open(&self.authority, self.token.as_deref()).await?;
        self.ask(&mut socket, true).await?;
        let stop = self.stop.clone();
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.reset();
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => {
                    // The server may be gone already.
                    let _ = socket.close(None).await;
                    return Ok(());
                }
                _ = ping.tick() => {
                    socket.send(Message::text(PING)).await?;
                    continue;
                }
                message = socket.next() => message,
            };
            match message {
                Some(Ok(Message::Text(text))) => self.read(&mut socket, text.as_str()).await?,
                Some(Ok(Message::Close(why))) => {
                    let why = why.map_or("without a reason".into(), |w| w.to_string());
                    return Err(Error::Server(format!("closed by the server: {why}")));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(Error::Server("connection lost".into())),
            }
        }
    }

    async fn read(&mut self, socket: &mut Socket, text: &str) -> Result<(), Error> {
        let at = Instant::now();
        let frame: Frame<'_> = serde_json::from_str(text)?;
        self.watched.frames.fetch_add(1, Ordering::Relaxed);
        match frame.kind {
            "snapshot" | "diff" | "tick" => {}
            "drain" => return Err(Error::Server("asked to come back later (drain)".into())),
            "error" => {
                let words = frame.detail.map_or("", |d| d.get());
                locked(&self.watched.errors).add(|| format!("watcher {}: {words}", self.index));
                return Ok(());
            }
            _ => return Ok(()),
        }
        match self.apply(&frame, at) {
            Applied::Done => self.asked = None,
            Applied::Proved => {
                self.asked = None;
                self.watched.proofs.fetch_add(1, Ordering::Relaxed);
            }
            // What was on its way before the answer does not fit either: that is no second gap.
            Applied::Gap if self.asked.is_some_and(|at| at.elapsed() < ANSWERED_WITHIN) => {}
            Applied::Gap => {
                self.watched.resyncs.fetch_add(1, Ordering::Relaxed);
                self.ask(socket, true).await?;
            }
            Applied::Differs => {
                let (kind, seq) = (frame.kind, frame.seq);
                locked(&self.watched.mismatches).add(|| format!("watcher {}: {kind} at seq {seq}", self.index));
                self.ask(socket, false).await?;
            }
        }
        if self.sightings.len() >= SIGHTINGS_MAX {
            self.news.settle(&mut self.sightings);
            // Still that many: other people's orders, which never get a cause here.
            if self.sightings.len() >= SIGHTINGS_MAX {
                self.sightings.clear();
            }
        }
        Ok(())
    }

    fn apply(&mut self, frame: &Frame<'_>, at: Instant) -> Applied {
        let (tag, sightings, drawing) = (&self.tag, &mut self.sightings, &self.drawing);
        let see = |sight: Sight<'_>| match sight {
            Sight::New { id, title } if title.starts_with(tag.as_str()) => {
                sightings.push(Sighting { order: id, removal: false, at });
                if let Some(drawing) = drawing {
                    drawing.offer(id, at);
                }
            }
            Sight::New { .. } => {}
            Sight::Taken { id } => sightings.push(Sighting { order: id, removal: true, at }),
        };
        let mut replica = locked(&self.watched.replica);
        match frame.kind {
            "snapshot" => replica.snapshot(frame, see),
            "diff" => replica.diff(frame, see),
            _ => replica.tick(frame),
        }
    }

    /// Asks for the board: what has changed since the copy, or all of it.
    async fn ask(&mut self, socket: &mut Socket, since_copy: bool) -> Result<(), Error> {
        self.asked = Some(Instant::now());
        let text = {
            let replica = locked(&self.watched.replica);
            if since_copy && replica.is_live() {
                let (epoch, seq) = (&replica.epoch, replica.seq);
                format!(r#"{{"type":"watch","board":"all","epoch":{epoch},"seq":{seq}}}"#)
            } else {
                r#"{"type":"watch","board":"all"}"#.to_owned()
            }
        };
        Ok(socket.send(Message::text(text)).await?)
    }
}

impl Drawing {
    fn offer(&self, order: u64, at: Instant) {
        if is_drawn(self.taker, order, self.takers, self.racers) {
            self.in_flight.fetch_add(1, Ordering::AcqRel);
            if self.orders.send((order, at)).is_err() {
                self.in_flight.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}
