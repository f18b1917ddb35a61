//! The work that each server is put through: idle sockets, a steady rate, then a ladder of rates until one is too much.

use std::time::Duration;

use crate::cli::Peers;
use crate::error::Error;
use crate::fanout::Side;
use crate::watch::crowd::{Crowd, Measured, Phase};
use crate::{Run, procfs};

const LADDER: [f64; 17] =
    [25.0, 40.0, 50.0, 60.0, 75.0, 90.0, 110.0, 150.0, 200.0, 300.0, 400.0, 600.0, 800.0, 1_200.0, 1_600.0, 2_400.0, 3_200.0];
const QUICK_LADDER: [f64; 8] = [50.0, 75.0, 110.0, 200.0, 400.0, 800.0, 1_600.0, 3_200.0];
/// What still counts as reached is below this.
const P99_MAX_MS: f64 = 1_000.0;
/// Steps in a row that were too much, after which the next would be, too.
const FAILURES_MAX: u32 = 2;
const STEADY_RATE: f64 = 50.0;
const QUICK_STEADY_S: u64 = 5;
const QUICK_STEP_S: u64 = 3;
/// Between two looks: on the ladder the client must not be the limit.
const STEADY_NAP: Duration = Duration::from_micros(500);
const LADDER_NAP: Duration = Duration::from_millis(5);
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// Starting a server, and what comes after the last change of a phase, as seen on two cores.
const START: Duration = Duration::from_secs(3);
const PHASE_END: Duration = Duration::from_millis(1_500);
const OPENED_PER_S: f64 = 1_000.0;

pub(super) struct Plan {
    pub(super) sockets: u64,
    steady_s: u64,
    step_s: u64,
    ladder: &'static [f64],
    failures_max: u32,
}

/// What one server has shown.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) idle_kb: f64,
    pub(super) steady: Measured,
    pub(super) best: Option<Measured>,
    /// The first rate at which something was lost.
    pub(super) lost_at: Option<f64>,
}

impl Plan {
    pub(super) fn of(options: &Peers) -> Self {
        let sockets = options.sockets;
        if options.quick {
            let (steady_s, step_s) = (options.seconds.min(QUICK_STEADY_S), options.step_seconds.min(QUICK_STEP_S));
            return Self { sockets, steady_s, step_s, ladder: &QUICK_LADDER, failures_max: 1 };
        }
        Self { sockets, steady_s: options.seconds, step_s: options.step_seconds, ladder: &LADDER, failures_max: FAILURES_MAX }
    }

    /// For one server that climbs to the end. Most do not.
    pub(super) fn usual(&self) -> Duration {
        let opening = Duration::from_secs_f64(2.0 * self.sockets as f64 / OPENED_PER_S);
        let phases = 1 + self.ladder.len() as u32;
        let changing = Duration::from_secs(self.steady_s + self.step_s * self.ladder.len() as u64);
        START + opening + SETTLED_AFTER + changing + PHASE_END * phases
    }

    /// After this a server is given up.
    pub(super) fn limit(&self) -> Duration {
        self.usual() * 3 + Duration::from_secs(60)
    }

    pub(super) async fn put_through(&self, name: &str, side: Side, run: &Run) -> Result<Shown, Error> {
        eprintln!("{name}:");
        let limit = self.limit();
        let climbing = tokio::time::timeout(limit, self.climb(name, side, run));
        climbing.await.map_err(|_| Error::Server(format!("not through after {:.0} s", limit.as_secs_f64())))?
    }

    async fn climb(&self, name: &str, mut side: Side, run: &Run) -> Result<Shown, Error> {
        let rss = || side.pid.map_or(Ok(0), procfs::rss_kb);
        let before_kb = rss()?;
        let mut crowd = Crowd::open(&side.target, side.sockets, None, STEADY_NAP, &run.stop).await?;
        tokio::time::sleep(SETTLED_AFTER).await;
        let idle_kb = rss()?.saturating_sub(before_kb) as f64 / side.sockets as f64;
        let phase = |rate, seconds: u64| Phase { label: name, rate, seconds: seconds as f64, server_pid: side.pid };
        let steady = crowd.measure(&mut side.source, &phase(STEADY_RATE, self.steady_s), &run.stop).await?;
        drop(crowd);
        let mut crowd = Crowd::open(&side.target, side.sockets, None, LADDER_NAP, &run.stop).await?;
        let (mut best, mut lost_at, mut failures) = (None, None, 0);
        for &rate in self.ladder {
            if failures >= self.failures_max || run.stop.is_cancelled() {
                break;
            }
            let step = crowd.measure(&mut side.source, &phase(rate, self.step_s), &run.stop).await?;
            let has_lost = step.seen.lost > 0 || step.seen.closed.count > 0;
            if has_lost {
                lost_at = lost_at.or(Some(rate));
                // What did not come may still come: the next step would count it.
                crowd = Crowd::open(&side.target, side.sockets, None, LADDER_NAP, &run.stop).await?;
            }
            if has_lost || step.seen.latency().quantile_ms(0.99) >= P99_MAX_MS {
                failures += 1;
            } else {
                failures = 0;
                best = Some(step);
            }
        }
        Ok(Shown { name: name.to_owned(), idle_kb, steady, best, lost_at })
    }
}
