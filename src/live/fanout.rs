//! The fan-out: a few tasks, one for each processor, that carry what is new on the boards to all sockets. A round goes over
//! the worker's sockets once and writes to each what it does not have; what comes up meanwhile waits for the end of the
//! round and goes out as one frame in the next. So gathering needs no clock: an idle node sends the first change at once, and
//! the busier it is, the more changes share a frame and a system call.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::line::{Line, Scratch};

/// Sockets written to before the worker lets others run: under half a millisecond of writing.
const STRETCH: usize = 64;

pub(super) struct Fanout {
    workers: Box<[Arc<Worker>]>,
    next: AtomicUsize,
    idle: Arc<Notify>,
}

struct Worker {
    lines: Mutex<Lines>,
    wake: Notify,
    is_busy: AtomicBool,
    is_over: AtomicBool,
}

/// Sockets by place; a place is given again when its socket has left.
#[derive(Default)]
struct Lines {
    places: Vec<Option<Arc<Line>>>,
    free: Vec<usize>,
}

/// Where a socket was put.
#[derive(Clone, Copy)]
pub(super) struct Place {
    worker: usize,
    place: usize,
}

impl Fanout {
    pub(super) fn start(workers: usize) -> Self {
        let idle = Arc::new(Notify::new());
        let worker = || {
            let worker = Arc::new(Worker {
                lines: Mutex::default(),
                wake: Notify::new(),
                is_busy: AtomicBool::new(false),
                is_over: AtomicBool::new(false),
            });
            tokio::spawn(run(worker.clone(), idle.clone()));
            worker
        };
        Self { workers: std::iter::repeat_with(worker).take(workers.max(1)).collect(), next: AtomicUsize::new(0), idle }
    }

    pub(super) fn add(&self, line: Arc<Line>) -> Place {
        let worker = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        let mut lines = self.workers[worker].lock();
        let place = lines.free.pop().unwrap_or(lines.places.len());
        if place == lines.places.len() {
            lines.places.push(None);
        }
        lines.places[place] = Some(line);
        Place { worker, place }
    }

    pub(super) fn remove(&self, at: Place) {
        let mut lines = self.workers[at.worker].lock();
        lines.places[at.place] = None;
        lines.free.push(at.place);
    }

    /// The boards have something new.
    pub(super) fn wake(&self) {
        for worker in &self.workers {
            worker.is_busy.store(true, Ordering::Release);
            worker.wake.notify_one();
        }
    }

    /// Whether a worker waits for work.
    pub(super) fn has_idle(&self) -> bool {
        self.workers.iter().any(|worker| !worker.is_busy.load(Ordering::Acquire))
    }

    /// Waits until a worker has ended its round. Cancel-safe.
    pub(super) async fn round_ended(&self) {
        self.idle.notified().await;
    }

    /// Wakes every socket's own task: something concerns them all.
    pub(super) fn wake_sockets(&self) {
        for worker in &self.workers {
            worker.lock().places.iter().flatten().for_each(|line| line.wake());
        }
    }

    /// Nothing will be new any more.
    pub(super) fn end(&self) {
        for worker in &self.workers {
            worker.is_over.store(true, Ordering::Release);
            worker.wake.notify_one();
        }
    }
}

impl Worker {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sockets of one stretch; none when the round is over.
    fn stretch(&self, from: usize, lines: &mut Vec<Arc<Line>>) -> bool {
        let places = &self.lock().places;
        let end = places.len().min(from + STRETCH);
        lines.extend(places.get(from..end).into_iter().flatten().flatten().cloned());
        from < end
    }
}

async fn run(worker: Arc<Worker>, idle: Arc<Notify>) {
    let mut scratch = Scratch::default();
    let mut lines = Vec::with_capacity(STRETCH);
    loop {
        worker.wake.notified().await;
        if worker.is_over.load(Ordering::Acquire) {
            return;
        }
        let mut from = 0;
        while worker.stretch(from, &mut lines) {
            lines.drain(..).for_each(|line| line.pump(&mut scratch));
            from += STRETCH;
            tokio::task::yield_now().await;
        }
        scratch.tally.report();
        worker.is_busy.store(false, Ordering::Release);
        idle.notify_one();
    }
}
