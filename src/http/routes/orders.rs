//! Orders: the board, what an order costs, and everything that is done with one.

use super::entry::{Route, Who, get, patch, post};
use crate::domain::application::Application;
use crate::domain::event::Event;
use crate::domain::order::{FullOrder, Order};
use crate::flow::Accepted;
use crate::http::error::codes::{self, Code};
use crate::http::lists::Listed;
use crate::http::{applications, board, categories, disputes, layers, orders, quote};

/// Whoever is on the wrong side of an order is told so while they may see it.
const MOVED: [Code; 3] = [codes::FORBIDDEN, codes::STALE, codes::DISPUTED];
/// Why an order cannot be had.
const HAD: [Code; 6] = [codes::TAKEN, codes::FROZEN, codes::CANCELLED, codes::OWN_ORDER, codes::STALE, codes::CHANGED];
const REPRICED: [Code; 4] = [codes::FORBIDDEN, codes::STALE, codes::CHANGED, codes::INSUFFICIENT_FUNDS];

pub(super) fn entries() -> Vec<Route> {
    let mut all = market();
    all.extend(contract());
    all.extend(choosing());
    all
}

fn market() -> Vec<Route> {
    vec![
        get("/api/categories", Who::Anybody, categories::offered, "The categories that are offered")
            .answers::<Listed<categories::Offered<'_>>>(),
        get("/api/quote", Who::Anybody, quote::quote, "What an order would cost or pay").answers::<quote::Quote>(),
        get("/api/board", Who::Anybody, board::snapshot, "A board: its newest open orders")
            .more("The same object as the websocket's snapshot, gzip where `Accept-Encoding` prefers it, with a strong `ETag` for each coding.")
            .answers::<board::Snapshot>()
            .or_unchanged()
            .refuses(&[codes::NOT_FOUND]),
        get("/api/orders", Who::Anybody, orders::list, "Open orders, searched and sorted; or one's own orders or contracts")
            .more(
                "`list` is `open`, `mine` or `contracts`; the last two are for whoever is signed in, and take `status`. Words, filters and `sort` \
                 are for `open` alone.",
            )
            .answers::<Listed<Order>>(),
        post("/api/orders", Who::Customers, orders::create, "Creates an order; its price is held on the wallet")
            .more("Give `price` or `payout`; the other is computed by the commission in force, which the order keeps.")
            .creates::<FullOrder>()
            .refuses(&[codes::INSUFFICIENT_FUNDS]),
        get("/api/orders/{id}", Who::Anybody, orders::show, "One order: an open one for everybody, another for its parties")
            .answers::<FullOrder>(),
        patch("/api/orders/{id}", Who::Customers, orders::edit, "Edits one's open order").answers::<FullOrder>().refuses(&REPRICED),
        get("/api/orders/{id}/timeline", Who::SignedIn, orders::timeline, "What has happened to an order, for its parties")
            .answers::<Listed<Event>>(),
        post(layers::ACCEPT, Who::Executors, orders::accept, "Takes an open order: the first who does gets it")
            .more(
                "One conditional UPDATE decides a race. The winner who asks again hears the same. With `version`, an order that was edited since \
                 is refused as `changed`, and a version that it has never had as `invalid`.",
            )
            .answers::<Accepted>()
            .refuses(&HAD),
    ]
}

fn contract() -> Vec<Route> {
    let moves = |route: Route| route.answers::<FullOrder>().refuses(&MOVED);
    vec![
        moves(post("/api/orders/{id}/cancel", Who::Customers, orders::cancel, "Cancels one's order; its price is free again")),
        moves(post("/api/orders/{id}/freeze", Who::Customers, orders::freeze, "Takes one's open order off the board")),
        moves(post("/api/orders/{id}/unfreeze", Who::Customers, orders::unfreeze, "Puts one's frozen order back on the board")),
        moves(post("/api/orders/{id}/submit", Who::Executors, orders::submit, "Hands in the work")),
        moves(post("/api/orders/{id}/confirm", Who::Customers, orders::confirm, "Confirms the work; the executor is paid")),
        moves(post("/api/orders/{id}/reject", Who::Customers, orders::reject, "Sends the work back, and says why")),
        moves(post("/api/orders/{id}/abandon", Who::Executors, orders::abandon, "Gives a contract up; the order is open again")),
        moves(post("/api/orders/{id}/dispute", Who::Parties, disputes::dispute, "Asks an admin for a verdict on one's contract")),
    ]
}

fn choosing() -> Vec<Route> {
    vec![
        post("/api/orders/{id}/apply", Who::Executors, applications::apply, "Applies for an order whose customer chooses")
            .answers::<Application>()
            .refuses(&HAD)
            .refuses(&[codes::FIRST_TAKER]),
        post("/api/orders/{id}/withdraw", Who::Executors, applications::withdraw, "Takes one's application back")
            .answers::<Application>()
            .refuses(&[codes::STALE]),
        get("/api/orders/{id}/applications", Who::SignedIn, applications::of_order, "An order's applications; an executor sees their own")
            .answers::<applications::OfOrder>()
            .refuses(&[codes::FORBIDDEN]),
        post("/api/orders/{id}/choose", Who::Customers, applications::choose, "Chooses an applicant, who has the contract then")
            .answers::<FullOrder>()
            .refuses(&REPRICED),
        get("/api/applications", Who::Executors, applications::own, "One's own applications").answers::<Listed<applications::Own>>(),
    ]
}
