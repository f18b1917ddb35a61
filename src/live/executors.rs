//! Who had an order lately: its row does not name them any more when they have given it up, and they have to hear of it.

use std::collections::{HashMap, VecDeque};

/// Orders remembered; the oldest are forgotten first.
const ORDERS_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Executors {
    by_order: HashMap<u64, u64>,
    /// In the order they came in. An order that came twice, or was forgotten early, leaves its number behind.
    oldest: VecDeque<u64>,
}

impl Executors {
    pub(super) fn remember(&mut self, order_id: u64, executor_id: u64) {
        if self.by_order.insert(order_id, executor_id).is_some() {
            return;
        }
        self.oldest.push_back(order_id);
        while self.oldest.len() > ORDERS_MAX {
            if let Some(oldest) = self.oldest.pop_front() {
                self.by_order.remove(&oldest);
            }
        }
    }

    pub(super) fn forget(&mut self, order_id: u64) -> Option<u64> {
        self.by_order.remove(&order_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered_and_the_memory_is_bounded() {
        let mut executors = Executors::default();
        for order in 0..100_000 {
            executors.remember(order, order + 1);
            executors.remember(order, order + 2);
            assert!(order % 7 > 0 || executors.forget(order) == Some(order + 2));
        }
        assert_eq!(executors.forget(99_999), Some(100_001));
        assert_eq!(executors.forget(99_999), None);
        assert_eq!(executors.forget(80_000), None);
        assert!(executors.by_order.len() <= ORDERS_MAX && executors.oldest.len() <= ORDERS_MAX);
    }
}
