//! What was done to the nodes, and when: the only things that a divergence may be explained by.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::races::locked;

/// In the order in which they are held responsible: what lasts longest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(super) enum Cause {
    RedisAway,
    NodeAway,
    Cut,
    Lost,
}

impl Cause {
    /// How long after its end it may still be the reason for something.
    fn aftermath(self) -> Duration {
        match self {
            Cause::RedisAway => Duration::from_secs(2),
            Cause::NodeAway => Duration::from_secs(1),
            Cause::Cut | Cause::Lost => Duration::from_millis(500),
        }
    }
}

struct Incident {
    cause: Cause,
    /// Nothing for what concerns all nodes.
    node: Option<usize>,
    from: Instant,
    until: Option<Instant>,
}

#[derive(Default)]
pub(super) struct Incidents {
    all: Mutex<Vec<Incident>>,
}

impl Incidents {
    pub(super) fn happened(&self, cause: Cause, node: usize) {
        let now = Instant::now();
        locked(&self.all).push(Incident { cause, node: Some(node), from: now, until: Some(now) });
    }

    /// It lasts until `end` is called with what is returned.
    pub(super) fn begin(&self, cause: Cause, node: Option<usize>) -> usize {
        let mut all = locked(&self.all);
        all.push(Incident { cause, node, from: Instant::now(), until: None });
        all.len() - 1
    }

    pub(super) fn end(&self, number: usize) {
        if let Some(incident) = locked(&self.all).get_mut(number) {
            incident.until = Some(Instant::now());
        }
    }

    /// What may have made a board of this node wrong from `since` until `until`.
    pub(super) fn explain(&self, node: usize, since: Instant, until: Instant) -> Option<Cause> {
        let all = locked(&self.all);
        let fits = |incident: &&Incident| {
            let ended = incident.until.map(|until| until + incident.cause.aftermath());
            incident.node.is_none_or(|of| of == node) && incident.from <= until && ended.is_none_or(|ended| ended >= since)
        };
        all.iter().filter(fits).map(|incident| incident.cause).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_longest_explains_and_only_what_is_near() {
        let incidents = Incidents::default();
        let begun = Instant::now();
        let after = |ms| begun + Duration::from_millis(ms);
        assert_eq!(incidents.explain(0, begun, after(100)), None);
        incidents.happened(Cause::Lost, 0);
        let redis = incidents.begin(Cause::RedisAway, None);
        assert_eq!(incidents.explain(0, after(90_000), after(90_100)), Some(Cause::RedisAway), "it has not ended");
        incidents.end(redis);
        assert_eq!(incidents.explain(1, begun, after(100)), Some(Cause::RedisAway));
        assert_eq!(incidents.explain(0, after(90_000), after(90_100)), None);
        assert_eq!(incidents.explain(1, begun, begun), None, "it had not begun");
    }
}
