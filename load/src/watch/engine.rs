//! One thread that reads all sockets: one epoll, one buffer, and no work for a socket but comparing what it got with what
//! the others got (`book`). It naps between two looks, so that one read finds more, and so that the server's writes do
//! not each wake a sleeping thread; the nap is part of every latency.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use serde::{Deserialize, Serialize};

use super::book::{Book, Kind, Page, Place, Reading};
use super::marker::now_us;
use super::protocol::Protocol;
use super::seen::{Seen, histogram};
use super::wire;
use crate::error::Error;

/// Longer than any snapshot.
const BUFFER_BYTES: usize = 2 << 20;
const EVENTS_MAX: usize = 4_096;
/// Until when it looks for orders of its own, when no socket has anything.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection that is open, and what was read from it already.
pub(crate) struct Opened {
    pub(crate) stream: TcpStream,
    pub(crate) rest: Vec<u8>,
}

enum Ask {
    Add(Opened),
    Begin(Sender<()>),
    Look(Sender<Look>),
    End(u64, Sender<Box<Seen>>),
    Quit,
}

/// How things stand.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) open: u64,
    /// Sockets that have received the board.
    pub(crate) ready: u64,
    pub(crate) closed: u64,
    pub(crate) delivered: u64,
    /// Sockets that stand where the copy stands.
    pub(crate) at_end: u64,
    /// A checksum has proved the copy where it stands.
    pub(crate) is_proved: bool,
}

pub(crate) struct Engine {
    asks: Sender<Ask>,
    thread: Option<JoinHandle<()>>,
    pub(crate) settled: Arc<AtomicU64>,
}

impl Engine {
    pub(crate) fn start(protocol: Protocol, nap: Duration) -> Result<Self, Error> {
        let (asks, asked) = channel();
        let settled = Arc::new(AtomicU64::new(0));
        let reader = Reader {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).map_err(std::io::Error::from)?,
            asked,
            protocol,
            nap,
            sockets: Vec::new(),
            book: Book::new(protocol.reading()),
            latencies: histogram(),
            seen: Seen::default(),
            ready: 0,
            settled: settled.clone(),
        };
        let thread = std::thread::Builder::new().name("watchers".into()).spawn(move || reader.run())?;
        Ok(Self { asks, thread: Some(thread), settled })
    }

    pub(crate) fn add(&self, opened: Opened) {
        self.tell(Ask::Add(opened));
    }

    /// From here on everything counts anew.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        let (answer, answered) = channel();
        self.tell(Ask::Begin(answer));
        answered.recv_timeout(ANSWER_WITHIN).map_err(silent)
    }

    pub(crate) fn look(&self) -> Result<Look, Error> {
        let (answer, answered) = channel();
        self.tell(Ask::Look(answer));
        answered.recv_timeout(ANSWER_WITHIN).map_err(silent)
    }

    /// What was seen since `begin`, when so many changes were injected.
    pub(crate) fn end(&self, injected: u64) -> Result<Seen, Error> {
        let (answer, answered) = channel();
        self.tell(Ask::End(injected, answer));
        answered.recv_timeout(ANSWER_WITHIN).map(|seen| *seen).map_err(silent)
    }

    fn tell(&self, ask: Ask) {
        // A thread that has ended is noticed by whoever waits for an answer.
        let _ = self.asks.send(ask);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.tell(Ask::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn silent(_: RecvTimeoutError) -> Error {
    Error::Server("the reading thread does not answer".into())
}

struct Socket {
    stream: Option<TcpStream>,
    /// The beginning of a frame whose rest is to come.
    kept: Vec<u8>,
    page: u64,
    place: Place,
    is_ready: bool,
    /// The number of the change that comes next, in a numbered stream.
    expected: u64,
    delivered: u64,
    has_gap: bool,
}

struct Reader {
    epoll: OwnedFd,
    asked: Receiver<Ask>,
    protocol: Protocol,
    nap: Duration,
    sockets: Vec<Socket>,
    book: Book,
    latencies: Histogram<u64>,
    seen: Seen,
    ready: u64,
    /// Sockets that are ready or lost: tells the opener how many are on their way.
    settled: Arc<AtomicU64>,
}

impl Reader {
    fn run(mut self) {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.obey(&mut buffer) {
            events.clear();
            // An interrupted wait is a look that found nothing.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&IDLE));
            for event in &events {
                self.hear(event.data.u64() as usize, &mut buffer);
            }
            if !events.is_empty() && !self.nap.is_zero() {
                std::thread::sleep(self.nap);
            }
        }
    }

    /// False when told to quit.
    fn obey(&mut self, buffer: &mut [u8]) -> bool {
        while let Ok(ask) = self.asked.try_recv() {
            match ask {
                Ask::Add(opened) => self.add(opened, buffer),
                // Whoever asked may have gone.
                Ask::Begin(answer) => {
                    self.begin();
                    let _ = answer.send(());
                }
                Ask::Look(answer) => drop(answer.send(self.look())),
                Ask::End(injected, answer) => drop(answer.send(Box::new(self.end(injected)))),
                Ask::Quit => return false,
            }
        }
        true
    }

    fn add(&mut self, opened: Opened, buffer: &mut [u8]) {
        let at = self.sockets.len();
        let data = epoll::EventData::new_u64(at as u64);
        let added = epoll::add(&self.epoll, &opened.stream, data, epoll::EventFlags::IN);
        let is_ready = self.protocol.reading() == Reading::Numbered;
        self.sockets.push(Socket {
            stream: Some(opened.stream),
            kept: opened.rest,
            page: 0,
            place: Place::default(),
            is_ready,
            expected: 0,
            delivered: 0,
            has_gap: false,
        });
        if is_ready {
            self.ready += 1;
            self.settled.fetch_add(1, Ordering::Relaxed);
        }
        match added {
            Ok(()) => self.hear(at, buffer),
            Err(error) => self.lose(at, &error.to_string()),
        }
    }

    fn begin(&mut self) {
        self.seen = Seen::default();
        self.book.facts = Default::default();
        self.latencies.reset();
        for socket in &mut self.sockets {
            (socket.expected, socket.delivered, socket.has_gap) = (0, 0, false);
        }
    }

    fn look(&self) -> Look {
        let place = self.book.place();
        let open = self.sockets.iter().filter(|socket| socket.stream.is_some());
        let at_end = open.clone().filter(|socket| Some(socket.place) == place).count() as u64;
        Look {
            open: open.count() as u64,
            ready: self.ready,
            closed: self.seen.closed.count,
            delivered: self.seen.delivered,
            at_end,
            is_proved: self.book.is_proved(),
        }
    }

    fn end(&mut self, injected: u64) -> Seen {
        let look = self.look();
        let mut seen = std::mem::take(&mut self.seen);
        let facts = std::mem::take(&mut self.book.facts);
        let place = self.book.place();
        seen.sockets = self.sockets.len() as u64;
        if look.open < seen.sockets && seen.closed.count == 0 {
            seen.closed.add(|| format!("{} of {} sockets were closed before", seen.sockets - look.open, seen.sockets));
        }
        (seen.open, seen.injected, seen.at_end) = (look.open, injected, look.at_end);
        for socket in &self.sockets {
            let short = injected.saturating_sub(socket.delivered);
            // A board may leave out what a later state replaces; that the later state came is what its links prove.
            let is_exact = Some(socket.place) == place && !socket.has_gap && self.book.is_proved();
            if self.protocol.reading() == Reading::Board && is_exact {
                seen.merged += short;
            } else {
                seen.lost += short;
            }
        }
        (seen.proofs, seen.merged_frames, seen.uncompared) = (facts.proofs, facts.merged, facts.uncompared);
        (seen.mismatches, seen.errors) = (facts.mismatches, facts.errors);
        seen.set_latencies(&self.latencies);
        seen
    }

    /// Reads what a socket has, and takes it frame by frame.
    fn hear(&mut self, at: usize, buffer: &mut [u8]) {
        let socket = &mut self.sockets[at];
        let Some(stream) = &socket.stream else { return };
        let kept = socket.kept.len();
        buffer[..kept].copy_from_slice(&socket.kept);
        let got = match (&*stream).read(&mut buffer[kept..]) {
            Ok(0) => return self.lose(at, "closed by the server"),
            Ok(got) => got,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return self.lose(at, &error.to_string()),
        };
        let now = now_us();
        let bytes = &buffer[..kept + got];
        self.seen.reads += 1;
        self.seen.bytes += got as u64;
        let mut from = 0;
        while let Some(frame) = wire::first(&bytes[from..]) {
            from += frame.bytes.len();
            self.seen.frames += 1;
            match frame.opcode {
                wire::CLOSE => return self.lose(at, "a close frame"),
                wire::PING => self.answer(at, &wire::masked(wire::PONG, frame.payload)),
                _ => self.take(at, &frame, now),
            }
        }
        let socket = &mut self.sockets[at];
        let rest = &bytes[from..];
        // A whole board is kept for a moment; its room is not kept for the connection's life.
        if rest.is_empty() && socket.kept.capacity() > 64 << 10 {
            socket.kept = Vec::new();
        }
        socket.kept.clear();
        socket.kept.extend_from_slice(rest);
        if rest.len() == BUFFER_BYTES {
            self.lose(at, "a frame of more than 2 MiB");
        }
    }

    fn take(&mut self, at: usize, frame: &wire::Received<'_>, now: u64) {
        if let Some(answer) = self.protocol.answer(frame.payload) {
            return self.answer(at, &answer);
        }
        // Each socket's own: not worth a page.
        if self.protocol.is_personal(frame.payload) {
            return;
        }
        let socket = &mut self.sockets[at];
        socket.page = self.book.find(socket.page, frame.bytes, frame.payload);
        let Some(page) = self.book.page(socket.page) else { return };
        match page.kind {
            Kind::Snapshot { place } => {
                socket.place = place;
                if !socket.is_ready {
                    socket.is_ready = true;
                    self.ready += 1;
                    self.settled.fetch_add(1, Ordering::Relaxed);
                }
            }
            Kind::Diff { prev, place } => {
                self.seen.linked += 1;
                if socket.place != (Place { epoch: place.epoch, seq: prev }) {
                    let had = socket.place.seq;
                    socket.has_gap = true;
                    self.seen.gaps.add(|| format!("socket {at}: a diff {prev}..{} after {had}", place.seq));
                }
                socket.place = place;
            }
            Kind::Tick { place } => {
                self.seen.linked += 1;
                if socket.place != place {
                    let had = socket.place.seq;
                    socket.has_gap = true;
                    self.seen.gaps.add(|| format!("socket {at}: a tick at {} after {had}", place.seq));
                }
            }
            Kind::Numbered { first, last, is_whole } => {
                self.seen.linked += 1;
                if socket.expected != first || !is_whole {
                    let expected = socket.expected;
                    socket.has_gap = true;
                    self.seen.gaps.add(|| format!("socket {at}: change {first} instead of {expected}"));
                }
                socket.expected = last + 1;
            }
            Kind::Other => {}
        }
        let changes = page.dues_us.len() as u64;
        if changes > 0 {
            socket.delivered += changes;
            self.seen.delivered += changes;
            self.seen.change_bytes += frame.bytes.len() as u64;
            self.seen.last_us = now;
            record(&mut self.latencies, page, now);
        }
    }

    #[cold]
    fn answer(&mut self, at: usize, frame: &[u8]) {
        if let Some(mut stream) = self.sockets[at].stream.as_ref() {
            // A few bytes into a socket that never sends anything else; what is refused was a lost connection.
            let _ = stream.write(frame);
        }
    }

    #[cold]
    fn lose(&mut self, at: usize, why: &str) {
        let socket = &mut self.sockets[at];
        // Dropping it takes it out of the epoll, too.
        if socket.stream.take().is_some() {
            socket.kept = Vec::new();
            self.seen.closed.add(|| format!("socket {at}: {why}"));
            if !socket.is_ready {
                self.settled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn record(latencies: &mut Histogram<u64>, page: &Page, now: u64) {
    for due in &page.dues_us {
        latencies.saturating_record(now.saturating_sub(*due).max(1));
    }
}
