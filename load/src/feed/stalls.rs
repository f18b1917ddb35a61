//! Time that the machine takes from everybody: a thread that sleeps for a few milliseconds and wakes later than it asked to.
//! What the servers cannot be blamed for is added to what they are allowed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::races::locked;

const NAP: Duration = Duration::from_millis(5);
/// Less is what any busy machine takes now and then.
const NOTICED: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(super) struct Stalls {
    /// When each ended, and how long it took.
    all: Mutex<Vec<(Instant, Duration)>>,
    is_over: AtomicBool,
}

impl Stalls {
    /// Measures until `end` is called.
    pub(super) fn begin() -> Result<Arc<Self>, Error> {
        let stalls = Arc::<Self>::default();
        let own = stalls.clone();
        std::thread::Builder::new().name("stalls".into()).spawn(move || {
            while !own.is_over.load(Ordering::Relaxed) {
                let slept = Instant::now();
                std::thread::sleep(NAP);
                own.note(Instant::now(), slept.elapsed().saturating_sub(NAP));
            }
        })?;
        Ok(stalls)
    }

    fn note(&self, at: Instant, took: Duration) {
        if took > NOTICED {
            locked(&self.all).push((at, took));
        }
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// How much of the time between the two was taken.
    pub(super) fn between(&self, since: Instant, until: Instant) -> Duration {
        let all = locked(&self.all);
        let first = all.partition_point(|(at, _)| *at < since);
        let taken = all[first..].iter().map_while(|(at, took)| {
            let begun = *at - *took;
            (begun < until).then(|| until.min(*at).saturating_duration_since(since.max(begun)))
        });
        taken.sum()
    }

    pub(super) fn total(&self) -> Duration {
        locked(&self.all).iter().map(|(_, took)| *took).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_is_counted() {
        let (stalls, begun) = (Stalls::default(), Instant::now());
        let after = |ms| begun + Duration::from_millis(ms);
        stalls.note(after(100), Duration::from_millis(50));
        stalls.note(after(101), Duration::from_millis(1));
        stalls.note(after(300), Duration::from_millis(100));
        let between = |since, until| stalls.between(after(since), after(until)).as_millis();
        assert_eq!(between(0, 1_000), 150);
        assert_eq!(between(70, 250), 80);
        assert_eq!(between(400, 500), 0);
        assert_eq!(stalls.total(), Duration::from_millis(150));
    }
}
