//! One socket's life, in one task: what the client says, what the boards and the user's channel have new, the heartbeat,
//! and the end. Reading, control frames and the close handshake are tungstenite's; the shared frames are written past
//! it, straight from the bytes that everybody shares, so that its write buffer stays empty (it never shrinks: one
//! snapshot would cost each socket 300 kB for life).
//!
//! While a frame is being written nothing else is: a frame of tungstenite's in the middle of ours would break both.

mod write;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message, error::CapacityError};

use self::write::write_frames;
use super::board::{Board, Cursor};
use super::client::{self, Allowance, Allowed, Unusable};
use super::frame::Frame;
use super::protocol::{ClientMessage, ServerMessage, Viewer, close};
use super::users::Subscription;
use super::{Drain, HEARTBEAT, Live};
use crate::domain::order::unix_ms;
use crate::store::sessions::Session;

/// Longest message a client may send.
const MESSAGE_BYTES_MAX: usize = 4_096;
const READ_BUFFER_BYTES: usize = 1_024;
const WATCHES_MAX: usize = 16;
/// A peer that has been silent for this long is pinged…
const PING_AFTER: Duration = Duration::from_secs(20);
/// …and given up after this.
const SILENT_AFTER: Duration = Duration::from_secs(60);
/// How long to wait for the peer's half of the close handshake.
const CLOSING_FOR: Duration = Duration::from_secs(2);

/// Why a socket ends.
pub(super) enum End {
    /// The peer closed, or the connection broke.
    Gone,
    Close(u16, &'static str),
}

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> Self {
        End::Gone
    }
}

type Step = Result<(), End>;

struct Watch {
    board: Arc<Board>,
    cursor: Cursor,
    moved: watch::Receiver<u64>,
}

struct Socket<S> {
    ws: WebSocketStream<S>,
    live: Live,
    session: Option<Session>,
    user: Option<Subscription>,
    watches: Vec<Watch>,
    allowance: Allowance,
    heard_at: Instant,
    /// When this node wants the socket gone, once it is draining.
    leave_at: Option<Instant>,
}

/// Counts the socket for as long as it lives.
struct Counted(Live);

impl Counted {
    fn new(live: &Live) -> Self {
        let open = live.shared.sockets.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("orderboard_sockets").set(open as f64);
        Self(live.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let open = self.0.shared.sockets.fetch_sub(1, Ordering::Relaxed) - 1;
        metrics::gauge!("orderboard_sockets").set(open as f64);
    }
}

/// Serves an upgraded connection until it ends.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(io: S, live: Live, session: Option<Session>) {
    let _counted = Counted::new(&live);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let ws = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let mut socket = Socket {
        ws,
        live,
        session: None,
        user: None,
        watches: Vec::new(),
        allowance: Allowance::new(Instant::now()),
        heard_at: Instant::now(),
        leave_at: None,
    };
    let end = socket.run(session).await.err().unwrap_or(End::Gone);
    if let Some(user) = socket.user.take() {
        socket.live.shared.users.leave(user);
    }
    if let End::Close(code, reason) = end {
        socket.close(code, reason).await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    async fn run(&mut self, session: Option<Session>) -> Step {
        self.sign_in(session).await?;
        let mut draining = self.live.shared.draining.subscribe();
        draining.mark_changed();
        loop {
            self.send_private().await?;
            self.send_boards().await?;
            let check_at = self.check_at();
            let Self { ws, watches, user, .. } = self;
            tokio::select! {
                message = ws.next() => match message {
                    Some(Ok(message)) => self.hear(message).await?,
                    Some(Err(error)) => return Err(end_of(&error)),
                    None => return Err(End::Gone),
                },
                () = boards_moved(watches) => {}
                () = user_moved(user) => {}
                _ = draining.changed() => {
                    let drain = *draining.borrow_and_update();
                    self.drain(drain).await?;
                }
                () = tokio::time::sleep_until(check_at) => self.check().await?,
            }
        }
    }

    /// Says hello as this user (or as a guest), then where the user's money stands.
    async fn sign_in(&mut self, session: Option<Session>) -> Step {
        if let Some(before) = self.user.take() {
            self.live.shared.users.leave(before);
        }
        // Subscribed first, read afterwards: what changes meanwhile comes with a newer version.
        self.user = session.as_ref().map(|session| self.live.shared.users.subscribe(session.actor.user.id));
        self.session = session;
        let now = OffsetDateTime::now_utc();
        let hello = ServerMessage::Hello {
            protocol: 1,
            node: &self.live.shared.node,
            server_ms: unix_ms(now),
            heartbeat_ms: HEARTBEAT.as_millis() as u64,
            user: self.session.as_ref().map(|session| Viewer::new(&session.actor.user, session.actor.role)),
            expires_in_s: self.session.as_ref().map(|session| (session.expires_at - now).whole_seconds()),
        };
        let hello = Frame::json(&hello);
        self.send(&hello).await?;
        self.send_balances().await
    }

    async fn send_balances(&mut self) -> Step {
        let Some(session) = &self.session else { return Ok(()) };
        match self.live.store().accounts_of(session.actor.user.id).await {
            Ok(accounts) => {
                let frames = accounts.iter().map(|account| Frame::json(&ServerMessage::Balance(account)).wire()).collect();
                self.write(frames).await
            }
            Err(error) => {
                tracing::warn!(%error, "balances could not be read for a socket");
                let detail = "your balances cannot be read at the moment; they follow with the next change, or ask GET /api/me";
                self.send(&Frame::json(&ServerMessage::Error { code: "unavailable", detail })).await
            }
        }
    }

    async fn send_boards(&mut self) -> Step {
        for place in 0..self.watches.len() {
            loop {
                let watch = &mut self.watches[place];
                watch.moved.mark_unchanged();
                let given = watch.board.since(watch.cursor);
                watch.cursor = given.cursor;
                if given.frames.is_empty() {
                    break;
                }
                self.write(given.frames).await?;
                if !given.has_more {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn send_private(&mut self) -> Step {
        let session_id = self.session_id();
        let Some(user) = &mut self.user else { return Ok(()) };
        user.moved.mark_unchanged();
        let private = user.channel.since(user.cursor, session_id);
        user.cursor = private.cursor;
        // The end of the session may be among what a stalled socket has missed.
        if private.is_over || (private.has_gap && self.live.sessions().has_ended(session_id)) {
            return Err(End::Close(close::SESSION_ENDED, "session ended"));
        }
        if !private.frames.is_empty() {
            self.write(private.frames).await?;
        }
        if private.has_gap { self.send_balances().await } else { Ok(()) }
    }

    async fn hear(&mut self, message: Message) -> Step {
        self.heard_at = Instant::now();
        let text = match message {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
            Message::Close(_) => {
                // tungstenite has queued the answer; see that it leaves.
                let _ = self.ws.flush().await;
                return Err(End::Gone);
            }
            _ => return Ok(()),
        };
        match self.allowance.next(self.heard_at) {
            Allowed::Yes => {}
            Allowed::No => return self.refuse("limit", "too many messages; at most 10 a second").await,
            Allowed::Close => return Err(End::Close(close::TOO_MANY, "too many messages")),
        }
        let Some(text) = text else { return self.refuse("malformed", "send text frames; binary ones are not understood").await };
        match client::parse(&text) {
            Ok(message) => self.act(message).await,
            Err(Unusable { code, detail }) => self.refuse(code, &detail).await,
        }
    }

    async fn act(&mut self, message: ClientMessage) -> Step {
        match message {
            ClientMessage::Auth { token } => match self.live.sessions().find(&token).await {
                Ok(Some(session)) => self.sign_in(Some(session)).await,
                Ok(None) => self.refuse("unauthenticated", "this token opens no session; sign in again").await,
                Err(error) => {
                    tracing::warn!(%error, "a session could not be read for a socket");
                    self.refuse("unavailable", "sessions cannot be read at the moment; try again").await
                }
            },
            ClientMessage::Watch { board, epoch, seq } => self.watch(&board, epoch.as_deref().zip(seq)).await,
            ClientMessage::Unwatch { board } => {
                self.watches.retain(|watch| watch.board.name() != board);
                Ok(())
            }
            ClientMessage::Ping { t } => {
                self.send(&Frame::json(&ServerMessage::Pong { t, server_ms: unix_ms(OffsetDateTime::now_utc()) })).await
            }
        }
    }

    async fn watch(&mut self, name: &str, had: Option<(&str, u64)>) -> Step {
        let Some(board) = self.live.board(name).cloned() else {
            return self.refuse("unknown_board", "there is no such board; watch `all` or `category:SLUG`").await;
        };
        self.watches.retain(|watch| watch.board.name() != name);
        if self.watches.len() >= WATCHES_MAX {
            return self.refuse("limit", "a socket watches at most 16 boards; unwatch one first").await;
        }
        let moved = board.moved();
        let (frame, cursor) = board.join(had);
        self.watches.push(Watch { board, cursor, moved });
        self.write(vec![frame]).await
    }

    async fn drain(&mut self, drain: Option<Drain>) -> Step {
        let Some(Drain { after, spread }) = drain else { return Ok(()) };
        self.leave_at = Some(Instant::now() + after + spread);
        let message = ServerMessage::Drain { after_ms: after.as_millis() as u64, spread_ms: spread.as_millis() as u64 };
        self.send(&Frame::json(&message)).await
    }

    /// The next moment at which silence, expiry or draining has to be looked at.
    fn check_at(&self) -> Instant {
        let expires_in = self.session.as_ref().map(|session| session.expires_at - OffsetDateTime::now_utc());
        let expires_at = expires_in.map(|left| Instant::now() + Duration::try_from(left).unwrap_or_default());
        let silent_for = self.heard_at.elapsed();
        let silence_at = self.heard_at + if silent_for < PING_AFTER { PING_AFTER } else { silent_for.min(SILENT_AFTER) + PING_AFTER / 2 };
        [expires_at, self.leave_at].into_iter().flatten().fold(silence_at, Instant::min)
    }

    async fn check(&mut self) -> Step {
        if self.leave_at.is_some_and(|at| at <= Instant::now()) {
            return Err(End::Close(close::RESTARTING, "the node is restarting"));
        }
        if self.session.as_ref().is_some_and(|session| session.expires_at <= OffsetDateTime::now_utc()) {
            return Err(End::Close(close::SESSION_ENDED, "session expired"));
        }
        let silent_for = self.heard_at.elapsed();
        if silent_for >= SILENT_AFTER {
            return Err(End::Close(close::SILENT, "nothing was heard for 60 s"));
        }
        if silent_for >= PING_AFTER {
            self.ws.send(Message::Ping(Bytes::new())).await.map_err(|_| End::Gone)?;
        }
        Ok(())
    }

    async fn refuse(&mut self, code: &'static str, detail: &str) -> Step {
        self.send(&Frame::json(&ServerMessage::Error { code, detail })).await
    }

    async fn send(&mut self, frame: &Frame) -> Step {
        self.write(vec![frame.wire()]).await
    }

    async fn write(&mut self, frames: Vec<Bytes>) -> Step {
        let session_id = self.session_id();
        write_frames(&mut self.ws, frames, self.user.as_ref(), session_id).await
    }

    fn session_id(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.actor.session_id)
    }

    /// Says why, and reads on for a moment: closing with unread bytes would reset the connection and lose the reason.
    async fn close(&mut self, code: u16, reason: &'static str) {
        metrics::counter!("orderboard_sockets_closed_total", "code" => code.to_string()).increment(1);
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let farewell = async {
            let _ = self.ws.send(Message::Close(Some(frame))).await;
            let mut unread = [0_u8; 1_024];
            while matches!(self.ws.get_mut().read(&mut unread).await, Ok(1..)) {}
        };
        // Nothing here touches the database: cutting it short is safe.
        let _ = tokio::time::timeout(CLOSING_FOR, farewell).await;
    }
}

fn end_of(error: &Error) -> End {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => End::Close(close::TOO_LARGE, "messages are at most 4096 bytes"),
        Error::Utf8(_) => End::Close(1007, "text frames are UTF-8"),
        Error::Protocol(_) => End::Close(1002, "this is not the websocket protocol"),
        _ => End::Gone,
    }
}

async fn boards_moved(watches: &mut [Watch]) {
    match watches {
        [] => std::future::pending().await,
        [only] => drop(only.moved.changed().await),
        several => {
            let changes = several.iter_mut().map(|watch| Box::pin(watch.moved.changed()));
            drop(futures_util::future::select_all(changes).await);
        }
    }
}

async fn user_moved(user: &mut Option<Subscription>) {
    match user {
        Some(user) => drop(user.moved.changed().await),
        None => std::future::pending().await,
    }
}
