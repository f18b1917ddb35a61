//! The writing half of one socket: the only place that writes to it, whoever has something to say. The fan-out calls
//! [`Line::pump`] for everybody, without waking the socket's task; what the kernel does not take at once is left to that
//! task, which waits until there is room. So a socket that keeps up costs one system call a round and nothing else, and one
//! that does not holds nothing but references to the bytes it has been given.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::board::{Board, Cursor};

/// Frames handed to the kernel in one call.
const SLICES_MAX: usize = 32;

pub(super) struct Line {
    stream: TcpStream,
    out: Mutex<Out>,
    wake: Notify,
}

struct Out {
    /// What the kernel would not take yet, in order; the first may be the rest of a frame.
    rest: VecDeque<Bytes>,
    watches: Vec<Watch>,
    state: State,
    is_behind: bool,
}

struct Watch {
    board: Arc<Board>,
    cursor: Cursor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The socket is being closed: boards are not written any more.
    Closing,
    Broken,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.board.left();
    }
}

/// How far a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    All,
    /// The kernel takes no more now.
    Part,
}

/// What one thread needs while it writes to many lines, made once.
#[derive(Default)]
pub(super) struct Scratch {
    frames: Vec<Bytes>,
    pub(super) tally: Tally,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.tally.report();
    }
}

/// What was written, told to the metrics once a round and not once a socket.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) frames: u64,
    pub(super) changes: u64,
    pub(super) bytes: u64,
    pub(super) writes: u64,
}

impl Tally {
    pub(super) fn report(&mut self) {
        let Self { frames, changes, bytes, writes } = std::mem::take(self);
        if writes > 0 {
            metrics::counter!("orderboard_frames_written_total").increment(frames);
            metrics::counter!("orderboard_changes_written_total").increment(changes);
            metrics::counter!("orderboard_bytes_written_total").increment(bytes);
            metrics::counter!("orderboard_socket_writes_total").increment(writes);
        }
    }
}

impl Line {
    pub(super) fn new(stream: TcpStream) -> Self {
        let out = Out { rest: VecDeque::new(), watches: Vec::new(), state: State::Open, is_behind: false };
        Self { stream, out: Mutex::new(out), wake: Notify::new() }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Wakes the socket's task.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody wants the socket's task. Cancel-safe.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Writes what the boards have new, unless the socket is behind already: then its own task goes on when there is room.
    pub(super) fn pump(&self, scratch: &mut Scratch) {
        let mut out = self.lock();
        if out.is_behind || out.state != State::Open {
            return;
        }
        let written = out.pump(&self.stream, scratch);
        if out.told(written).is_ok_and(|written| written == Written::All) {
            return;
        }
        drop(out);
        self.wake();
    }

    /// Takes up where the kernel took no more, and goes on to what the boards have new.
    pub(super) fn resume(&self, scratch: &mut Scratch) -> io::Result<Written> {
        let mut out = self.lock();
        let mut written = out.drain(&self.stream, scratch);
        if written == Written::All && out.state == State::Open {
            written = out.pump(&self.stream, scratch);
        }
        out.told(written)
    }

    /// Puts frames behind what waits and writes what goes. A caller that gets [`Written::Part`] must not come with more
    /// before [`Line::resume`] has said [`Written::All`]: that is what bounds the memory of a stalled socket.
    pub(super) fn send(&self, frames: impl IntoIterator<Item = Bytes>, scratch: &mut Scratch) -> io::Result<Written> {
        let mut out = self.lock();
        let written = out.add(&self.stream, frames, scratch);
        out.told(written)
    }

    /// Begins to watch a board (again) with `first`, its state at `cursor`.
    pub(super) fn watch(&self, board: Arc<Board>, cursor: Cursor, first: Bytes, scratch: &mut Scratch) -> io::Result<Written> {
        board.joined();
        let mut out = self.lock();
        out.watches.retain(|watch| watch.board.name() != board.name());
        out.watches.push(Watch { board, cursor });
        let mut written = out.add(&self.stream, [first], scratch);
        if written == Written::All {
            // What has come since that state was encoded.
            written = out.pump(&self.stream, scratch);
        }
        out.told(written)
    }

    pub(super) fn unwatch(&self, name: &str) {
        self.lock().watches.retain(|watch| watch.board.name() != name);
    }

    /// Whether the kernel took no more when it was last asked.
    pub(super) fn is_behind(&self) -> io::Result<bool> {
        let out = self.lock();
        if out.state == State::Broken { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(out.is_behind) }
    }

    /// How many boards are watched besides `name`.
    pub(super) fn watches_besides(&self, name: &str) -> usize {
        self.lock().watches.iter().filter(|watch| watch.board.name() != name).count()
    }

    /// No more from the boards: the last words are about to be said.
    pub(super) fn close(&self) {
        let mut out = self.lock();
        out.watches = Vec::new();
        if out.state == State::Open {
            out.state = State::Closing;
        }
    }

    /// A panic while the lock was held would have left a frame half-written; there is no code in here that panics.
    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Out {
    fn pump(&mut self, stream: &TcpStream, scratch: &mut Scratch) -> Written {
        for place in 0..self.watches.len() {
            loop {
                let watch = &mut self.watches[place];
                let given = watch.board.since(watch.cursor, &mut scratch.frames);
                watch.cursor = given.cursor;
                scratch.tally.changes += given.changes as u64;
                if scratch.frames.is_empty() {
                    break;
                }
                let frames = std::mem::take(&mut scratch.frames);
                let written = self.write(stream, frames, scratch);
                if written == Written::Part || self.state == State::Broken {
                    return Written::Part;
                }
                if !given.has_more {
                    break;
                }
            }
        }
        Written::All
    }

    /// Writes frames that come after everything else. One frame that the kernel takes whole, which is nearly always, never
    /// touches the queue.
    fn write(&mut self, stream: &TcpStream, mut frames: Vec<Bytes>, scratch: &mut Scratch) -> Written {
        let mut written = Written::All;
        if let [only] = &mut frames[..]
            && self.rest.is_empty()
        {
            scratch.tally.frames += 1;
            self.took(stream.try_write(only), &mut scratch.tally, |_, taken| only.advance(taken));
            if !only.is_empty() {
                self.rest.push_back(std::mem::take(only));
                written = self.drain(stream, scratch);
            }
            frames.clear();
        } else {
            written = self.add(stream, frames.drain(..), scratch);
        }
        // The list goes back for the next line.
        scratch.frames = frames;
        written
    }

    fn add(&mut self, stream: &TcpStream, frames: impl IntoIterator<Item = Bytes>, scratch: &mut Scratch) -> Written {
        let before = self.rest.len();
        self.rest.extend(frames);
        scratch.tally.frames += (self.rest.len() - before) as u64;
        self.drain(stream, scratch)
    }

    fn drain(&mut self, stream: &TcpStream, scratch: &mut Scratch) -> Written {
        while !self.rest.is_empty() && self.state != State::Broken {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.rest.len().min(SLICES_MAX);
            for (slice, frame) in slices.iter_mut().zip(&self.rest) {
                *slice = IoSlice::new(frame);
            }
            let result = stream.try_write_vectored(&slices[..count]);
            if !self.took(result, &mut scratch.tally, Self::advance) {
                return Written::Part;
            }
        }
        // A socket that waits for nothing holds nothing.
        self.rest = VecDeque::new();
        Written::All
    }

    /// What a write has come to; false when the kernel takes no more now.
    fn took(&mut self, result: io::Result<usize>, tally: &mut Tally, advance: impl FnOnce(&mut Self, usize)) -> bool {
        tally.writes += 1;
        match result {
            Ok(taken @ 1..) => {
                tally.bytes += taken as u64;
                advance(self, taken);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Ok(0) | Err(_) => self.state = State::Broken,
        }
        true
    }

    /// Takes `written` bytes off the front; what has been sent is let go at once.
    fn advance(&mut self, mut written: usize) {
        while written > 0 {
            let Some(first) = self.rest.front_mut() else { return };
            let taken = written.min(first.len());
            first.advance(taken);
            written -= taken;
            if first.is_empty() {
                self.rest.pop_front();
            }
        }
    }

    /// Keeps count of the sockets that are behind, and makes an error of a broken connection.
    fn told(&mut self, written: Written) -> io::Result<Written> {
        if self.state == State::Broken {
            self.rest = VecDeque::new();
            self.watches = Vec::new();
        }
        let is_behind = !self.rest.is_empty();
        if is_behind != self.is_behind {
            self.is_behind = is_behind;
            count_behind(is_behind);
        }
        if self.state == State::Broken { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(written) }
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if self.is_behind {
            count_behind(false);
        }
    }
}

fn count_behind(is_behind: bool) {
    let behind = metrics::gauge!("orderboard_sockets_behind");
    if is_behind {
        metrics::counter!("orderboard_socket_writes_waited_total").increment(1);
        behind.increment(1.0);
    } else {
        behind.decrement(1.0);
    }
}
