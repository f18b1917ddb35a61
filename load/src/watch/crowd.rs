//! All sockets of a run, in this process or in several, and one phase of changes measured on them.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::command::Source;
use super::engine::{Engine, Look};
use super::inject::Injected;
use super::open::{self, PER_SOURCE, Portion, Target};
use super::part::Part;
use super::protocol::Protocol;
use super::seen::Seen;
use crate::error::Error;
use crate::procfs::Spent;

/// Sockets of one process: fewer than the 20,000 files that one may commonly open.
pub(super) const PER_PROCESS: u64 = 18_000;
/// How long nothing more may come before a phase is over without all that was sent.
const STALLED: Duration = Duration::from_secs(3);
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// Ticks come every two seconds; with one of them each copy is proved.
const PROVED_WITHIN: Duration = Duration::from_secs(12);
const TOLD_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Crowd {
    here: Option<Engine>,
    parts: Vec<Part>,
    protocol: Protocol,
    sockets: u64,
}

/// A phase, measured.
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) seen: Seen,
    pub(crate) injected: Injected,
    /// From the first change to the last that was read.
    pub(crate) took: Duration,
    /// Seconds of processor time of server, load test and machine.
    pub(crate) cpu_s: [f64; 3],
}

impl Measured {
    pub(crate) fn deliveries_per_s(&self) -> f64 {
        self.seen.delivered as f64 / self.took.as_secs_f64().max(1e-9)
    }

    pub(crate) fn server_us_per_delivery(&self) -> f64 {
        self.cpu_s[0] * 1e6 / self.seen.delivered.max(1) as f64
    }

    pub(crate) fn client_us_per_delivery(&self) -> f64 {
        self.cpu_s[1] * 1e6 / self.seen.delivered.max(1) as f64
    }

    /// The share of a core that the server took.
    pub(crate) fn server_share(&self) -> f64 {
        self.cpu_s[0] / self.took.as_secs_f64().max(1e-9)
    }
}

/// What is to be injected, and who is watched while it is.
pub(crate) struct Phase<'a> {
    pub(crate) label: &'a str,
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) server_pid: Option<u32>,
}

impl Crowd {
    /// Opens the sockets and waits until each has what its protocol begins with.
    pub(crate) async fn open(
        target: &Target,
        sockets: u64,
        sources: Option<u64>,
        nap: Duration,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let sources = sources.unwrap_or(sockets.div_ceil(PER_SOURCE));
        let begun = Instant::now();
        let mut crowd = Self { here: None, parts: Vec::new(), protocol: target.protocol, sockets };
        if sockets <= PER_PROCESS {
            let engine = Engine::start(target.protocol, nap)?;
            open::open_all(target, Portion { from: 0, count: sockets, sources }, &engine, stop).await?;
            crowd.here = Some(engine);
        } else {
            let count = sockets.div_ceil(sockets.div_ceil(PER_PROCESS));
            for from in (0..sockets).step_by(count as usize) {
                let portion = Portion { from, count: count.min(sockets - from), sources };
                let mut part = Part::start(target, portion, nap)?;
                part = tokio::task::spawn_blocking(move || part.wait_until_open().map(|()| part)).await??;
                crowd.parts.push(part);
            }
        }
        eprintln!("{sockets} sockets open after {:.1} s", begun.elapsed().as_secs_f64());
        Ok(crowd)
    }

    pub(crate) fn sockets(&self) -> u64 {
        self.sockets
    }

    /// What is seen from here on counts.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        if let Some(engine) = &self.here {
            engine.begin()?;
        }
        self.parts.iter_mut().try_for_each(Part::begin)
    }

    fn look(&mut self) -> Result<Look, Error> {
        let mut sum = Look { is_proved: true, ..Look::default() };
        let here = self.here.as_ref().map(Engine::look).into_iter();
        let looks: Vec<Look> = here.chain(self.parts.iter_mut().map(Part::look)).collect::<Result<_, _>>()?;
        for look in looks {
            sum.open += look.open;
            sum.ready += look.ready;
            sum.closed += look.closed;
            sum.delivered += look.delivered;
            sum.at_end += look.at_end;
            sum.is_proved &= look.is_proved;
        }
        Ok(sum)
    }

    fn end(&mut self, injected: u64) -> Result<Seen, Error> {
        let mut seen = Seen::default();
        let here = self.here.as_ref().map(|engine| engine.end(injected)).into_iter();
        let all: Vec<Seen> = here.chain(self.parts.iter_mut().map(|part| part.end(injected))).collect::<Result<_, _>>()?;
        all.into_iter().for_each(|part| seen.merge(part));
        Ok(seen)
    }

    /// Injects, waits until all has arrived or nothing more comes, and then until a tick has proved the copies.
    pub(crate) async fn measure(&mut self, source: &mut Source, phase: &Phase<'_>, stop: &CancellationToken) -> Result<Measured, Error> {
        self.begin()?;
        let spent = Spent::begin(phase.server_pid);
        let (begun, begun_us) = (Instant::now(), super::marker::now_us());
        let told = self.progress(phase, begun);
        let injected = tokio::select! {
            injected = source.inject(phase.rate, phase.seconds, stop) => injected?,
            Err(error) = told => return Err(error),
        };
        self.drain(injected.count).await?;
        let cpu_s = spent.seconds();
        if self.protocol == Protocol::Orderboard {
            self.prove().await?;
        }
        let seen = self.end(injected.count)?;
        let due_s = injected.count as f64 / phase.rate;
        let took = Duration::from_micros(seen.last_us.saturating_sub(begun_us)).max(Duration::from_secs_f64(due_s));
        Ok(Measured { rate: phase.rate, seen, injected, took, cpu_s })
    }

    /// Tells how far it is until it is dropped, or cannot.
    async fn progress(&mut self, phase: &Phase<'_>, begun: Instant) -> Result<(), Error> {
        loop {
            tokio::time::sleep(TOLD_EVERY).await;
            self.tell(phase, begun)?;
        }
    }

    fn tell(&mut self, phase: &Phase<'_>, begun: Instant) -> Result<(), Error> {
        let Look { delivered, open, .. } = self.look()?;
        let (label, rate) = (phase.label, phase.rate);
        let (at, of) = (begun.elapsed().as_secs_f64(), phase.seconds);
        eprintln!("{label}: {rate} changes/s to {open} sockets, {at:.0} of {of:.0} s, {delivered} delivered");
        Ok(())
    }

    async fn drain(&mut self, injected: u64) -> Result<(), Error> {
        let (begun, mut moved, mut before) = (Instant::now(), Instant::now(), 0);
        loop {
            let look = self.look()?;
            if look.delivered != before {
                (before, moved) = (look.delivered, Instant::now());
            }
            let is_all = look.delivered >= injected * look.open;
            // Where rows were merged, less arrives than was sent.
            let is_over = self.protocol == Protocol::Orderboard && look.is_proved && look.at_end == look.open;
            if is_all
                || is_over && moved.elapsed() > Duration::from_millis(200)
                || moved.elapsed() > STALLED
                || begun.elapsed() > DRAINED_WITHIN
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What all have seen of changes that others have made, once their copies are proved.
    pub(crate) async fn witnessed(&mut self) -> Result<Seen, Error> {
        self.prove().await?;
        self.end(0)
    }

    async fn prove(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let look = self.look()?;
            if (look.is_proved && look.at_end == look.open) || begun.elapsed() > PROVED_WITHIN {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
