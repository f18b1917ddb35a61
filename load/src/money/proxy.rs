//! A proxy between workers and MariaDB that cuts connections where it hurts: at a COMMIT, so that the client never
//! learns whether its transaction happened. It reads the client's packets as MySQL's protocol has them (three bytes of
//! length, one of sequence, the payload; a command begins with sequence 0 and its code).

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::AbortHandle;

use super::dice::Dice;

const READ_BYTES: usize = 64 << 10;
const PACKET_BYTES_MAX: usize = 64 << 20;
/// Of each kind at COMMIT, in any run.
const CUTS_WANTED: u64 = 3;
/// How often it is cut until then, in thousandths.
const EAGER: u64 = 300;
const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;

/// How often a connection is cut, in thousandths.
#[derive(Clone, Copy)]
pub(crate) struct Malice {
    pub(crate) at_commit: u64,
    /// At a statement that changes something and is a transaction of its own.
    pub(crate) at_autocommit: u64,
    pub(crate) elsewhere: u64,
}

/// What was really done.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicU64,
    pub(crate) commits: AtomicU64,
    /// COMMIT was handed to the server, and the connection cut at once: nobody knows.
    pub(crate) cut_after_commit_sent: AtomicU64,
    /// The server had said OK, which was not passed on: committed, and the client does not know.
    pub(crate) cut_after_commit_answered: AtomicU64,
    /// COMMIT was never handed on: rolled back, and the client does not know.
    pub(crate) cut_before_commit: AtomicU64,
    pub(crate) cut_at_autocommit: AtomicU64,
    pub(crate) cut_elsewhere: AtomicU64,
}

impl Counts {
    /// On a slow machine there are few COMMITs: until each kind of cut has happened a few times, cut more often.
    fn still_wanted(&self, at_commit: u64) -> u64 {
        let kinds = [&self.cut_after_commit_sent, &self.cut_after_commit_answered, &self.cut_before_commit];
        let is_wanting = kinds.iter().any(|count| count.load(Ordering::Relaxed) < CUTS_WANTED);
        if is_wanting && at_commit > 0 { at_commit.max(EAGER) } else { at_commit }
    }
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    socket: PathBuf,
    malice: Malice,
    is_cutting: AtomicBool,
    counts: Counts,
    dice: Mutex<Dice>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 in front of MariaDB's `socket`, without malice until `cut` is called.
    pub(crate) async fn start(socket: PathBuf, malice: Malice, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (is_cutting, counts, dice) = (AtomicBool::new(false), Counts::default(), Mutex::new(Dice::new(seed)));
        let shared = Arc::new(Shared { socket, malice, is_cutting, counts, dice });
        let accepting = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Ok(Self { port, shared, accepting })
    }

    /// Cut from now on, or not any more.
    pub(crate) fn cut(&self, is_cutting: bool) {
        self.shared.is_cutting.store(is_cutting, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            // MariaDB may be away: then the client finds its connection closed.
            let Ok(server) = UnixStream::connect(&shared.socket).await else { return };
            shared.counts.connections.fetch_add(1, Ordering::Relaxed);
            let _ = client.set_nodelay(true);
            let _ = Relay { shared: &shared, state: State::default() }.run(client, server).await;
        });
    }
}

/// What is to become of a packet and its connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Pass,
    CutBefore,
    PassAndCut,
    CutAtReply,
}

/// What the packet is, as far as cutting is concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Packet {
    Commit,
    AutocommitWrite,
    Other,
}

/// What is known of a connection.
#[derive(Default)]
struct State {
    in_transaction: bool,
    /// Autocommit is off: the first statement begins, and the next one after a COMMIT again.
    is_manual: bool,
    /// By statement id, whether the prepared statement changes something.
    writes: HashMap<u32, bool>,
    /// A statement that is being prepared: whether it changes something, and the beginning of the server's reply.
    preparing: Option<(bool, Vec<u8>)>,
}

impl State {
    fn client(&mut self, packet: &[u8]) -> Packet {
        let (Some(0), Some(&command)) = (packet.get(3), packet.get(4)) else { return Packet::Other };
        let payload = &packet[5..];
        match command {
            COM_QUERY => {
                let (begins, ends, is_write) = (first_word(payload), last_word(payload), is_write(payload));
                let was_in_transaction = self.in_transaction;
                if ends == "commit" {
                    self.in_transaction = false;
                    return Packet::Commit;
                }
                self.in_transaction = match begins.as_str() {
                    "begin" | "start" => true,
                    "rollback" => false,
                    _ => was_in_transaction,
                };
                if begins == "set" && ends == "0" && contains(payload, b"autocommit") {
                    self.is_manual = true;
                }
                if is_write && !was_in_transaction && !self.is_manual { Packet::AutocommitWrite } else { Packet::Other }
            }
            COM_STMT_PREPARE => {
                self.preparing = Some((is_write(payload), Vec::new()));
                Packet::Other
            }
            COM_STMT_EXECUTE if !self.in_transaction && !self.is_manual => {
                let id = payload.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                match id.and_then(|id| self.writes.get(&id)) {
                    Some(true) => Packet::AutocommitWrite,
                    _ => Packet::Other,
                }
            }
            _ => Packet::Other,
        }
    }

    /// Learns the id of a statement that was prepared: header of four bytes, 0 for OK, four bytes of id.
    fn server(&mut self, bytes: &[u8]) {
        let Some((is_write, head)) = &mut self.preparing else { return };
        head.extend(bytes.iter().take(9 - head.len().min(9)));
        if let Some(id) = head.get(5..9).and_then(|id| id.first_chunk()) {
            if head[4] == 0 {
                self.writes.insert(u32::from_le_bytes(*id), *is_write);
            }
            self.preparing = None;
        }
    }
}

struct Relay<'a> {
    shared: &'a Shared,
    state: State,
}

impl Relay<'_> {
    /// Until either side closes or the connection is cut; both are closed then.
    async fn run(&mut self, mut client: TcpStream, mut server: UnixStream) -> io::Result<()> {
        let (mut sent, mut reply) = (Vec::with_capacity(READ_BYTES), Vec::with_capacity(READ_BYTES));
        let mut cut_at_reply = false;
        loop {
            tokio::select! {
                read = client.read_buf(&mut sent) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some(length) = packet_length(&sent)? {
                        match self.fate(&sent[..length]) {
                            Fate::CutBefore => return Ok(()),
                            Fate::Pass => server.write_all(&sent[..length]).await?,
                            Fate::PassAndCut => return server.write_all(&sent[..length]).await,
                            Fate::CutAtReply => {
                                server.write_all(&sent[..length]).await?;
                                cut_at_reply = true;
                            }
                        }
                        sent.drain(..length);
                    }
                }
                read = server.read_buf(&mut reply) => {
                    if read? == 0 || cut_at_reply {
                        return Ok(());
                    }
                    self.state.server(&reply);
                    client.write_all(&reply).await?;
                    reply.clear();
                }
            }
        }
    }

    fn fate(&mut self, packet: &[u8]) -> Fate {
        let what = self.state.client(packet);
        let counts = &self.shared.counts;
        if what == Packet::Commit {
            counts.commits.fetch_add(1, Ordering::Relaxed);
        }
        if !self.shared.is_cutting.load(Ordering::Relaxed) {
            return Fate::Pass;
        }
        let mut dice = self.shared.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let malice = self.shared.malice;
        let (parts, fates): (_, &[Fate]) = match what {
            // One that was never handed on is the least of the three.
            Packet::Commit => (
                counts.still_wanted(malice.at_commit),
                &[Fate::PassAndCut, Fate::PassAndCut, Fate::CutAtReply, Fate::CutAtReply, Fate::CutBefore],
            ),
            Packet::AutocommitWrite => (malice.at_autocommit, &[Fate::PassAndCut, Fate::CutAtReply]),
            Packet::Other => (malice.elsewhere, &[Fate::PassAndCut, Fate::CutAtReply, Fate::CutBefore]),
        };
        if !dice.permille(parts) {
            return Fate::Pass;
        }
        let fate = dice.pick(fates).copied().unwrap_or(Fate::Pass);
        let count = match (what, fate) {
            (Packet::Commit, Fate::PassAndCut) => &counts.cut_after_commit_sent,
            (Packet::Commit, Fate::CutAtReply) => &counts.cut_after_commit_answered,
            (Packet::Commit, _) => &counts.cut_before_commit,
            (Packet::AutocommitWrite, _) => &counts.cut_at_autocommit,
            (Packet::Other, _) => &counts.cut_elsewhere,
        };
        count.fetch_add(1, Ordering::Relaxed);
        fate
    }
}

/// Of the packet at the beginning, header included, if it is all there.
fn packet_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(header) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = 4 + u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    if length > PACKET_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some(length).filter(|&length| length <= bytes.len()))
}

fn first_word(payload: &[u8]) -> String {
    let words = payload.split(|byte| !byte.is_ascii_alphanumeric());
    words.into_iter().find(|word| !word.is_empty()).map_or(String::new(), lower)
}

fn last_word(payload: &[u8]) -> String {
    let words = payload.rsplit(|byte| !byte.is_ascii_alphanumeric());
    words.into_iter().find(|word| !word.is_empty()).map_or(String::new(), lower)
}

fn lower(word: &[u8]) -> String {
    // A value of any length may stand at the end of a statement.
    String::from_utf8_lossy(&word[..word.len().min(16)]).to_lowercase()
}

fn contains(payload: &[u8], word: &[u8]) -> bool {
    payload.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

fn is_write(payload: &[u8]) -> bool {
    ["insert", "update", "delete", "replace"].contains(&first_word(payload).as_str())
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
