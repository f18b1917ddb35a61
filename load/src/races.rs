//! What happened while takers raced: every answer, every winner, and when the news of it arrived.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::check::Problems;
use crate::http::{Answer, CallError, Client};
use crate::report::Latency;

/// An order this run made, as its customer was told.
#[derive(Clone, Copy)]
pub(crate) struct Created {
    pub(crate) id: u64,
    pub(crate) price: i64,
}

/// All answers to accept calls.
pub(crate) struct Tally {
    pub(crate) won: Latency,
    pub(crate) refused: Latency,
    /// By name: `won`, `taken`, another refusal's code, `no answer`, `status 503`.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// (order, taker) for each 200.
    pub(crate) wins: Vec<(u64, u64)>,
    /// (order, winner named in the refusal) for each `taken`.
    pub(crate) named: Vec<(u64, u64)>,
    /// Calls that got no definitive answer, or one that makes no sense.
    pub(crate) unanswered: Problems,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            won: Latency::new(),
            refused: Latency::new(),
            outcomes: BTreeMap::new(),
            wins: Vec::new(),
            named: Vec::new(),
            unanswered: Problems::default(),
        }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.outcomes.values().sum()
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.won.merge(&other.won);
        self.refused.merge(&other.refused);
        for (name, count) in other.outcomes {
            *self.outcomes.entry(name).or_default() += count;
        }
        self.wins.extend(other.wins);
        self.named.extend(other.named);
        self.unanswered.merge(other.unanswered);
    }

    pub(crate) fn add(&mut self, taker: u64, order: u64, outcome: &Outcome, took: Duration) {
        let name = match outcome {
            Outcome::Won => {
                self.won.record(took);
                self.wins.push((order, taker));
                "won".into()
            }
            Outcome::Taken { by } => {
                self.refused.record(took);
                self.named.push((order, *by));
                "taken".into()
            }
            Outcome::Refused { name, words } => {
                self.unanswered.add(|| format!("order {order}, taker {taker}: {words}"));
                name.clone()
            }
        };
        *self.outcomes.entry(name).or_default() += 1;
    }
}

/// The answer to one accept call.
pub(crate) enum Outcome {
    Won,
    Taken {
        by: u64,
    },
    /// Nothing that may happen to an order which is open until a taker of this run takes it.
    Refused {
        name: String,
        words: String,
    },
}

#[derive(Deserialize)]
struct Contract {
    id: u64,
    executor_id: u64,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    by: Option<Person>,
}

#[derive(Deserialize)]
struct Person {
    id: u64,
}

/// One taker tries for one order, now.
pub(crate) async fn accept(client: &mut Client, taker: u64, order: u64) -> (Outcome, Duration) {
    accept_due(client, taker, order, Instant::now()).await
}

/// One taker tries for an order that it wanted at `due`: what kept it from trying then counts.
pub(crate) async fn accept_due(client: &mut Client, taker: u64, order: u64, due: Instant) -> (Outcome, Duration) {
    let path = format!("/api/orders/{order}/accept");
    let answer = client.post(&path, None).await;
    let took = due.elapsed();
    (judge(taker, order, answer), took)
}

fn judge(taker: u64, order: u64, answer: Result<Answer<'_>, CallError>) -> Outcome {
    let refused = |name: String, words: String| Outcome::Refused { name, words };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return refused("no answer".into(), error.to_string()),
    };
    let text = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]).into_owned();
    match answer.status {
        200 => match serde_json::from_slice::<Contract>(answer.body) {
            Ok(told) if told.id == order && told.executor_id == taker => Outcome::Won,
            _ => refused("wrong 200".into(), format!("200 with {}", text())),
        },
        409 => match serde_json::from_slice::<Refusal>(answer.body) {
            Ok(Refusal { code, by: Some(by) }) if code == "taken" => Outcome::Taken { by: by.id },
            Ok(Refusal { code, .. }) => refused(code, text()),
            Err(_) => refused("wrong 409".into(), text()),
        },
        status => refused(format!("status {status}"), format!("{status} with {}", text())),
    }
}

/// When orders were made and taken, as the clients were told, and how long the news took.
pub(crate) struct News {
    moments: Arc<RwLock<HashMap<u64, Moments>>>,
    pub(crate) created: Mutex<Latency>,
    pub(crate) taken: Mutex<Latency>,
    /// Frames that came before the answer to whoever caused them.
    pub(crate) early: AtomicU64,
}

#[derive(Default, Clone, Copy)]
struct Moments {
    created: Option<Instant>,
    taken: Option<Instant>,
}

/// A watcher read a frame that shows or removes an order.
#[derive(Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) order: u64,
    pub(crate) removal: bool,
    pub(crate) at: Instant,
}

impl News {
    pub(crate) fn new() -> Self {
        Self::of(Arc::default())
    }

    /// The same causes, seen by others.
    pub(crate) fn elsewhere(&self) -> Self {
        Self::of(self.moments.clone())
    }

    fn of(moments: Arc<RwLock<HashMap<u64, Moments>>>) -> Self {
        Self { moments, created: Mutex::new(Latency::new()), taken: Mutex::new(Latency::new()), early: AtomicU64::new(0) }
    }

    pub(crate) fn was_created(&self, order: u64) {
        let now = Instant::now();
        let mut moments = self.moments.write().unwrap_or_else(PoisonError::into_inner);
        moments.entry(order).or_default().created = Some(now);
    }

    pub(crate) fn was_taken(&self, order: u64) {
        let now = Instant::now();
        let mut moments = self.moments.write().unwrap_or_else(PoisonError::into_inner);
        moments.entry(order).or_default().taken = Some(now);
    }

    /// Counts the sightings whose cause is known and keeps the others: the frame may overtake the
    /// answer. Those of other people's orders never get a cause.
    pub(crate) fn settle(&self, sightings: &mut Vec<Sighting>) {
        let moments = self.moments.read().unwrap_or_else(PoisonError::into_inner);
        let (mut created, mut taken) = (locked(&self.created), locked(&self.taken));
        sightings.retain(|sighting| {
            let Some(known) = moments.get(&sighting.order) else { return true };
            let cause = if sighting.removal { known.taken } else { known.created };
            let Some(cause) = cause else { return true };
            if sighting.at < cause {
                self.early.fetch_add(1, Ordering::Relaxed);
            }
            let took = sighting.at.saturating_duration_since(cause);
            if sighting.removal {
                taken.record(took)
            } else {
                created.record(took)
            }
            false
        });
    }
}

/// A panic elsewhere must not hide what was measured.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a taker is among those who race for an order. Everybody comes to the same draw from the
/// order's id alone, so the takers need not talk to each other.
pub(crate) fn is_drawn(taker: u64, order: u64, takers: u64, racers: u64) -> bool {
    if racers >= takers {
        return true;
    }
    // Floyd's sampling: exactly `racers` distinct takers, whatever the generator gives.
    let mut state = order;
    let mut drawn: Vec<u64> = Vec::with_capacity(racers as usize);
    for top in takers - racers..takers {
        let pick = splitmix(&mut state) % (top + 1);
        drawn.push(if drawn.contains(&pick) { top } else { pick });
    }
    drawn.contains(&taker)
}

/// SplitMix64 (Steele, Lea, Flood 2014): a few instructions, and good enough to spread load.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Outcome {
        judge(7, 12, Ok(Answer { status, body: body.as_bytes() }))
    }

    #[test]
    fn exactly_as_many_takers_are_drawn_as_asked_for() {
        for order in 0..500 {
            let drawn = (0..50).filter(|&taker| is_drawn(taker, order, 50, 8)).count();
            assert_eq!(drawn, 8, "order {order}");
        }
        assert!((0..3).all(|taker| is_drawn(taker, 1, 3, 8)));
    }

    #[test]
    fn the_draw_spreads_the_load_over_all_takers() {
        let of = |taker| (0..5_000).filter(|&order| is_drawn(taker, order, 50, 8)).count();
        // 5,000 · 8 / 50 = 800 each
        assert!((0..50).all(|taker| (650..950).contains(&of(taker))));
    }

    #[test]
    fn only_a_200_that_names_this_order_and_this_taker_is_a_win() {
        assert!(matches!(judged(200, r#"{"id":12,"executor_id":7}"#), Outcome::Won));
        assert!(matches!(judged(200, r#"{"id":12,"executor_id":8}"#), Outcome::Refused { .. }));
        assert!(matches!(judged(200, ""), Outcome::Refused { .. }));
    }

    #[test]
    fn a_refusal_counts_as_definitive_only_when_it_names_the_winner() {
        let named = r#"{"code":"taken","by":{"id":3,"name":"x"}}"#;
        assert!(matches!(judged(409, named), Outcome::Taken { by: 3 }));
        assert!(matches!(judged(409, r#"{"code":"taken"}"#), Outcome::Refused { .. }));
        assert!(matches!(judged(503, "{}"), Outcome::Refused { .. }));
    }

    #[test]
    fn news_is_counted_once_its_cause_is_known() {
        let news = News::new();
        let mut sightings = vec![Sighting { order: 5, removal: false, at: Instant::now() }];
        news.settle(&mut sightings);
        assert_eq!(sightings.len(), 1);
        news.was_created(5);
        news.settle(&mut sightings);
        assert!(sightings.is_empty());
        assert_eq!((locked(&news.created).count(), news.early.load(Ordering::Relaxed)), (1, 1));

        let elsewhere = news.elsewhere();
        elsewhere.settle(&mut vec![Sighting { order: 5, removal: false, at: Instant::now() }]);
        assert_eq!((locked(&news.created).count(), locked(&elsewhere.created).count()), (1, 1));
    }

    #[test]
    fn merged_problems_keep_the_count_and_a_few_words() {
        let mut all = Problems::default();
        for _ in 0..3 {
            let mut some = Problems::default();
            (0..4).for_each(|n| some.add(|| n.to_string()));
            all.merge(some);
        }
        assert_eq!((all.count, all.examples.len()), (12, 5));
    }
}
