//! One watcher: keeps an exact copy of the board, proves it by each tick, asks again after a gap or a difference, and comes
//! back after a loss, where it was or on the other node, from where its copy stands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::check::Problems;
use crate::error::Error;
use crate::money::Dice;
use crate::races::locked;
use crate::replica::Applied;
use crate::socket::{PING, PING_EVERY};
use crate::storm::copies::{Copies, Copy, Kind, News};
use crate::storm::line::Line;

/// A question that is not answered within this is asked again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// Before it connects again.
const AGAIN_MS: (u64, u64) = (20, 300);
/// How long it stays on the other node before it thinks of going home, and how often it goes, in a thousand.
const AWAY_MS: (u64, u64) = (1_500, 5_000);
const HOME_PERMILLE: u64 = 600;

/// What all watchers share.
pub(super) struct Hall {
    pub(super) nodes: Vec<Arc<str>>,
    pub(super) copies: Copies,
    pub(super) frames: AtomicU64,
    pub(super) proofs: AtomicU64,
    pub(super) resyncs: AtomicU64,
    pub(super) snapshots: AtomicU64,
    pub(super) losses: AtomicU64,
    /// Connections to another node than the last one.
    pub(super) moves: AtomicU64,
    pub(super) differed: Mutex<Vec<Differed>>,
    pub(super) errors: Mutex<Problems>,
}

/// A checksum that did not prove the copy.
pub(super) struct Differed {
    pub(super) watcher: usize,
    pub(super) node: usize,
    pub(super) since: Instant,
    pub(super) at: Instant,
    pub(super) words: String,
}

/// What others may look at.
pub(super) struct State {
    pub(super) copy: Arc<Copy>,
    pub(super) node: usize,
    /// Since when it follows the board there; nothing while it has no connection.
    pub(super) follows: Option<Instant>,
}

pub(super) type Shown = Arc<Mutex<State>>;

impl Hall {
    pub(super) fn new(nodes: Vec<Arc<str>>) -> Arc<Self> {
        let count = || AtomicU64::new(0);
        let copies = Copies::new(String::new());
        let (frames, proofs, resyncs, snapshots, losses, moves) = (count(), count(), count(), count(), count(), count());
        let (differed, errors) = (Mutex::default(), Mutex::default());
        Arc::new(Self { nodes, copies, frames, proofs, resyncs, snapshots, losses, moves, differed, errors })
    }
}

pub(super) struct Watcher {
    hall: Arc<Hall>,
    index: usize,
    home: usize,
    token: Option<Arc<str>>,
    pub(super) shown: Shown,
    dice: Dice,
    /// When it connected to where it is.
    came: Instant,
    asked: Option<Instant>,
}

/// Why it left a node that had not lost it.
enum Left {
    Over,
    ForHome,
}

impl Watcher {
    pub(super) fn new(hall: &Arc<Hall>, index: usize, token: Option<Arc<str>>, seed: u64) -> Self {
        let home = index % hall.nodes.len();
        let shown = Arc::new(Mutex::new(State { copy: Arc::default(), node: home, follows: None }));
        let dice = Dice::new(seed ^ (index as u64) << 20);
        Self { hall: hall.clone(), index, home, token, shown, dice, came: Instant::now(), asked: None }
    }

    /// Watches until it is over. `own` is given each frame that is for this user alone.
    pub(super) async fn watch(mut self, over: CancellationToken, own: impl Fn(&[u8], Instant)) {
        let mut node = self.home;
        loop {
            let left = self.stay(node, &over, &own).await;
            locked(&self.shown).follows = None;
            match left {
                Ok(Left::Over) => return,
                Ok(Left::ForHome) => node = self.home,
                Err(error) => {
                    self.hall.losses.fetch_add(1, Ordering::Relaxed);
                    let (index, came) = (self.index, self.came.elapsed());
                    locked(&self.hall.errors).add(|| format!("watcher {index} on node {node} after {came:.1?}: {error}"));
                    node = (node + 1) % self.hall.nodes.len();
                }
            }
            let pause = self.dice.between(AGAIN_MS.0, AGAIN_MS.1);
            tokio::select! {
                () = over.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            }
        }
    }

    async fn stay(&mut self, node: usize, over: &CancellationToken, own: &impl Fn(&[u8], Instant)) -> Result<Left, Error> {
        let mut line = Line::open(&self.hall.nodes[node], self.token.as_deref(), None).await?;
        self.came = Instant::now();
        {
            let mut state = locked(&self.shown);
            self.hall.moves.fetch_add(u64::from(state.node != node), Ordering::Relaxed);
            state.node = node;
        }
        self.ask(&mut line, true).await?;
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.reset();
        let is_away = node != self.home;
        let mut think = self.came + Duration::from_millis(self.dice.between(AWAY_MS.0, AWAY_MS.1));
        loop {
            let got = tokio::select! {
                () = over.cancelled() => return Ok(Left::Over),
                () = tokio::time::sleep_until(think.into()), if is_away => {
                    if self.dice.permille(HOME_PERMILLE) {
                        return Ok(Left::ForHome);
                    }
                    think = Instant::now() + Duration::from_millis(self.dice.between(AWAY_MS.0, AWAY_MS.1));
                    continue;
                }
                _ = ping.tick() => {
                    line.send(PING).await?;
                    continue;
                }
                got = line.next() => got?,
            };
            let news = self.hall.copies.read(line.bytes(&got), got.is_binary)?;
            self.hall.frames.fetch_add(1, Ordering::Relaxed);
            if news.kind == Kind::Other {
                own(line.bytes(&got), Instant::now());
            }
            self.take_in(&mut line, &news).await?;
        }
    }

    async fn take_in(&mut self, line: &mut Line, news: &Arc<News>) -> Result<(), Error> {
        match news.kind {
            Kind::Snapshot => _ = self.hall.snapshots.fetch_add(1, Ordering::Relaxed),
            Kind::Diff | Kind::Tick => {}
            Kind::Drain => return Err(Error::Server("asked to come back later (drain)".into())),
            Kind::Error => return Err(Error::Server(format!("refused: {}", news.words))),
            Kind::Other => return Ok(()),
        }
        let before = locked(&self.shown).copy.clone();
        let (applied, after) = self.hall.copies.apply(&before, news)?;
        match applied {
            Applied::Done | Applied::Proved => {
                self.hall.proofs.fetch_add(u64::from(applied == Applied::Proved), Ordering::Relaxed);
                self.asked = None;
                let mut state = locked(&self.shown);
                state.copy = after;
                state.follows.get_or_insert_with(Instant::now);
            }
            // What was on its way before the answer does not fit either: that is no second gap.
            Applied::Gap if self.asked.is_some_and(|at| at.elapsed() < ANSWERED_WITHIN) => {}
            Applied::Gap => {
                self.hall.resyncs.fetch_add(1, Ordering::Relaxed);
                self.ask(line, true).await?;
            }
            Applied::Differs => {
                let node = locked(&self.shown).node;
                let words = format!("{:?} at seq {}, {:.1?} after it came", news.kind, before.replica.seq, self.came.elapsed());
                let differed = Differed { watcher: self.index, node, since: self.came, at: Instant::now(), words };
                locked(&self.hall.differed).push(differed);
                self.ask(line, false).await?;
            }
        }
        Ok(())
    }

    async fn ask(&mut self, line: &mut Line, since_copy: bool) -> Result<(), Error> {
        self.asked = Some(Instant::now());
        let copy = locked(&self.shown).copy.clone();
        let text = if since_copy && copy.replica.is_live() {
            let (epoch, seq) = (&copy.replica.epoch, copy.replica.seq);
            format!(r#"{{"type":"watch","board":"all","epoch":{epoch},"seq":{seq}}}"#)
        } else {
            r#"{"type":"watch","board":"all"}"#.to_owned()
        };
        line.send(&text).await
    }
}
