//! The payment gateway's way in, and the sandbox that stands in for it.

use super::entry::{Place, Route, Who, get, post};
use crate::http::{robokassa, sandbox, topups};

pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/api/robokassa/result", Who::Anybody, robokassa::result, "ResultURL: the gateway's server tells of a payment"),
        post("/api/robokassa/result", Who::Anybody, robokassa::result, "ResultURL: the gateway's server tells of a payment"),
        get("/api/robokassa/success", Who::Anybody, robokassa::success, "SuccessURL: a payer comes back after a payment"),
        post("/api/robokassa/success", Who::Anybody, robokassa::success, "SuccessURL: a payer comes back after a payment"),
        get("/api/robokassa/fail", Who::Anybody, robokassa::fail, "FailURL: a payer comes back without having paid"),
        post("/api/robokassa/fail", Who::Anybody, robokassa::fail, "FailURL: a payer comes back without having paid"),
        get("/api/sandbox/robokassa", Who::Anybody, sandbox::show, "What a payment link asks for").at(Place::Sandbox),
        post("/api/sandbox/robokassa/pay", Who::Anybody, sandbox::pay, "Pays by a payment link").at(Place::Sandbox),
        post("/api/sandbox/robokassa/decline", Who::Anybody, sandbox::decline, "Does not pay").at(Place::Sandbox),
        post("/api/sandbox/topups/{id}", Who::SignedIn, topups::sandbox, "Says how a payment ended, without a browser").at(Place::Sandbox),
    ]
}
