//! Every few milliseconds: what does each watcher's copy lack, since when, and which of the things that were done to its
//! node explains it? A divergence lasts from the commit until the copy has the change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::incidents::{Cause, Incidents};
use super::stalls::Stalls;
use super::truth::{Behind, Fate, Made, Truth};
use super::watcher::Shown;
use crate::check::{Check, Problems};
use crate::races::locked;
use crate::report::Latency;
use crate::storm::copies::Copy;

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What is on its way for no longer than this is no divergence.
const DIVERGED_AFTER: Duration = Duration::from_millis(100);
const FOUND_WITHIN: Duration = Duration::from_secs(1);
/// Where only the sweep can find it: nobody was told.
const SWEPT_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    Withheld,
    /// It was sent late, by this tool.
    SentLate,
    Done(Cause),
    /// Nothing was done to the node.
    None,
}

pub(super) const REASONS: [(Reason, &str); 7] = [
    (Reason::Done(Cause::Lost), "behind: message lost"),
    (Reason::Done(Cause::Cut), "behind: subscriber cut"),
    (Reason::Done(Cause::RedisAway), "behind: Redis killed"),
    (Reason::Done(Cause::NodeAway), "behind: node killed"),
    (Reason::Withheld, "behind: never published"),
    (Reason::SentLate, "behind: published late by the tool"),
    (Reason::None, "behind: for no reason"),
];

impl Reason {
    fn bound(self) -> Duration {
        if matches!(self, Reason::Withheld | Reason::SentLate) { SWEPT_WITHIN } else { FOUND_WITHIN }
    }
}

struct Episode {
    node: usize,
    since: Instant,
    follows: Instant,
    lacks: Option<Made>,
    /// Of the last look that found it.
    look: u64,
}

#[derive(Default)]
pub(super) struct Findings {
    pub(super) looks: u64,
    pub(super) compared: u64,
    /// Of divergences, by watcher and order; in the order of `REASONS`.
    pub(super) lasted: Vec<Latency>,
    /// Ended by the loss of the watcher's connection.
    pub(super) left: u64,
    pub(super) late: Problems,
    pub(super) late_by_sweep: Problems,
    pub(super) unexplained: Problems,
}

pub(super) struct Auditor {
    pub(super) truth: Arc<Truth>,
    pub(super) incidents: Arc<Incidents>,
    pub(super) stalls: Arc<Stalls>,
    pub(super) watchers: Vec<Shown>,
    pub(super) begun: Instant,
    episodes: HashMap<(usize, u64), Episode>,
    findings: Findings,
}

impl Auditor {
    pub(super) fn new(truth: Arc<Truth>, incidents: Arc<Incidents>, stalls: Arc<Stalls>, watchers: Vec<Shown>) -> Self {
        let findings = Findings { lasted: REASONS.iter().map(|_| Latency::new()).collect(), ..Findings::default() };
        Self { truth, incidents, stalls, watchers, begun: Instant::now(), episodes: HashMap::new(), findings }
    }

    /// Looks until it is over.
    pub(super) async fn run(mut self, over: CancellationToken) -> Findings {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !over.is_cancelled() {
            looks.tick().await;
            self.look().await;
        }
        // What is still open now has lasted that long.
        self.findings.looks += 1;
        self.end_what_was_not_seen(Instant::now());
        self.findings
    }

    async fn look(&mut self) {
        let truth = self.truth.clone();
        let gate = truth.gate.lock().await;
        let now = Instant::now();
        // Watchers of one node mostly share a copy. Held, so that no address is used twice.
        let mut compared: HashMap<*const Copy, (Arc<Copy>, Arc<Vec<Behind>>)> = HashMap::new();
        let mut seen = Vec::with_capacity(self.watchers.len());
        for shown in &self.watchers {
            let (copy, node, follows) = {
                let state = locked(shown);
                (state.copy.clone(), state.node, state.follows)
            };
            let behind = follows.map(|follows| {
                let entry = compared.entry(Arc::as_ptr(&copy));
                let (_, behind) = entry.or_insert_with(|| (copy.clone(), Arc::new(truth.behind(copy.replica.rows()))));
                (follows, behind.clone())
            });
            seen.push((node, behind));
        }
        drop(gate);
        self.findings.looks += 1;
        self.findings.compared += compared.len() as u64;
        for (watcher, (node, behind)) in seen.into_iter().enumerate() {
            let Some((follows, behind)) = behind else { continue };
            for one in behind.iter() {
                self.found(watcher, node, follows, *one, now);
            }
        }
        self.end_what_was_not_seen(now);
    }

    fn found(&mut self, watcher: usize, node: usize, follows: Instant, behind: Behind, now: Instant) {
        let (key, look) = ((watcher, behind.id), self.findings.looks);
        let since = behind.lacks.map(|made| made.at.max(follows));
        if let Some(episode) = self.episodes.get_mut(&key) {
            if episode.follows == follows && since.is_none_or(|since| since == episode.since) {
                episode.look = look;
                return;
            }
            // It has caught up with that change, and lacks a later one.
            if let Some(ended) = self.episodes.remove(&key) {
                self.ended(watcher, behind.id, &ended, now);
            }
        }
        if since.is_none_or(|since| now.duration_since(since) > DIVERGED_AFTER) {
            let episode = Episode { node, since: since.unwrap_or(now), follows, lacks: behind.lacks, look };
            self.episodes.insert(key, episode);
        }
    }

    fn end_what_was_not_seen(&mut self, now: Instant) {
        let look = self.findings.looks;
        let ended: Vec<((usize, u64), Episode)> = self.episodes.extract_if(|_, episode| episode.look != look).collect();
        for ((watcher, id), episode) in ended {
            self.ended(watcher, id, &episode, now);
        }
    }

    fn ended(&mut self, watcher: usize, id: u64, episode: &Episode, now: Instant) {
        if locked(&self.watchers[watcher]).follows != Some(episode.follows) {
            self.findings.left += 1;
            return;
        }
        let lasted = now.duration_since(episode.since);
        if lasted <= DIVERGED_AFTER {
            return;
        }
        // Its news may have been on its way when it was found.
        let made = episode.lacks.map(|made| self.truth.known(id, made.version).unwrap_or(made));
        let is_late = |made: Made| made.settled.is_none_or(|settled| now.saturating_duration_since(settled) < DIVERGED_AFTER);
        let reason = match (made.map(|made| made.fate), self.incidents.explain(episode.node, episode.since, now)) {
            (Some(Fate::Withheld), _) => Reason::Withheld,
            (Some(Fate::Failed), _) => Reason::Done(Cause::RedisAway),
            (_, Some(cause)) => Reason::Done(cause),
            (_, None) if made.is_some_and(is_late) => Reason::SentLate,
            (_, None) => Reason::None,
        };
        if let Some(place) = REASONS.iter().position(|(known, _)| *known == reason) {
            self.findings.lasted[place].record(lasted);
        }
        let begun = self.begun;
        let words = || {
            let at = episode.since.duration_since(begun).as_secs_f64();
            let fate = made.map_or("where the copy ends".to_owned(), |made| {
                format!("{:?}, settled after {:.0?}", made.fate, made.settled.map(|at| at - made.at))
            });
            format!("watcher {watcher} on node {}: order {id} for {lasted:.2?} from second {at:.2} on ({fate}, {reason:?})", episode.node)
        };
        let taken = self.stalls.between(episode.since, now);
        if lasted > reason.bound() + taken {
            match reason {
                Reason::Withheld | Reason::SentLate => self.findings.late_by_sweep.add(words),
                _ => self.findings.late.add(words),
            }
        }
        // What merely waited for its turn is in the figures.
        if reason == Reason::None && lasted > FOUND_WITHIN / 2 + taken {
            self.findings.unexplained.add(words);
        }
    }
}

impl Findings {
    fn count(&self, is_of: impl Fn(Reason) -> bool) -> u64 {
        REASONS.iter().zip(&self.lasted).filter(|((reason, _), _)| is_of(*reason)).map(|(_, lasted)| lasted.count()).sum()
    }

    pub(super) fn checks(&self) -> [Check; 3] {
        let mut found = Check::new("each divergence was found and mended within 1 s");
        (found.seen, found.problems) = (self.compared, self.late.clone());
        let mut swept = Check::new("each change that nobody was told of was found by the sweep within 2 s");
        (swept.seen, swept.problems) = (self.count(|reason| reason == Reason::Withheld), self.late_by_sweep.clone());
        let mut explained = Check::new("no divergence is unexplained");
        (explained.seen, explained.problems) = (self.compared, self.unexplained.clone());
        [found, swept, explained]
    }
}
