//! Orders: the board, what an order costs, and everything that is done with one.

use super::entry::{Route, Who, get, patch, post};
use crate::http::{applications, board, categories, disputes, layers, orders, quote};

pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/api/categories", Who::Anybody, categories::offered, "The categories that are offered"),
        get("/api/quote", Who::Anybody, quote::quote, "What an order would cost or pay"),
        get("/api/board", Who::Anybody, board::snapshot, "A board: its newest open orders"),
        get("/api/orders", Who::Anybody, orders::list, "Open orders, searched and sorted; or one's own orders or contracts"),
        post("/api/orders", Who::Customers, orders::create, "Creates an order; its price is held on the wallet"),
        get("/api/orders/{id}", Who::Anybody, orders::show, "One order: an open one for everybody, another for its parties"),
        patch("/api/orders/{id}", Who::Customers, orders::edit, "Edits one's open order"),
        get("/api/orders/{id}/timeline", Who::SignedIn, orders::timeline, "What has happened to an order, for its parties"),
        post(layers::ACCEPT, Who::Executors, orders::accept, "Takes an open order: the first who does gets it"),
        post("/api/orders/{id}/cancel", Who::Customers, orders::cancel, "Cancels one's order; its price is free again"),
        post("/api/orders/{id}/freeze", Who::Customers, orders::freeze, "Takes one's open order off the board"),
        post("/api/orders/{id}/unfreeze", Who::Customers, orders::unfreeze, "Puts one's frozen order back on the board"),
        post("/api/orders/{id}/submit", Who::Executors, orders::submit, "Hands in the work"),
        post("/api/orders/{id}/confirm", Who::Customers, orders::confirm, "Confirms the work; the executor is paid"),
        post("/api/orders/{id}/reject", Who::Customers, orders::reject, "Sends the work back, and says why"),
        post("/api/orders/{id}/abandon", Who::Executors, orders::abandon, "Gives a contract up; the order is open again"),
        post("/api/orders/{id}/apply", Who::Executors, applications::apply, "Applies for an order whose customer chooses"),
        post("/api/orders/{id}/withdraw", Who::Executors, applications::withdraw, "Takes one's application back"),
        get("/api/orders/{id}/applications", Who::SignedIn, applications::of_order, "An order's applications; an executor sees their own"),
        post("/api/orders/{id}/choose", Who::Customers, applications::choose, "Chooses an applicant, who has the contract then"),
        get("/api/applications", Who::Executors, applications::own, "One's own applications"),
        post("/api/orders/{id}/dispute", Who::Parties, disputes::dispute, "Asks an admin for a verdict on one's contract"),
    ]
}
