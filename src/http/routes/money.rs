//! Money: one's accounts, top-ups, payouts, and billing operations.

use super::entry::{Route, Who, get, post};
use crate::domain::ledger::{Account, AccountKind};
use crate::domain::payout::PayoutRules;
use crate::flow::{OwnPayout, Swept, Topup};
use crate::http::csv::MEDIA_TYPE;
use crate::http::error::codes::{self, Code};
use crate::http::lists::Listed;
use crate::http::{accounts, billing, payouts, topups};

const OPERATION: [Code; 12] = [
    codes::UNKNOWN_USER,
    codes::UNKNOWN_HOLD,
    codes::UNKNOWN_TYPE,
    codes::SELF_TRANSFER,
    codes::INSUFFICIENT_FUNDS,
    codes::USER_CLOSED,
    codes::HOLD_EXPIRED,
    codes::HOLD_RESOLVED,
    codes::CURRENCY_MISMATCH,
    codes::AMOUNT_MISMATCH,
    codes::BALANCE_LIMIT,
    codes::MISMATCH,
];

pub(super) fn entries() -> Vec<Route> {
    let mut all = own();
    all.extend(operations());
    all
}

fn own() -> Vec<Route> {
    vec![
        get("/api/accounts", Who::SignedIn, accounts::list, "One's accounts and their balances").answers::<Listed<Account>>(),
        get("/api/accounts/{kind}/entries", Who::SignedIn, accounts::entries, "The history of one's account, newest first")
            .named::<AccountKind>()
            .answers::<Listed<accounts::Entry>>(),
        get("/api/accounts/{kind}/entries.csv", Who::SignedIn, accounts::entries_csv, "The same as a file")
            .named::<AccountKind>()
            .writes(200, MEDIA_TYPE),
        get("/api/accounts/{kind}/balance", Who::SignedIn, accounts::balance, "The balance now, or at a moment")
            .named::<AccountKind>()
            .answers::<accounts::BalanceThen>(),
        post("/api/accounts/earnings/sweep", Who::SignedIn, payouts::sweep, "Moves what is free among the earnings into the wallet")
            .answers::<Swept>()
            .refuses(&[codes::NOTHING_TO_SWEEP, codes::USER_CLOSED]),
        get("/api/payouts", Who::SignedIn, payouts::list, "One's payouts").answers::<Listed<OwnPayout>>(),
        post("/api/payouts", Who::SignedIn, payouts::create, "Asks for a payout; its amount is held")
            .creates::<OwnPayout>()
            .refuses(&[codes::INSUFFICIENT_FUNDS, codes::USER_CLOSED]),
        get("/api/payouts/rules", Who::Anybody, payouts::rules, "What a payout has to keep to").answers::<PayoutRules>(),
        get("/api/payouts/{id}", Who::SignedIn, payouts::show, "One of one's payouts").answers::<OwnPayout>(),
        post("/api/payouts/{id}/cancel", Who::SignedIn, payouts::cancel, "Takes back a payout that is not decided yet")
            .answers::<OwnPayout>()
            .refuses(&[codes::STALE]),
        get("/api/topups", Who::SignedIn, topups::list, "One's top-ups").answers::<Listed<Topup>>(),
        post("/api/topups", Who::SignedIn, topups::create, "Begins a top-up, and tells where to pay")
            .creates::<Topup>()
            .refuses(&[codes::FORBIDDEN]),
        get("/api/topups/{id}", Who::SignedIn, topups::show, "One of one's top-ups").answers::<Topup>(),
    ]
}

fn operations() -> Vec<Route> {
    vec![
        post("/api/billing/operations", Who::Services, billing::command, "Commands an operation; a user may transfer what is theirs")
            .more(
                "With `wait` (a number of seconds, or `true`) the outcome is the answer. Without it a service gets 202, and the outcome comes by \
                 the queue and at the operation's address. The same `operation_id` with the same body is carried out once.",
            )
            .answers::<billing::Outcome>()
            .begins::<billing::Pending<'_>>()
            .refuses(&OPERATION)
            .refuses(&[codes::FORBIDDEN, codes::SET_ASIDE]),
        get("/api/billing/operations/{id}", Who::Services, billing::show, "What became of an operation").answers::<billing::Outcome>(),
    ]
}
