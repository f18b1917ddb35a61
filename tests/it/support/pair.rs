//! Two nodes that are meant to show the same, and watchers on both.

use std::time::Duration;

use tokio::time::Instant;

use super::{State, TestApp, User, Watcher};

const BOARDS: [&str; 3] = ["all", "category:it", "category:repair"];

pub(crate) struct Pair {
    pub(crate) nodes: [TestApp; 2],
    watchers: Vec<Watcher>,
    /// A customer whose wallet is watched, too.
    pub(crate) prober: User,
}

impl Pair {
    /// With a second node beside this one.
    pub(crate) async fn with(first: TestApp) -> Self {
        let nodes = [first.beside().await, first];
        let prober = nodes[0].customer(1_000_000_000).await;
        let mut watchers = Vec::new();
        for node in &nodes {
            let mut watcher = node.watcher(Some(&prober.token)).await;
            for board in BOARDS {
                watcher.watch(board).await;
            }
            watchers.push(watcher);
        }
        Self { nodes, watchers, prober }
    }

    /// Posts an order on one node and waits for it on the other's socket, board and private channel.
    pub(crate) async fn probe(&mut self, limit: Duration) -> Duration {
        let order = self.nodes[0].order(&self.prober, 1_000).await;
        let answered = Instant::now();
        let board_and_own = |state: &State| state.board("all").has(order) && state.status(order) == Some("open");
        self.watchers[1].until_within("a change while something is broken", limit, board_and_own).await;
        answered.elapsed()
    }

    /// Probes for a while, each answered within `limit`.
    pub(crate) async fn probe_for(&mut self, time: Duration, limit: Duration) {
        let (started, mut longest, mut count) = (Instant::now(), Duration::ZERO, 0);
        while started.elapsed() < time {
            longest = longest.max(self.probe(limit).await);
            count += 1;
        }
        println!("{count} probes from node to node in {time:?}, the slowest {longest:?}");
    }

    /// Nothing changes any more: every watcher shows what the tables have by `deadline`, and a checksum proves it
    /// afterwards. How long before the deadline all were right.
    pub(crate) async fn until_right(&mut self, deadline: Instant) -> Duration {
        let sql = &self.nodes[0].sql;
        let (available, held): (i64, i64) = sqlx::query_as("select available, held from accounts where user_id = ? and kind = 'wallet'")
            .bind(self.prober.id)
            .fetch_one(sql)
            .await
            .unwrap();
        for watcher in &mut self.watchers {
            for board in BOARDS {
                watcher.until_true(sql, board, deadline).await;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            watcher.until_within("the balance", left, |state| state.balance("wallet") == Some((available, held))).await;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        for watcher in &mut self.watchers {
            watcher.until_proven("all").await;
        }
        left
    }
}
