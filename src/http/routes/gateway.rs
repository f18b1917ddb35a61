//! The payment gateway's way in, and the sandbox that stands in for it.

use super::entry::{Place, Route, Who, get, post};
use crate::flow::Topup;
use crate::http::error::codes::{self, Code};
use crate::http::robokassa::{self, Message};
use crate::http::{sandbox, topups};

const TEXT: &str = "text/plain; charset=utf-8";
/// What may be wrong with a form that a handler reads by itself.
const OF_A_FORM: [Code; 3] = [codes::BROKEN, codes::TOO_SLOW, codes::TOO_LARGE];

pub(super) fn entries() -> Vec<Route> {
    let mut all = robokassa();
    all.extend(sandbox());
    all
}

fn robokassa() -> Vec<Route> {
    let told = |route: Route| [400, 403, 404, 422].into_iter().fold(route.writes(200, TEXT), |route, status| route.writes(status, TEXT));
    let result = "ResultURL: the gateway's server tells of a payment";
    let (success, fail) = ("SuccessURL: a payer comes back after a payment", "FailURL: a payer comes back without having paid");
    let asked = |route: Route| route.asked::<Message>();
    let filled_in = |route: Route| route.filled_in::<Message>().refuses(&OF_A_FORM);
    vec![
        told(asked(get("/api/robokassa/result", Who::Anybody, robokassa::result, result))),
        told(filled_in(post("/api/robokassa/result", Who::Anybody, robokassa::result, result))),
        asked(get("/api/robokassa/success", Who::Anybody, robokassa::success, success)).sends_on(),
        filled_in(post("/api/robokassa/success", Who::Anybody, robokassa::success, success)).sends_on(),
        asked(get("/api/robokassa/fail", Who::Anybody, robokassa::fail, fail)).sends_on(),
        filled_in(post("/api/robokassa/fail", Who::Anybody, robokassa::fail, fail)).sends_on(),
    ]
}

fn sandbox() -> Vec<Route> {
    vec![
        get("/api/sandbox/robokassa", Who::Anybody, sandbox::show, "What a payment link asks for")
            .asked::<sandbox::LinkQuery>()
            .answers::<sandbox::Bill>()
            .refuses(&[codes::INVALID])
            .at(Place::Sandbox),
        post("/api/sandbox/robokassa/pay", Who::Anybody, sandbox::pay, "Pays by a payment link")
            .answers::<sandbox::SentOn>()
            .at(Place::Sandbox),
        post("/api/sandbox/robokassa/decline", Who::Anybody, sandbox::decline, "Does not pay")
            .answers::<sandbox::SentOn>()
            .at(Place::Sandbox),
        post("/api/sandbox/topups/{id}", Who::SignedIn, topups::sandbox, "Says how a payment ended, without a browser")
            .answers::<Topup>()
            .refuses(&[codes::STALE, codes::FORBIDDEN])
            .at(Place::Sandbox),
    ]
}
