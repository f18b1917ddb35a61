//! When something dies next, and what: every few seconds, by dice that a failing run can throw again.

use std::time::{Duration, Instant};

use super::dice::Dice;

/// Kinds of `T` are drawn without putting back, so that a short run has some of each.
pub(crate) struct Strikes<T: 'static> {
    kinds: &'static [T],
    bag: Vec<T>,
    every_ms: (u64, u64),
    next: Instant,
    /// For whatever else is left to chance.
    pub(crate) dice: Dice,
}

impl<T: Copy> Strikes<T> {
    /// The first one is due after a pause, too.
    pub(crate) fn new(seed: u64, kinds: &'static [T], every_ms: (u64, u64)) -> Self {
        let mut strikes = Self { kinds, bag: Vec::new(), every_ms, next: Instant::now(), dice: Dice::new(seed) };
        strikes.pause();
        strikes
    }

    /// What is to die now, if it is time.
    pub(crate) fn due(&mut self) -> Option<T> {
        if Instant::now() < self.next {
            return None;
        }
        if self.bag.is_empty() {
            self.bag.extend(self.kinds);
            self.dice.shuffle(&mut self.bag);
        }
        self.bag.pop()
    }

    /// What died is back: the time to the next strike runs from here.
    pub(crate) fn pause(&mut self) {
        self.next = self.dice.soon(self.every_ms);
    }
}

impl Dice {
    /// A moment within so many milliseconds.
    pub(crate) fn soon(&mut self, (least, most): (u64, u64)) -> Instant {
        Instant::now() + Duration::from_millis(self.between(least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_drawn_once_before_any_is_drawn_again() {
        let mut strikes = Strikes::new(7, &[1, 2, 3], (0, 0));
        for _ in 0..5 {
            let mut drawn: Vec<i32> = (0..3).filter_map(|_| strikes.due()).collect();
            drawn.sort_unstable();
            assert_eq!(drawn, [1, 2, 3]);
        }
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut strikes = Strikes::new(7, &[1], (60_000, 60_000));
        assert_eq!(strikes.due(), None);
    }
}
