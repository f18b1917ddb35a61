//! A proxy between one node and Redis that loses published messages by the dice, and cuts the subscribers' connections when
//! it is told to. Everything else goes through byte by byte, in both directions.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::incidents::{Cause, Incidents};
use super::resp::Scanner;
use crate::money::Dice;
use crate::races::locked;

const READ_BYTES: usize = 64 << 10;
/// Messages that are lost, in a thousand.
const LOST_PERMILLE: u64 = 10;

#[derive(Default)]
pub(super) struct Counts {
    pub(super) messages: AtomicU64,
    pub(super) lost: AtomicU64,
    /// Of the messages and the lost ones, those on a user's own channel.
    pub(super) private: AtomicU64,
    pub(super) private_lost: AtomicU64,
    pub(super) cut: AtomicU64,
}

pub(super) struct Proxy {
    pub(super) port: u16,
    shared: Arc<Shared>,
    cuts: watch::Sender<u64>,
    accepting: AbortHandle,
}

struct Shared {
    node: usize,
    socket: PathBuf,
    is_lossy: AtomicBool,
    counts: Counts,
    dice: Mutex<Dice>,
    incidents: Arc<Incidents>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 in front of Redis' `socket`, and loses nothing until `lose` is called.
    pub(super) async fn start(node: usize, socket: PathBuf, seed: u64, incidents: Arc<Incidents>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (counts, dice) = (Counts::default(), Mutex::new(Dice::new(seed)));
        let shared = Arc::new(Shared { node, socket, is_lossy: AtomicBool::new(false), counts, dice, incidents });
        let (cuts, _) = watch::channel(0);
        let accepting = tokio::spawn(accept(listener, shared.clone(), cuts.clone())).abort_handle();
        Ok(Self { port, shared, cuts, accepting })
    }

    /// Lose messages from now on, or not any more.
    pub(super) fn lose(&self, is_lossy: bool) {
        self.shared.is_lossy.store(is_lossy, Ordering::Relaxed);
    }

    /// Ends the connections over which messages come.
    pub(super) fn cut(&self) {
        self.cuts.send_modify(|number| *number += 1);
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, cuts: watch::Sender<u64>) {
    while let Ok((client, _)) = listener.accept().await {
        let (shared, cuts) = (shared.clone(), cuts.subscribe());
        tokio::spawn(async move {
            // Redis may be away: then the node finds its connection closed.
            let Ok(server) = UnixStream::connect(&shared.socket).await else { return };
            let _ = client.set_nodelay(true);
            // Either side closing ends both; nobody is to be told.
            let _ = relay(&shared, client, server, cuts).await;
        });
    }
}

async fn relay(shared: &Shared, mut client: TcpStream, mut server: UnixStream, mut cuts: watch::Receiver<u64>) -> io::Result<()> {
    let (mut asked, mut answered, mut out) = (vec![0; READ_BYTES], vec![0; READ_BYTES], Vec::with_capacity(READ_BYTES));
    let mut sieve = Sieve::default();
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                length => server.write_all(&asked[..length]).await?,
            },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(()),
                length => {
                    sieve.pass(&answered[..length], &mut out, |message| shared.loses(message)).ok_or(io::ErrorKind::InvalidData)?;
                    client.write_all(&out).await?;
                    out.clear();
                }
            },
            Ok(()) = cuts.changed() => {
                if sieve.is_subscriber {
                    shared.counts.cut.fetch_add(1, Ordering::Relaxed);
                    shared.incidents.happened(Cause::Cut, shared.node);
                    return Ok(());
                }
            }
        }
    }
}

impl Shared {
    fn loses(&self, message: &Message) -> bool {
        self.counts.messages.fetch_add(1, Ordering::Relaxed);
        self.counts.private.fetch_add(u64::from(message.is_private), Ordering::Relaxed);
        let is_lost = self.is_lossy.load(Ordering::Relaxed) && locked(&self.dice).permille(LOST_PERMILLE);
        if is_lost {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            self.counts.private_lost.fetch_add(u64::from(message.is_private), Ordering::Relaxed);
            self.incidents.happened(Cause::Lost, self.node);
        }
        is_lost
    }
}

struct Message {
    is_private: bool,
}

/// Lets replies through, and asks about each published message.
#[derive(Default)]
struct Sieve {
    scanner: Scanner,
    /// What Redis says unasked (RESP3's pushes), until it is complete.
    push: Option<Vec<u8>>,
    is_subscriber: bool,
}

impl Sieve {
    fn pass(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, mut loses: impl FnMut(&Message) -> bool) -> Option<()> {
        while let Some(first) = bytes.first() {
            if self.scanner.is_between() {
                self.push = (*first == b'>').then(Vec::new);
            }
            let (taken, has_ended) = self.scanner.step(bytes)?;
            let (own, rest) = bytes.split_at(taken);
            bytes = rest;
            match &mut self.push {
                None => out.extend(own),
                Some(push) => {
                    push.extend(own);
                    if has_ended {
                        self.is_subscriber = true;
                        if !message(push).is_some_and(|message| loses(&message)) {
                            out.append(push);
                        }
                    }
                }
            }
        }
        Some(())
    }
}

/// What was published, if that is what the push tells.
fn message(push: &[u8]) -> Option<Message> {
    let rest = push.strip_prefix(b">3\r\n$7\r\nmessage\r\n$").or_else(|| push.strip_prefix(b">3\r\n$8\r\nsmessage\r\n$"))?;
    let channel = rest.split(|byte| *byte == b'\n').nth(1)?;
    Some(Message { is_private: channel.windows(3).any(|part| part == b":u:") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIBED: &str = ">3\r\n$9\r\nsubscribe\r\n$9\r\n{ob}:news\r\n:1\r\n";
    const NEWS: &str = ">3\r\n$7\r\nmessage\r\n$9\r\n{ob}:news\r\n$4\r\nnews\r\n";
    const OWN: &str = ">3\r\n$8\r\nsmessage\r\n$8\r\n{ob}:u:5\r\n$3\r\nown\r\n";
    const ANSWER: &str = "*2\r\n$1\r\n>\r\n:4\r\n";

    #[test]
    fn messages_alone_are_lost_and_all_else_goes_through() {
        let bytes = [ANSWER, SUBSCRIBED, NEWS, ANSWER, OWN, NEWS, ANSWER].concat();
        for step in [1, 5, bytes.len()] {
            let (mut sieve, mut out, mut private) = (Sieve::default(), Vec::new(), Vec::new());
            for some in bytes.as_bytes().chunks(step) {
                let passed = sieve.pass(some, &mut out, |message| {
                    private.push(message.is_private);
                    private.len() == 1
                });
                assert!(passed.is_some());
            }
            assert!(sieve.is_subscriber);
            assert_eq!(private, [false, true, false]);
            assert_eq!(String::from_utf8_lossy(&out), [ANSWER, SUBSCRIBED, ANSWER, OWN, NEWS, ANSWER].concat());
        }
    }

    #[test]
    fn a_connection_without_pushes_is_no_subscriber() {
        let (mut sieve, mut out) = (Sieve::default(), Vec::new());
        assert!(sieve.pass(ANSWER.as_bytes(), &mut out, |_| true).is_some());
        assert!(!sieve.is_subscriber);
        assert_eq!(out, ANSWER.as_bytes());
    }
}
