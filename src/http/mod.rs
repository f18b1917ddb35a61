//! The HTTP door: routes, who is calling, what may come from where, and answers. A handler reads its request, calls one
//! use case or one read of the store, and says the result; the rules are not here.
//!
//! Every request runs in a task of its own that its client cannot cancel by going away (see `layers`), because a
//! database call that is dropped half-way ruins its connection.

mod accounts;
mod admin;
mod admin_payouts;
mod audit;
mod billing;
mod board;
mod caching;
mod caller;
mod categories;
mod credentials;
mod csv;
mod error;
mod extract;
mod health;
mod layers;
mod lists;
mod orders;
mod origin;
mod page;
mod payouts;
mod period;
mod quote;
mod robokassa;
mod sandbox;
mod server;
mod sessions;
mod topups;
mod ws;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::routing::{delete, get, patch, post};

use crate::domain::payout::PayoutRules;
use crate::flow::Flow;
use crate::live::Live;
use crate::store::Store;

pub use self::csv::Exports;
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
    /// Asks whether Redis answers; for those who ask whether this node is well.
    pub redis_is_up: Box<dyn Fn() -> bool + Send + Sync>,
    pub mode: Mode,
    pub payout_rules: PayoutRules,
    /// The gateway of one's own, where there is no other.
    pub sandbox: Option<Sandbox>,
    /// Origins besides the request's own host from which pages may act with a cookie.
    pub origins: Vec<String>,
    /// The figures as text; takes milliseconds.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    pub stopping: AtomicBool,
    /// Turns for writing files, see `csv`.
    pub exports: Exports,
}

/// What operators ask for, on an address of their own.
pub fn figures(api: Api) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(async || error::Problem::no_route())
        .with_state(api)
}

/// All routes, in the order in which a reader of the API meets them.
pub fn router(api: Api) -> Router {
    let routes = Router::new()
        .route("/api/register", post(sessions::register))
        .route("/api/login", post(sessions::login))
        .route("/api/logout", post(sessions::logout))
        .route("/api/me", get(sessions::me).patch(sessions::change_settings))
        .route("/api/me/password", post(credentials::change_password))
        .route("/api/me/email", post(credentials::change_email))
        .route("/api/password/forgot", post(credentials::forgot))
        .route("/api/password/reset", post(credentials::reset))
        .route("/api/session", get(sessions::whose))
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/{id}", delete(sessions::end))
        .route("/api/categories", get(categories::offered))
        .route("/api/quote", get(quote::quote))
        .route("/api/board", get(board::snapshot))
        .route("/api/orders", get(orders::list).post(orders::create))
        .route("/api/orders/{id}", get(orders::show).patch(orders::edit))
        .route("/api/orders/{id}/timeline", get(orders::timeline))
        .route(layers::ACCEPT, post(orders::accept))
        .route("/api/orders/{id}/cancel", post(orders::cancel))
        .route("/api/orders/{id}/freeze", post(orders::freeze))
        .route("/api/orders/{id}/unfreeze", post(orders::unfreeze))
        .route("/api/orders/{id}/submit", post(orders::submit))
        .route("/api/orders/{id}/confirm", post(orders::confirm))
        .route("/api/orders/{id}/reject", post(orders::reject))
        .route("/api/orders/{id}/abandon", post(orders::abandon))
        .route("/api/accounts", get(accounts::list))
        .route("/api/accounts/{kind}/entries", get(accounts::entries))
        .route("/api/accounts/{kind}/entries.csv", get(accounts::entries_csv))
        .route("/api/accounts/{kind}/balance", get(accounts::balance))
        .route("/api/accounts/earnings/sweep", post(payouts::sweep))
        .route("/api/payouts", get(payouts::list).post(payouts::create))
        .route("/api/payouts/rules", get(payouts::rules))
        .route("/api/payouts/{id}", get(payouts::show))
        .route("/api/payouts/{id}/cancel", post(payouts::cancel))
        .route("/api/topups", get(topups::list).post(topups::create))
        .route("/api/topups/{id}", get(topups::show))
        .route("/api/robokassa/result", get(robokassa::result).post(robokassa::result))
        .route("/api/robokassa/success", get(robokassa::success).post(robokassa::success))
        .route("/api/robokassa/fail", get(robokassa::fail).post(robokassa::fail))
        .route("/api/billing/operations", post(billing::command))
        .route("/api/billing/operations/{id}", get(billing::show))
        .route("/api/admin/commission", get(admin::commission).put(admin::switch_commission))
        .route("/api/admin/categories", get(categories::list).post(categories::create))
        .route("/api/admin/categories/{slug}", patch(categories::change))
        .route("/api/admin/audit", get(audit::audit))
        .route("/api/admin/audit/repair", post(audit::repair))
        .route("/api/admin/payouts", get(admin_payouts::list))
        .route("/api/admin/payouts.csv", get(admin_payouts::file))
        .route("/api/admin/payouts/{id}", get(admin_payouts::show))
        .route("/api/admin/payouts/{id}/approve", post(admin_payouts::approve))
        .route("/api/admin/payouts/{id}/reject", post(admin_payouts::reject))
        .route("/ws", get(ws::upgrade))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    // What production refuses does not exist there.
    let routes = match api.sandbox {
        Some(_) => routes
            .route("/api/sandbox/robokassa", get(sandbox::show))
            .route("/api/sandbox/robokassa/pay", post(sandbox::pay))
            .route("/api/sandbox/robokassa/decline", post(sandbox::decline))
            .route("/api/sandbox/topups/{id}", post(topups::sandbox)),
        None => routes,
    };
    let routes = routes.fallback(page::page).method_not_allowed_fallback(error::method_not_allowed);
    layers::around(routes, api.clone()).with_state(api)
}
