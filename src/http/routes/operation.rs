//! For balancers and operators, and the websocket.

use super::entry::{Route, Who, get};
use crate::http::{health, ws};

/// Served on the operators' own address, too.
pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/healthz", Who::Anybody, health::alive, "The process answers"),
        get("/readyz", Who::Anybody, health::ready, "This node should get traffic"),
        get("/metrics", Who::Anybody, health::metrics, "The figures, as Prometheus reads them"),
    ]
}

pub(super) fn live() -> Vec<Route> {
    vec![get("/ws", Who::Anybody, ws::upgrade, "The websocket: boards, and one's own news")]
}
