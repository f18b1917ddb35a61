//! What admins see, decide and switch.

use super::entry::{Route, Who, get, patch, post, put};
use crate::http::{
    admin, admin_limits, admin_orders, admin_payouts, admin_users, audit, caches, categories, debug, deliveries, disputes, figures,
};

pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/api/admin/commission", Who::Admins, admin::commission, "The commission in force"),
        put("/api/admin/commission", Who::Admins, admin::switch_commission, "Sets the commission of orders to come"),
        get("/api/admin/categories", Who::Admins, categories::list, "All categories, hidden ones too"),
        post("/api/admin/categories", Who::Admins, categories::create, "Makes a category"),
        patch("/api/admin/categories/{slug}", Who::Admins, categories::change, "Renames, moves, hides or shows a category"),
        get("/api/admin/orders", Who::Admins, admin_orders::list, "All orders, filtered"),
        post("/api/admin/orders/{id}/arbitrate", Who::Admins, disputes::arbitrate, "Decides a dispute"),
        get("/api/admin/users", Who::Admins, admin_users::list, "People, looked for by number, name or address"),
        get("/api/admin/users/{id}", Who::Admins, admin_users::show, "A person, with accounts and statistics"),
        post("/api/admin/users/{id}/close", Who::Admins, admin_users::close, "Closes a person's account; all sessions end"),
        post("/api/admin/users/{id}/reopen", Who::Admins, admin_users::reopen, "Opens it again"),
        get("/api/admin/payouts", Who::Admins, admin_payouts::list, "Everybody's payouts, and what they were earned with"),
        get("/api/admin/payouts.csv", Who::Admins, admin_payouts::file, "Payouts as a file"),
        get("/api/admin/payouts/{id}", Who::Admins, admin_payouts::show, "A payout, with the sources of its money"),
        post("/api/admin/payouts/{id}/approve", Who::Admins, admin_payouts::approve, "Approves a payout: the money has been paid"),
        post("/api/admin/payouts/{id}/reject", Who::Admins, admin_payouts::reject, "Rejects a payout; its amount is free again"),
        get("/api/admin/deliveries", Who::Admins, deliveries::list, "Letters and messages: given up, waiting or sent"),
        post("/api/admin/deliveries/{id}/retry", Who::Admins, deliveries::retry, "Tries a letter or message again that was given up"),
        get("/api/admin/audit", Who::Admins, audit::audit, "Checks the invariants of orders and money"),
        post("/api/admin/audit/repair", Who::Admins, audit::repair, "Mends what an audit found and is safe to mend"),
        get("/api/admin/limits", Who::Admins, admin_limits::show, "How often one may ask, and who asked too often in the last hour"),
        put("/api/admin/limits", Who::Admins, admin_limits::set, "Sets the limits of all nodes; what is not named is as they were started"),
        get("/api/admin/caches", Who::Admins, caches::show, "What this node remembers of the database"),
        post("/api/admin/caches/clear", Who::Admins, caches::clear, "Has all nodes forget what they remember"),
        get("/api/admin/debug", Who::Admins, debug::show, "The debug mode, and the requests this node has watched"),
        put("/api/admin/debug", Who::Admins, debug::switch, "Switches the debug mode of all nodes for some minutes"),
        get("/api/admin/debug/requests/{id}", Who::Admins, debug::request, "What a watched request asked of MySQL and Redis"),
        get("/api/admin/figures", Who::Admins, figures::show, "What this node has been doing in its last hour"),
    ]
}
