//! One watcher among many: connects, watches `all`, keeps its copy exact, and says when it was back and proved.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::copies::{Copies, Kind, News};
use super::line::Line;
use super::proof::Shown;
use crate::check::{Check, Problems};
use crate::error::Error;
use crate::races::locked;
use crate::replica::Applied;
use crate::report::Latency;
use crate::socket::{PING, PING_EVERY};

/// A question about a gap that is not answered within this is asked again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// Reasons that are counted apart.
const LOSSES_MAX: usize = 12;
/// Latencies are kept in as many histograms, so that sockets do not wait for each other.
const SHARDS: usize = 8;

/// What all seats share.
pub(crate) struct Hall {
    pub(crate) authority: Arc<str>,
    pub(crate) copies: Copies,
    /// Snapshots are asked for compressed, until a server says that it knows no such thing.
    compress: AtomicBool,
    /// When the first order was due, and how many are due in a second.
    schedule: OnceLock<(Instant, f64)>,
    phase: AtomicUsize,
    /// From when an order was due until a watcher has read the frame that shows it; by phase and shard.
    arrivals: Vec<[Mutex<Latency>; SHARDS]>,
    /// From the loss of a connection until frames came again, and until a checksum proved the copy.
    pub(crate) back: Mutex<Latency>,
    pub(crate) proved: Mutex<Latency>,
    pub(crate) frames: AtomicU64,
    pub(crate) proofs: AtomicU64,
    pub(crate) resyncs: AtomicU64,
    pub(crate) snapshots: AtomicU64,
    /// Connections that ended without our doing.
    losses: Mutex<BTreeMap<String, u64>>,
    pub(crate) mismatches: Mutex<Problems>,
    pub(crate) errors: Mutex<Problems>,
}

impl Hall {
    pub(crate) fn new(authority: Arc<str>, tag: String, phases: usize) -> Arc<Self> {
        let latency = || Mutex::new(Latency::new());
        Arc::new(Self {
            authority,
            copies: Copies::new(tag),
            compress: AtomicBool::new(true),
            schedule: OnceLock::new(),
            phase: AtomicUsize::new(0),
            arrivals: (0..phases).map(|_| std::array::from_fn(|_| latency())).collect(),
            back: latency(),
            proved: latency(),
            frames: AtomicU64::new(0),
            proofs: AtomicU64::new(0),
            resyncs: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            losses: Mutex::default(),
            mismatches: Mutex::default(),
            errors: Mutex::default(),
        })
    }

    /// Orders are due from `begun` on. What is said first holds.
    pub(crate) fn schedule(&self, begun: Instant, per_s: f64) {
        let _ = self.schedule.set((begun, per_s));
    }

    /// What the titles of this run's orders begin with.
    pub(crate) fn tag(&self) -> &str {
        self.copies.tag()
    }

    /// What is read from now on counts for this phase.
    pub(crate) fn enter(&self, phase: usize) {
        self.phase.store(phase, Ordering::Release);
    }

    pub(crate) fn phase(&self) -> usize {
        self.phase.load(Ordering::Acquire)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.compress.load(Ordering::Relaxed)
    }

    /// What was read in a phase.
    pub(crate) fn arrivals(&self, phase: usize) -> Latency {
        let mut all = Latency::new();
        self.arrivals.get(phase).into_iter().flatten().for_each(|shard| all.merge(&locked(shard)));
        all
    }

    pub(crate) fn proofs(&self) -> Check {
        let mut check = Check::new("each checksum sent during the run proved the watcher's copy");
        check.seen = self.proofs.load(Ordering::Relaxed);
        check.problems = locked(&self.mismatches).clone();
        check
    }

    /// A connection that ended without our doing, or never began.
    pub(crate) fn lost(&self, seat: usize, error: &Error) {
        let mut losses = locked(&self.losses);
        let words = error.to_string();
        // A server may say something else each time.
        if losses.len() < LOSSES_MAX || losses.contains_key(&words) {
            *losses.entry(words.clone()).or_default() += 1;
        } else {
            *losses.entry("for other reasons".into()).or_default() += 1;
        }
        locked(&self.errors).add(|| format!("watcher {seat}: {words}"));
    }

    /// How many, and how.
    pub(crate) fn losses(&self) -> String {
        let losses = locked(&self.losses);
        let each: Vec<String> = losses.iter().map(|(words, count)| format!("{count} × {words}")).collect();
        if each.is_empty() { "none".into() } else { each.join("; ") }
    }

    fn arrived(&self, seat: usize, news: &News, at: Instant) {
        let Some((begun, per_s)) = self.schedule.get() else { return };
        for number in news.shown.iter().filter_map(|shown| shown.number) {
            let due = *begun + Duration::from_secs_f64(number as f64 / per_s);
            if let Some(shards) = self.arrivals.get(self.phase()) {
                locked(&shards[seat % SHARDS]).record(at.saturating_duration_since(due));
            }
        }
    }
}

pub(crate) struct Seat {
    pub(crate) hall: Arc<Hall>,
    pub(crate) index: usize,
    pub(crate) token: Option<Arc<str>>,
    /// For others to look at.
    pub(crate) copy: Shown,
    /// Slow ones, whose reading is not measured, keep little in the kernel.
    pub(crate) receive_bytes: Option<u32>,
    pub(crate) is_measured: bool,
    /// Since when it has had no connection, until frames came again.
    lost: Option<Instant>,
    /// The same, until the copy was proved again.
    unproved: Option<Instant>,
    asked: Option<Instant>,
    asked_packed: bool,
}

impl Seat {
    pub(crate) fn new(hall: &Arc<Hall>, index: usize, token: Option<Arc<str>>) -> Self {
        let copy = Arc::new(Mutex::new(Arc::default()));
        let hall = hall.clone();
        Self {
            hall,
            index,
            token,
            copy,
            receive_bytes: None,
            is_measured: true,
            lost: None,
            unproved: None,
            asked: None,
            asked_packed: false,
        }
    }

    /// From here on it counts as away.
    pub(crate) fn was_cut(&mut self, at: Instant) {
        (self.lost, self.unproved) = (Some(at), Some(at));
    }

    /// It was cut, and comes back where it was or with nothing.
    pub(super) fn leave(&mut self, at: Instant, cold: bool) {
        self.was_cut(at);
        if cold {
            self.forget();
        }
    }

    /// As if it had never watched.
    pub(crate) fn forget(&mut self) {
        *locked(&self.copy) = Arc::default();
    }

    /// Connects and asks for what it does not know.
    pub(crate) async fn connect(&mut self) -> Result<Line, Error> {
        let mut line = Line::open(&self.hall.authority, self.token.as_deref(), self.receive_bytes).await?;
        self.ask(&mut line, true).await?;
        Ok(line)
    }

    /// Reads until `until`; fails when the connection does.
    pub(crate) async fn sit(
        &mut self,
        line: &mut Line,
        until: impl Future<Output = ()>,
        mut see: impl FnMut(&News, Instant),
    ) -> Result<(), Error> {
        tokio::pin!(until);
        loop {
            let got = tokio::select! {
                () = &mut until => return Ok(()),
                () = tokio::time::sleep_until(line.ping_due.into()) => {
                    line.ping_due = Instant::now() + PING_EVERY;
                    line.send(PING).await?;
                    continue;
                }
                got = line.next() => got?,
            };
            let at = Instant::now();
            let news = self.hall.copies.read(line.bytes(&got), got.is_binary)?;
            self.hall.frames.fetch_add(1, Ordering::Relaxed);
            self.take_in(line, &news, at).await?;
            see(&news, at);
        }
    }

    async fn take_in(&mut self, line: &mut Line, news: &Arc<News>, at: Instant) -> Result<(), Error> {
        match news.kind {
            Kind::Snapshot => _ = self.hall.snapshots.fetch_add(1, Ordering::Relaxed),
            Kind::Diff if self.is_measured => self.hall.arrived(self.index, news, at),
            Kind::Diff | Kind::Tick => {}
            Kind::Drain => return Err(Error::Server("asked to come back later (drain)".into())),
            // An older server.
            Kind::Error if std::mem::take(&mut self.asked_packed) => {
                self.hall.compress.store(false, Ordering::Relaxed);
                return self.ask(line, true).await;
            }
            Kind::Error => {
                locked(&self.hall.errors).add(|| format!("watcher {}: {}", self.index, news.words));
                return Ok(());
            }
            Kind::Other => return Ok(()),
        }
        let before = locked(&self.copy).clone();
        let (applied, after) = self.hall.copies.apply(&before, news)?;
        *locked(&self.copy) = after;
        match applied {
            Applied::Done => self.has_followed(),
            Applied::Proved => {
                self.has_followed();
                self.hall.proofs.fetch_add(1, Ordering::Relaxed);
                if let Some(since) = self.unproved.take() {
                    locked(&self.hall.proved).record(since.elapsed());
                }
            }
            // What was on its way before the answer does not fit either: that is no second gap.
            Applied::Gap if self.asked.is_some_and(|at| at.elapsed() < ANSWERED_WITHIN) => {}
            Applied::Gap => {
                self.hall.resyncs.fetch_add(1, Ordering::Relaxed);
                self.ask(line, true).await?;
            }
            Applied::Differs => {
                let (index, kind, seq) = (self.index, news.kind, before.replica.seq);
                locked(&self.hall.mismatches).add(|| format!("watcher {index}: {kind:?} at seq {seq}"));
                self.ask(line, false).await?;
            }
        }
        Ok(())
    }

    fn has_followed(&mut self) {
        (self.asked, self.asked_packed) = (None, false);
        if let Some(since) = self.lost.take() {
            locked(&self.hall.back).record(since.elapsed());
        }
    }

    async fn ask(&mut self, line: &mut Line, since_copy: bool) -> Result<(), Error> {
        self.asked = Some(Instant::now());
        let copy = locked(&self.copy).clone();
        self.asked_packed = self.hall.is_compressed();
        let packed = if self.asked_packed { r#","compress":"gzip""# } else { "" };
        let text = if since_copy && copy.replica.is_live() {
            let (epoch, seq) = (&copy.replica.epoch, copy.replica.seq);
            format!(r#"{{"type":"watch","board":"all","epoch":{epoch},"seq":{seq}{packed}}}"#)
        } else {
            format!(r#"{{"type":"watch","board":"all"{packed}}}"#)
        };
        line.send(&text).await
    }
}
