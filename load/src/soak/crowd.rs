//! The watchers: guests, and executors who race for what they see. Sockets are cut and come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::market::{Fate, Market};
use crate::money::Dice;
use crate::races::{Outcome, accept_due, is_drawn, locked};
use crate::server::Token;
use crate::storm::copies::{Kind, News};
use crate::storm::proof::Shown;
use crate::storm::seat::{Hall, Seat};

/// Orders that an executor has seen and not tried for yet.
const HANDS_MAX: usize = 256;
const AWAY_MS: (u64, u64) = (50, 3_000);
/// Of a thousand that come back: those that have forgotten where they were.
const FORGETFUL: u64 = 200;

pub(super) struct Crowd {
    pub(super) hall: Arc<Hall>,
    pub(super) copies: Vec<Shown>,
    pub(super) seated: Arc<AtomicU64>,
    pub(super) cuts: Arc<AtomicU64>,
    /// No socket is cut any more.
    pub(super) calm: CancellationToken,
    pub(super) stop: CancellationToken,
    pub(super) tasks: JoinSet<()>,
}

/// One executor's eyes.
struct Eyes {
    executor: u64,
    executors: u64,
    racers: u64,
    hands: Sender<(u64, Instant)>,
    market: Arc<Market>,
}

impl Eyes {
    fn see(&self, news: &News, at: Instant) {
        if news.kind != Kind::Diff {
            return;
        }
        for shown in news.shown.iter().filter(|shown| shown.is_ours) {
            let wanted = Fate::of(shown.id) != Fate::Cancelled;
            if wanted && is_drawn(self.executor, shown.id, self.executors, self.racers) && self.hands.try_send((shown.id, at)).is_err() {
                self.market.ledger.problem(|| format!("executor {} has seen {HANDS_MAX} orders and tried for none", self.executor));
            }
        }
    }
}

impl Crowd {
    pub(super) fn gather(hall: &Arc<Hall>, market: &Arc<Market>, executors: &[Token], guests: u64, options: &crate::cli::Soak) -> Self {
        let mut crowd = Self {
            hall: hall.clone(),
            copies: Vec::new(),
            seated: Arc::default(),
            cuts: Arc::default(),
            calm: CancellationToken::new(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        let stay = Duration::from_secs(options.stay_s);
        for (n, executor) in executors.iter().enumerate() {
            let (hands, mut seen) = channel(HANDS_MAX);
            let eyes =
                Eyes { executor: n as u64, executors: executors.len() as u64, racers: options.racers, hands, market: market.clone() };
            crowd.seat(Some(executor.token.as_str().into()), stay, Some(eyes));
            let market = market.clone();
            crowd.tasks.spawn(async move {
                while let Some((order, at)) = seen.recv().await {
                    take(&market, n, order, at).await;
                }
            });
        }
        for _ in 0..guests {
            crowd.seat(None, stay, None);
        }
        crowd
    }

    fn seat(&mut self, token: Option<Arc<str>>, stay: Duration, eyes: Option<Eyes>) {
        let seat = Seat::new(&self.hall, self.copies.len(), token);
        self.copies.push(seat.copy.clone());
        let (seated, cuts, calm, stop) = (self.seated.clone(), self.cuts.clone(), self.calm.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let all = come_and_go(seat, stay, &eyes, (&seated, &cuts), &calm);
            tokio::select! {
                () = stop.cancelled() => {}
                () = all => {}
            }
        });
    }

    pub(super) fn live(&self) -> usize {
        self.copies.iter().filter(|copy| locked(copy).replica.is_live()).count()
    }
}

async fn come_and_go(
    mut seat: Seat,
    stay: Duration,
    eyes: &Option<Eyes>,
    (seated, cuts): (&AtomicU64, &AtomicU64),
    calm: &CancellationToken,
) {
    let mut dice = Dice::new(seat.index as u64);
    // Connected one after the other to begin with.
    tokio::time::sleep(Duration::from_millis(2 * seat.index as u64)).await;
    loop {
        let see = |news: &News, at: Instant| eyes.iter().for_each(|eyes| eyes.see(news, at));
        // Exponential, for memoryless are the networks.
        let share = dice.between(1, 1_000_000) as f64 / 1e6;
        let until = Instant::now() + stay.mul_f64(-share.ln());
        let cut = async {
            tokio::time::sleep_until(until.into()).await;
            if calm.is_cancelled() {
                std::future::pending::<()>().await;
            }
        };
        let ended = match seat.connect().await {
            Ok(mut line) => {
                seated.fetch_add(1, Ordering::Relaxed);
                let ended = seat.sit(&mut line, cut, see).await;
                seated.fetch_sub(1, Ordering::Relaxed);
                ended
            }
            Err(error) => Err(error),
        };
        seat.was_cut(Instant::now());
        match ended {
            Ok(()) => _ = cuts.fetch_add(1, Ordering::Relaxed),
            Err(error) => seat.hall.lost(seat.index, &error),
        }
        tokio::time::sleep(Duration::from_millis(dice.between(AWAY_MS.0, AWAY_MS.1))).await;
        if dice.permille(FORGETFUL) {
            seat.forget();
        }
    }
}

async fn take(market: &Market, executor: usize, order: u64, seen: Instant) {
    let person = &market.executors[executor];
    let (outcome, took) = accept_due(&mut *person.client.lock().await, person.user_id, order, seen).await;
    match outcome {
        Outcome::Won => {
            market.ledger.took("accept: winners", took);
            market.ledger.count("accept");
            if let Some(other) = market.races.won(order, executor) {
                locked(&market.ledger.second_winners).add(|| format!("order {order}: executors {other} and {executor}"));
            }
        }
        Outcome::Taken { .. } => {
            market.ledger.took("accept: refused", took);
            market.ledger.count("accept: taken");
        }
        // The customer was faster.
        Outcome::Refused { name, .. } if ["frozen", "cancelled", "stale"].contains(&name.as_str()) => {
            market.ledger.took("accept: refused", took);
            market.ledger.count(format!("accept: {name}"));
        }
        Outcome::Refused { words, .. } => market.ledger.problem(|| format!("order {order}, executor {executor}: {words}")),
    }
}
