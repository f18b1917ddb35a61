//! The HTTP door: routes, who is calling, what may come from where, and answers. A handler reads its request, calls one
//! use case or one read of the store, and says the result; the rules are not here.
//!
//! Every request runs in a task of its own that its client cannot cancel by going away (see `layers`), because a
//! database call that is dropped half-way ruins its connection.

mod accounts;
mod admin;
mod admin_limits;
mod admin_orders;
mod admin_payouts;
mod admin_users;
mod applications;
mod audit;
mod billing;
mod board;
mod caches;
mod caching;
mod caller;
mod categories;
mod channels;
mod credentials;
mod csv;
mod debug;
mod deliveries;
mod dev;
mod disputes;
mod error;
mod extract;
mod figures;
mod health;
mod layers;
mod limits;
mod lists;
mod notifications;
mod openapi;
mod orders;
mod origin;
mod page;
mod payouts;
mod people;
mod period;
mod proxies;
mod quote;
mod robokassa;
mod routes;
mod sandbox;
mod search;
mod server;
mod sessions;
mod source;
mod subscriptions;
mod topups;
mod ws;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;

use crate::domain::payout::PayoutRules;
use crate::flow::{Attempts, Flow};
use crate::live::{Catalog, Live};
use crate::store::Store;

pub use self::csv::Exports;
pub use self::debug::{Debug, listener};
pub use self::error::codes::{self, Code};
pub use self::figures::Figures;
pub use self::limits::Gate;
pub use self::openapi::{Description, describe};
pub use self::proxies::{Network, Proxies};
pub use self::routes::{Place, Route, Verb, Who, table};
pub use self::sandbox::Sandbox;
pub use self::server::{Bound, Port, Server, ServerConfig, Stage};

/// What is allowed where this server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// On somebody's own machine: the sandbox gateway works, and cookies travel over plain http.
    Development,
    Production,
}

/// Everything the handlers need, shared by reference: it is cloned several times a request.
pub type Api = Arc<Doors>;

/// What lies behind the handlers.
pub struct Doors {
    pub flow: Flow,
    pub store: Store,
    pub live: Live,
    /// The open orders, for those who search them.
    pub catalog: Catalog,
    /// Asks whether Redis answers; for those who ask whether this node is well.
    pub redis_is_up: Box<dyn Fn() -> bool + Send + Sync>,
    pub mode: Mode,
    pub payout_rules: PayoutRules,
    /// The gateway of one's own, where there is no other.
    pub sandbox: Option<Sandbox>,
    /// Origins besides the request's own host from which pages may act with a cookie.
    pub origins: Vec<String>,
    /// The figures as text; takes milliseconds.
    pub metrics: figures::Text,
    /// What this node remembers of its last hour.
    pub figures: Arc<Figures>,
    /// What requests asked of the databases.
    pub debug: Debug,
    /// How often each caller has asked.
    pub gate: Gate,
    /// The same of what is tried without being signed in, for all nodes.
    pub attempts: Attempts,
    pub proxies: Proxies,
    pub stopping: AtomicBool,
    /// Turns for writing files, see `csv`.
    pub exports: Exports,
    /// Of the API, for machines.
    pub description: Description,
}

/// What operators ask for, on an address of their own.
pub fn for_operators(api: Api) -> Router {
    routes::for_operators().with_state(api)
}

/// The table of routes, and the page for everything else.
pub fn router(api: Api) -> Router {
    let routes = routes::router(&api).fallback(page::page).method_not_allowed_fallback(error::method_not_allowed);
    layers::around(routes, api.clone()).with_state(api)
}
