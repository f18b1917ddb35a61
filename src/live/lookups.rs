//! Look-ups that wait together go as one statement. One at a time is in flight, and whoever comes meanwhile shares the next:
//! a lone look-up is sent at once, and the ten thousand that follow a broken network are a few dozen statements.

use std::collections::HashMap;
use std::hash::Hash;

use tokio::sync::{mpsc, oneshot};

use super::Result;
use crate::store::StoreError;

/// Look-ups that may wait; more are told to come back.
const WAITING_MAX: usize = 20_000;
/// Keys in one statement.
const TOGETHER_MAX: usize = 128;

/// Finds values by key in the database. Its task ends when the last clone is gone; a caller that goes away leaves the
/// statement alone.
pub(super) struct Lookups<K, V> {
    queue: mpsc::Sender<(K, oneshot::Sender<Result<Option<V>>>)>,
}

impl<K, V> Clone for Lookups<K, V> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<K: Eq + Hash + Clone + Send + 'static, V: Clone + Send + 'static> Lookups<K, V> {
    pub(super) fn start<Load>(load: impl Fn(Vec<K>) -> Load + Send + 'static) -> Self
    where
        Load: Future<Output = Result<HashMap<K, V>>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(waiting, load));
        Self { queue }
    }

    pub(super) async fn find(&self, key: K) -> Result<Option<V>> {
        let (told, answer) = oneshot::channel();
        if self.queue.try_send((key, told)).is_err() {
            metrics::counter!("orderboard_lookups_refused_total").increment(1);
            return Err(StoreError::Unreachable("too many are being let in at once".into()));
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unreachable("the node is stopping".into())))
    }
}

async fn run<K, V, Load>(mut waiting: mpsc::Receiver<(K, oneshot::Sender<Result<Option<V>>>)>, load: impl Fn(Vec<K>) -> Load)
where
    K: Eq + Hash + Clone,
    V: Clone,
    Load: Future<Output = Result<HashMap<K, V>>>,
{
    let mut asked = Vec::with_capacity(TOGETHER_MAX);
    while waiting.recv_many(&mut asked, TOGETHER_MAX).await > 0 {
        let found = load(asked.iter().map(|(key, _)| key.clone()).collect()).await;
        for (key, told) in asked.drain(..) {
            // Who asked may be gone.
            let _ = told.send(found.as_ref().map(|found| found.get(&key).cloned()).map_err(Clone::clone));
        }
    }
}
