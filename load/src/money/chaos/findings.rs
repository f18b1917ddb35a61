//! What really happened in a chaos run, and the checks over that: a run in which nothing happened proves nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Stage, book};
use crate::check::Check;
use crate::error::Error;
use crate::money::proxy::Counts;
use crate::money::queue::Status;
use crate::report::Report;

impl Stage {
    pub(super) fn told(&self, report: &mut Report, set_aside: i64) {
        let state = self.market.book.state();
        let operations = state.entries.len() as u64;
        let of = |what: fn(&book::Entry) -> u64| {
            let counts = || state.entries.iter().map(what);
            let sum: u64 = counts().sum();
            let mean = sum as f64 / operations.max(1) as f64;
            format!(
                "{sum}: at least {}, {mean:.1} on average, at most {} an operation",
                counts().min().unwrap_or(0),
                counts().max().unwrap_or(0)
            )
        };
        let done = state.entries.iter().filter(|entry| entry.first.as_ref().is_some_and(|first| first.status == Status::Done));
        report.figure("operations", operations);
        report.figure("of them done", done.count() as u64);
        report.figure("refusals by code", codes(&state));
        report.figure("deliveries", of(|entry| entry.sent.deliveries));
        report.figure("answers", of(|entry| entry.sent.answers));
        report.figure("duplicate answers, all the same", duplicates(&state));
        report.figure("other bodies under a used id", state.entries.iter().filter(|entry| entry.other.is_some()).count() as u64);
        report.figure("doubled XADDs", self.market.doubled.load(Ordering::Relaxed));
        report.figure("published again for want of an answer", self.market.repeated.load(Ordering::Relaxed));
        report.figure(
            "no operations at all: sent, answered, set aside",
            vec![self.market.poisoned.load(Ordering::Relaxed), state.poison_answers, set_aside.try_into().unwrap_or(0)],
        );
        let Counts {
            connections,
            commits,
            cut_after_commit_sent,
            cut_after_commit_answered,
            cut_before_commit,
            cut_at_autocommit,
            cut_elsewhere,
        } = self.proxy.counts();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        report.figure("connections to MySQL, COMMITs", vec![read(connections), read(commits)]);
        report.figure("cut after COMMIT was sent", read(cut_after_commit_sent));
        report.figure("cut after COMMIT was answered", read(cut_after_commit_answered));
        report.figure("cut before COMMIT was sent", read(cut_before_commit));
        report.figure("cut at a statement of its own", read(cut_at_autocommit));
        report.figure("cut elsewhere", read(cut_elsewhere));
        let kills = &self.site.kills;
        report.figure("killed: worker processes, MariaDB, Redis", vec![kills.workers, kills.mariadb, kills.redis]);
        report.figure("worker processes started; gave up for want of a server", vec![self.site.started, self.site.gave_up]);
        report.figure("messages taken from workers; swallowed as new", vec![read(&self.claims.from_workers), read(&self.claims.swallowed)]);
    }

    /// A run in which nothing happened proves nothing.
    pub(super) fn happened(&self) -> Check {
        let mut check = Check::new("duplicates, cuts at COMMIT, kills and claims really happened");
        let (counts, kills, state) = (self.proxy.counts(), &self.site.kills, self.market.book.state());
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let happened = [
            ("operations", state.entries.len() as u64),
            ("duplicate answers", duplicates(&state)),
            ("doubled XADDs", read(&self.market.doubled)),
            ("cuts after COMMIT was sent", read(&counts.cut_after_commit_sent)),
            ("cuts after COMMIT was answered", read(&counts.cut_after_commit_answered)),
            ("kills of a worker", kills.workers),
            ("kills of MariaDB", kills.mariadb),
            ("kills of Redis", kills.redis),
            ("messages taken from workers", read(&self.claims.from_workers)),
            ("messages swallowed", read(&self.claims.swallowed)),
        ];
        for (what, count) in happened {
            check.seen += 1;
            if count == 0 {
                check.problems.add(|| format!("no {what}"));
            }
        }
        check
    }

    /// Some of it Redis may have lost.
    pub(super) fn set_aside(&self, set_aside: i64) -> Check {
        let mut check = Check::new("messages that are no operations were answered and set aside");
        check.seen = self.market.poisoned.load(Ordering::Relaxed);
        if set_aside == 0 || self.market.book.state().poison_answers == 0 {
            check.problems.add(|| format!("{set_aside} set aside"));
        }
        check
    }

    pub(super) fn stayed(&self) -> Check {
        let mut check = Check::new("no worker ended by itself once it was at work");
        check.seen = self.site.started;
        check.problems.merge(self.site.ended_by_themselves.clone());
        check
    }

    pub(super) async fn audit(&self) -> Result<Check, Error> {
        let mut check = Check::new("`orderboard audit` finds nothing");
        let (status, printed) = self.direct.output(&["audit"]).await?;
        check.seen = 1;
        if !status.success() {
            check.problems.add(|| format!("{status}: {printed}"));
        }
        Ok(check)
    }
}

/// Answers to operations beyond the first of each.
fn duplicates(state: &book::State) -> u64 {
    state.entries.iter().map(|entry| entry.sent.answers.saturating_sub(1)).sum()
}

fn codes(state: &book::State) -> String {
    let mut counts = BTreeMap::<&str, u64>::new();
    for code in state.entries.iter().filter_map(|entry| entry.first.as_ref()?.code.as_deref()) {
        *counts.entry(code).or_default() += 1;
    }
    counts.iter().map(|(code, count)| format!("{code} {count}")).collect::<Vec<_>>().join(", ")
}
