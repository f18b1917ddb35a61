//! One socket's life, in one task: what the client says, what its user's channel has new, the heartbeat, and the end. What
//! the boards have new is written by the fan-out without this task; it only takes over when the kernel takes no more.
//!
//! While a reader is that slow, nothing it says is heard either: its own backlog is the answer to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::board::Joined;
use super::client::{self, Allowance, Allowed, Unusable};
use super::end::{End, SESSION_ENDED, Step};
use super::fanout::Place;
use super::frame::Frame;
use super::inbound::{Heard, Inbound, MESSAGE_BYTES_MAX};
use super::line::{Line, Scratch, Written};
use super::protocol::{ClientMessage, Compression, ServerMessage, Viewer, close};
use super::users::Subscription;
use super::{Drain, HEARTBEAT, Live};
use crate::domain::notice::Inbox;
use crate::domain::order::unix_ms;
use crate::store::sessions::Session;

const WATCHES_MAX: usize = 16;
/// A whole message fits.
const READ_BYTES: usize = MESSAGE_BYTES_MAX + 64;
/// A peer that has been silent for this long is pinged…
const PING_AFTER: Duration = Duration::from_secs(20);
/// …and given up after this.
const SILENT_AFTER: Duration = Duration::from_secs(60);
/// A peer whose buffers have not taken a single byte for this long is as good as dead.
const STALLED_FOR: Duration = Duration::from_secs(75);
/// How long to wait for the peer's half of the close handshake.
const CLOSING_FOR: Duration = Duration::from_secs(2);

struct Socket {
    line: Arc<Line>,
    live: Live,
    session: Option<Arc<Session>>,
    user: Option<Subscription>,
    inbound: Inbound,
    allowance: Allowance,
    heard_at: Instant,
    /// When this node wants the socket gone, once it is draining.
    leave_at: Option<Instant>,
}

/// The socket's place among all, for as long as it lives.
struct Counted {
    live: Live,
    place: Place,
}

impl Counted {
    fn new(live: &Live, line: &Arc<Line>) -> Self {
        let open = live.shared.sockets.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("orderboard_sockets").set(open as f64);
        Self { live: live.clone(), place: live.shared.fanout.add(line.clone()) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.live.shared.fanout.remove(self.place);
        let open = self.live.shared.sockets.fetch_sub(1, Ordering::Relaxed) - 1;
        metrics::gauge!("orderboard_sockets").set(open as f64);
    }
}

/// Serves an upgraded connection until it ends; `read_ahead` is what has been read from it already.
pub async fn serve(stream: TcpStream, read_ahead: Bytes, live: Live, session: Option<Arc<Session>>) {
    let line = Arc::new(Line::new(stream));
    let _counted = Counted::new(&live, &line);
    let inbound = Inbound::new(&read_ahead);
    // Even empty it holds on to the buffer that the request was read into.
    drop(read_ahead);
    let allowance = Allowance::new(live.shared.messages_s, Instant::now());
    let mut socket = Socket { line, live, session: None, user: None, inbound, allowance, heard_at: Instant::now(), leave_at: None };
    let end = socket.run(session).await.err().unwrap_or(End::Gone);
    if let Some(user) = socket.user.take() {
        socket.live.shared.users.leave(&user, &socket.line);
    }
    socket.line.close();
    match end {
        End::Gone => {}
        End::Answer(code) => Box::pin(socket.farewell(code, "")).await,
        End::Close(code, reason) => {
            metrics::counter!("orderboard_sockets_closed_total", "code" => code.to_string()).increment(1);
            Box::pin(socket.farewell(code, reason)).await;
        }
    }
}

impl Socket {
    async fn run(&mut self, session: Option<Arc<Session>>) -> Step {
        // What happens rarely is boxed: a task is as large as the largest thing it may ever wait for.
        Box::pin(self.sign_in(session)).await?;
        Box::pin(self.obey()).await?;
        loop {
            if self.user.as_ref().is_some_and(Subscription::has_news) {
                Box::pin(self.send_private()).await?;
            }
            if self.leave_at.is_none() {
                Box::pin(self.drain()).await?;
            }
            if self.line.is_behind()? {
                Box::pin(self.catch_up()).await?;
                continue;
            }
            let check_at = self.check_at();
            tokio::select! {
                readable = self.line.stream().readable() => {
                    readable?;
                    if self.read()? {
                        Box::pin(self.obey()).await?;
                    }
                }
                () = self.line.woken() => {}
                () = tokio::time::sleep_until(check_at) => Box::pin(self.check()).await?,
            }
        }
    }

    /// Says hello as this user (or as a guest), then where the user's money stands and how much is unread.
    async fn sign_in(&mut self, session: Option<Arc<Session>>) -> Step {
        if let Some(before) = self.user.take() {
            self.live.shared.users.leave(&before, &self.line);
        }
        // Subscribed first, read afterwards: what changes meanwhile comes with a newer version.
        self.user = session.as_ref().map(|session| self.live.shared.users.subscribe(session.actor.user.id, self.line.clone()));
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
        self.send_standing().await
    }

    /// What a socket is told from the beginning, and anew when it has missed too much.
    async fn send_standing(&mut self) -> Step {
        self.send_balances().await?;
        self.send_unread().await
    }

    async fn send_unread(&mut self) -> Step {
        let Some(user) = &self.user else { return Ok(()) };
        let user_id = user.user_id();
        match self.live.shared.inboxes.find(user_id).await {
            Ok(inbox) => {
                let inbox = inbox.unwrap_or(Inbox { user_id, ..Inbox::default() });
                user.channel.has_read(&inbox);
                self.send(&Frame::json(&ServerMessage::NoticeCount { unread: inbox.unread, read_up_to: inbox.read_up_to })).await
            }
            Err(error) => {
                tracing::warn!(%error, "an inbox could not be read for a socket");
                let detail =
                    "your notifications cannot be read at the moment; they follow with the next one, or ask GET /api/notifications";
                self.send(&Frame::json(&ServerMessage::Error { code: "unavailable", detail })).await
            }
        }
    }

    async fn send_balances(&mut self) -> Step {
        let Some(session) = &self.session else { return Ok(()) };
        match self.live.shared.accounts.find(session.actor.user.id).await {
            Ok(accounts) => {
                let frames = accounts
                    .iter()
                    .flat_map(|accounts| accounts.iter())
                    .map(|account| Frame::json(&ServerMessage::Balance(account)).wire())
                    .collect();
                self.write(frames).await
            }
            Err(error) => {
                tracing::warn!(%error, "balances could not be read for a socket");
                let detail = "your balances cannot be read at the moment; they follow with the next change, or ask GET /api/me";
                self.send(&Frame::json(&ServerMessage::Error { code: "unavailable", detail })).await
            }
        }
    }

    async fn send_private(&mut self) -> Step {
        let session_id = self.session_id();
        let Some(user) = &mut self.user else { return Ok(()) };
        let private = user.channel.since(user.cursor, session_id);
        user.cursor = private.cursor;
        // The end of the session may be among what a stalled socket has missed.
        if private.is_over || (private.has_gap && self.live.sessions().has_ended(session_id)) {
            return Err(SESSION_ENDED);
        }
        self.write(private.frames).await?;
        if private.has_gap { self.send_standing().await } else { Ok(()) }
    }

    /// Takes what has arrived; false when nothing had.
    fn read(&mut self) -> Result<bool, End> {
        let mut bytes = [0_u8; READ_BYTES];
        match self.line.stream().try_read(&mut bytes) {
            Ok(0) => Err(End::Gone),
            Ok(count) => {
                self.heard_at = Instant::now();
                self.inbound.push(&bytes[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(_) => Err(End::Gone),
        }
    }

    /// Does what the client has said so far.
    async fn obey(&mut self) -> Step {
        while let Some(heard) = self.inbound.next()? {
            self.hear(heard).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, heard: Heard) -> Step {
        let text = match heard {
            Heard::Text(text) => Some(text),
            Heard::Binary => None,
            Heard::Ping(payload) => return self.send(&Frame::pong(&payload)).await,
            Heard::Pong => return Ok(()),
            Heard::Close(code) => return Err(End::Answer(code)),
        };
        match self.allowance.next(self.heard_at) {
            Allowed::Yes => {}
            Allowed::No => {
                let detail = format!("too many messages; at most {} a second", self.live.shared.messages_s);
                return self.refuse("limit", &detail).await;
            }
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
            ClientMessage::Watch { board, epoch, seq, compress } => self.watch(&board, epoch.as_deref().zip(seq), compress).await,
            ClientMessage::Unwatch { board } => {
                self.line.unwatch(&board);
                Ok(())
            }
            ClientMessage::Ping { t } => {
                self.send(&Frame::json(&ServerMessage::Pong { t, server_ms: unix_ms(OffsetDateTime::now_utc()) })).await
            }
        }
    }

    async fn watch(&mut self, name: &str, had: Option<(&str, u64)>, compress: Option<Compression>) -> Step {
        let Some(board) = self.live.board(name) else {
            return self.refuse("unknown_board", "there is no such board; watch `all` or `category:SLUG`").await;
        };
        if self.line.watches_besides(name) >= WATCHES_MAX {
            return self.refuse("limit", "a socket watches at most 16 boards; unwatch one first").await;
        }
        let (joined, cursor) = board.join(had);
        let first = match (joined, compress) {
            (Joined::Resumed(diff), _) => diff,
            (Joined::Anew(snapshot), None) => snapshot.message(),
            (Joined::Anew(snapshot), Some(Compression::Gzip)) => snapshot.compressed_message().await,
        };
        let written = self.line.watch(board, cursor, first, &mut Scratch::default())?;
        self.until_written(written).await
    }

    async fn drain(&mut self) -> Step {
        let Some(Drain { after, spread }) = *self.live.shared.draining.borrow() else { return Ok(()) };
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
        if silent_for >= PING_AFTER { self.send(&Frame::ping()).await } else { Ok(()) }
    }

    async fn refuse(&mut self, code: &'static str, detail: &str) -> Step {
        self.send(&Frame::json(&ServerMessage::Error { code, detail })).await
    }

    async fn send(&mut self, frame: &Frame) -> Step {
        self.write(vec![frame.wire()]).await
    }

    async fn write(&mut self, frames: Vec<Bytes>) -> Step {
        let written = self.line.send(frames, &mut Scratch::default())?;
        self.until_written(written).await
    }

    async fn until_written(&mut self, written: Written) -> Step {
        if written == Written::Part { self.catch_up().await } else { Ok(()) }
    }

    /// Waits for a slow reader until it has everything. Its session may end meanwhile.
    async fn catch_up(&mut self) -> Step {
        let mut scratch = Scratch::default();
        let mut give_up_at = Instant::now() + STALLED_FOR;
        loop {
            tokio::select! {
                writable = self.line.stream().writable() => writable?,
                () = self.line.woken() => {}
                () = tokio::time::sleep_until(give_up_at) => {
                    metrics::counter!("orderboard_sockets_stalled_total").increment(1);
                    return Err(End::Gone);
                }
            }
            let session_id = self.session_id();
            if self.user.as_ref().is_some_and(|user| user.channel.since(user.cursor, session_id).is_over) {
                return Err(SESSION_ENDED);
            }
            let written = self.line.resume(&mut scratch)?;
            if scratch.tally.bytes > 0 {
                give_up_at = Instant::now() + STALLED_FOR;
            }
            scratch.tally.report();
            if written == Written::All {
                return Ok(());
            }
        }
    }

    fn session_id(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.actor.session_id)
    }

    /// Says the last words, and reads on for a moment: closing with unread bytes would reset the connection and lose them.
    async fn farewell(&mut self, code: u16, reason: &str) {
        let words = Frame::close(code, reason);
        let farewell = async {
            let mut scratch = Scratch::default();
            let mut written = self.line.send([words.wire()], &mut scratch)?;
            while written == Written::Part {
                self.line.stream().writable().await?;
                written = self.line.resume(&mut scratch)?;
            }
            let mut unread = [0_u8; READ_BYTES];
            loop {
                self.line.stream().readable().await?;
                match self.line.stream().try_read(&mut unread) {
                    Ok(0) => return Ok(()),
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    Ok(_) | Err(_) => {}
                }
            }
        };
        // Nothing here touches the database: cutting it short is safe.
        let _: Result<io::Result<()>, _> = tokio::time::timeout(CLOSING_FOR, farewell).await;
    }
}
