//! Money: one's accounts, top-ups, payouts, and billing operations.

use super::entry::{Route, Who, get, post};
use crate::http::{accounts, billing, payouts, topups};

pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/api/accounts", Who::SignedIn, accounts::list, "One's accounts and their balances"),
        get("/api/accounts/{kind}/entries", Who::SignedIn, accounts::entries, "The history of one's account, newest first"),
        get("/api/accounts/{kind}/entries.csv", Who::SignedIn, accounts::entries_csv, "The same as a file"),
        get("/api/accounts/{kind}/balance", Who::SignedIn, accounts::balance, "The balance now, or at a moment"),
        post("/api/accounts/earnings/sweep", Who::SignedIn, payouts::sweep, "Moves what is free among the earnings into the wallet"),
        get("/api/payouts", Who::SignedIn, payouts::list, "One's payouts"),
        post("/api/payouts", Who::SignedIn, payouts::create, "Asks for a payout; its amount is held"),
        get("/api/payouts/rules", Who::Anybody, payouts::rules, "What a payout has to keep to"),
        get("/api/payouts/{id}", Who::SignedIn, payouts::show, "One of one's payouts"),
        post("/api/payouts/{id}/cancel", Who::SignedIn, payouts::cancel, "Takes back a payout that is not decided yet"),
        get("/api/topups", Who::SignedIn, topups::list, "One's top-ups"),
        post("/api/topups", Who::SignedIn, topups::create, "Begins a top-up, and tells where to pay"),
        get("/api/topups/{id}", Who::SignedIn, topups::show, "One of one's top-ups"),
        post("/api/billing/operations", Who::Services, billing::command, "Commands an operation; a user may transfer what is theirs"),
        get("/api/billing/operations/{id}", Who::Services, billing::show, "What became of an operation"),
    ]
}
