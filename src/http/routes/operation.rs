//! For balancers and operators, the websocket, and the description of all this.

use super::entry::{Route, Who, get};
use crate::http::error::codes;
use crate::http::{health, openapi, ws};

/// Served on the operators' own address, too.
pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/healthz", Who::Anybody, health::alive, "The process answers").answers::<health::Alive>(),
        get("/readyz", Who::Anybody, health::ready, "This node should get traffic").answers::<health::Ready>(),
        get("/metrics", Who::Anybody, health::metrics, "The figures, as Prometheus reads them").writes(200, health::PROMETHEUS),
    ]
}

pub(super) fn live() -> Vec<Route> {
    vec![
        get("/ws", Who::Anybody, ws::upgrade, "The websocket: boards, and one's own news")
            .more(
                "Subprotocol `orderboard.v1`, JSON text frames. Signs in by the cookie (then `Origin` must be this host), by a bearer token, or by \
                 an `auth` message; guests may watch boards. The messages are in `docs/websocket.md`.",
            )
            .switches()
            .refuses(&[codes::FORBIDDEN, codes::UPGRADE_REQUIRED]),
        get("/api/openapi.json", Who::Anybody, openapi::show, "This description").answers::<openapi::Document>().or_unchanged(),
    ]
}
