//! What dies: worker processes, MariaDB, Redis, or all of them at once as when the power fails. Always by kill -9.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::check::Problems;
use crate::error::Error;
use crate::money::dice::Dice;
use crate::money::services::Services;
use crate::money::strikes::Strikes;
use crate::money::workers::{Program, Worker};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A start that failed is tried again after this.
const START_AGAIN_AFTER: Duration = Duration::from_millis(300);
const STRIKE_EVERY_MS: (u64, u64) = (1_500, 3_000);
/// How long what was killed stays away.
const AWAY_MS_MAX: u64 = 800;

#[derive(Clone, Copy, Debug)]
enum Strike {
    Worker,
    MariaDb,
    Redis,
    Power,
}

const KINDS: [Strike; 6] = [Strike::Worker, Strike::Worker, Strike::Worker, Strike::MariaDb, Strike::Redis, Strike::Power];

#[derive(Default)]
pub(super) struct Kills {
    pub(super) workers: u64,
    pub(super) mariadb: u64,
    pub(super) redis: u64,
}

/// The servers and the worker processes.
pub(super) struct Site {
    pub(super) services: Services,
    slots: Vec<Slot>,
    pub(super) kills: Kills,
    /// Processes started, the first ones included.
    pub(super) started: u64,
    /// Starts that were given up because MySQL or Redis was away.
    pub(super) gave_up: u64,
    /// A worker that was at work may not end by itself, whatever dies around it.
    pub(super) ended_by_themselves: Problems,
}

struct Slot {
    program: Program,
    log: PathBuf,
    worker: Option<Worker>,
    not_before: Instant,
}

impl Site {
    /// With a process for each of `programs`, once they are tended.
    pub(super) fn new(services: Services, programs: impl Iterator<Item = Program>) -> Self {
        let slots = programs.enumerate().map(|(n, program)| {
            let log = services.directory().join(format!("worker-{n}.log"));
            Slot { program, log, worker: None, not_before: Instant::now() }
        });
        let slots = slots.collect();
        let (kills, ended_by_themselves) = (Kills::default(), Problems::default());
        Self { services, slots, kills, started: 0, gave_up: 0, ended_by_themselves }
    }

    /// Starts a process in each slot that has none.
    pub(super) fn tend(&mut self) -> Result<(), Error> {
        for slot in &mut self.slots {
            if let Some(worker) = &mut slot.worker
                && let Some(status) = worker.ended()?
            {
                if worker.was_ready() {
                    let words = worker.last_words();
                    self.ended_by_themselves.add(|| format!("{status}: {words}"));
                } else {
                    self.gave_up += 1;
                }
                slot.worker = None;
                slot.not_before = Instant::now() + START_AGAIN_AFTER;
            }
            if slot.worker.is_none() && Instant::now() >= slot.not_before {
                slot.worker = Some(Worker::spawn(&slot.program, &slot.log)?);
                self.started += 1;
            }
        }
        Ok(())
    }

    pub(super) async fn until_ready(&mut self) -> Result<(), Error> {
        self.tend()?;
        for worker in self.slots.iter_mut().filter_map(|slot| slot.worker.as_mut()) {
            worker.until_ready().await?;
        }
        Ok(())
    }

    /// Strikes every few seconds until `over`, and leaves everything running.
    pub(super) async fn suffer(&mut self, seed: u64, over: &CancellationToken) -> Result<(), Error> {
        let mut strikes = Strikes::new(seed, &KINDS, STRIKE_EVERY_MS);
        while !over.is_cancelled() {
            tokio::time::sleep(LOOK_EVERY).await;
            self.tend()?;
            if let Some(strike) = strikes.due() {
                let struck = Instant::now();
                self.strike(strike, &mut strikes.dice).await?;
                eprintln!("money: kill -9: {strike:?}, started again after {:.1} s", struck.elapsed().as_secs_f64());
                strikes.pause();
            }
        }
        self.services.start_again().await
    }

    async fn strike(&mut self, strike: Strike, dice: &mut Dice) -> Result<(), Error> {
        let (mariadb, redis) = match strike {
            Strike::Worker => (false, false),
            Strike::MariaDb => (true, false),
            Strike::Redis => (false, true),
            Strike::Power => (true, true),
        };
        match strike {
            Strike::Worker => {
                let slot = dice.below(self.slots.len() as u64) as usize;
                self.kill_worker(slot).await?;
            }
            Strike::Power => {
                for slot in 0..self.slots.len() {
                    self.kill_worker(slot).await?;
                }
            }
            Strike::MariaDb | Strike::Redis => {}
        }
        if mariadb {
            self.services.kill_mariadb().await;
            self.kills.mariadb += 1;
        }
        if redis {
            self.services.kill_redis().await;
            self.kills.redis += 1;
        }
        if mariadb || redis {
            tokio::time::sleep(Duration::from_millis(dice.below(AWAY_MS_MAX))).await;
        }
        self.services.start_again().await
    }

    async fn kill_worker(&mut self, slot: usize) -> Result<(), Error> {
        if let Some(worker) = self.slots.get_mut(slot).and_then(|slot| slot.worker.take()) {
            worker.kill().await?;
            self.kills.workers += 1;
        }
        Ok(())
    }

    /// In good order.
    pub(super) async fn dismiss_workers(&mut self) -> Result<(), Error> {
        for worker in self.slots.iter_mut().filter_map(|slot| slot.worker.take()) {
            worker.stop().await?;
        }
        Ok(())
    }
}
