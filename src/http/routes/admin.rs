//! What admins see, decide and switch.

use super::entry::{Route, Who, get, patch, post, put};
use crate::domain::category::Category;
use crate::domain::commission::Policy;
use crate::domain::order::{FullOrder, Order};
use crate::domain::schema::Slug;
use crate::flow::Progress;
use crate::http::csv::MEDIA_TYPE;
use crate::http::error::codes;
use crate::http::lists::Listed;
use crate::http::{
    admin, admin_limits, admin_orders, admin_payouts, admin_users, audit, caches, categories, debug, deliveries, disputes, figures,
};

pub(super) fn entries() -> Vec<Route> {
    let mut all = market();
    all.extend(people());
    all.extend(house());
    all
}

fn market() -> Vec<Route> {
    vec![
        get("/api/admin/commission", Who::Admins, admin::commission, "The commission in force").answers::<Policy>(),
        put("/api/admin/commission", Who::Admins, admin::switch_commission, "Sets the commission of orders to come").answers::<Policy>(),
        get("/api/admin/categories", Who::Admins, categories::list, "All categories, hidden ones too").answers::<Listed<Category>>(),
        post("/api/admin/categories", Who::Admins, categories::create, "Makes a category").creates::<Category>().refuses(&[codes::EXISTS]),
        patch("/api/admin/categories/{slug}", Who::Admins, categories::change, "Renames, moves, hides or shows a category")
            .named::<Slug>()
            .answers::<Category>(),
        get("/api/admin/orders", Who::Admins, admin_orders::list, "All orders, filtered").answers::<Listed<Order>>(),
        post("/api/admin/orders/{id}/arbitrate", Who::Admins, disputes::arbitrate, "Decides a dispute")
            .answers::<FullOrder>()
            .refuses(&[codes::NOT_DISPUTED, codes::STALE]),
    ]
}

fn people() -> Vec<Route> {
    vec![
        get("/api/admin/users", Who::Admins, admin_users::list, "People, looked for by number, name or address")
            .answers::<Listed<admin_users::Item>>(),
        get("/api/admin/users/{id}", Who::Admins, admin_users::show, "A person, with accounts and statistics")
            .answers::<admin_users::Details>(),
        post("/api/admin/users/{id}/close", Who::Admins, admin_users::close, "Closes a person's account; all sessions end")
            .answers::<admin_users::Details>(),
        post("/api/admin/users/{id}/reopen", Who::Admins, admin_users::reopen, "Opens it again").answers::<admin_users::Details>(),
        get("/api/admin/payouts", Who::Admins, admin_payouts::list, "Everybody's payouts, and what they were earned with")
            .answers::<Listed<admin_payouts::ListItem>>(),
        get("/api/admin/payouts.csv", Who::Admins, admin_payouts::file, "Payouts as a file").writes(200, MEDIA_TYPE),
        get("/api/admin/payouts/{id}", Who::Admins, admin_payouts::show, "A payout, with the sources of its money")
            .answers::<admin_payouts::Detail>(),
        post("/api/admin/payouts/{id}/approve", Who::Admins, admin_payouts::approve, "Approves a payout: the money has been paid")
            .answers::<admin_payouts::Item>()
            .refuses(&[codes::STALE]),
        post("/api/admin/payouts/{id}/reject", Who::Admins, admin_payouts::reject, "Rejects a payout; its amount is free again")
            .answers::<admin_payouts::Item>()
            .refuses(&[codes::STALE]),
    ]
}

fn house() -> Vec<Route> {
    vec![
        get("/api/admin/deliveries", Who::Admins, deliveries::list, "Letters and messages: given up, waiting or sent")
            .answers::<Listed<deliveries::Item>>(),
        post("/api/admin/deliveries/{id}/retry", Who::Admins, deliveries::retry, "Tries a letter or message again that was given up")
            .answers::<deliveries::Item>(),
        get("/api/admin/audit", Who::Admins, audit::audit, "Checks the invariants of orders and money").answers::<Progress>(),
        post("/api/admin/audit/repair", Who::Admins, audit::repair, "Mends what an audit found and is safe to mend").answers::<Progress>(),
        get("/api/admin/figures", Who::Admins, figures::show, "What this node has been doing in its last hour")
            .answers::<figures::Told<'_>>(),
        get("/api/admin/limits", Who::Admins, admin_limits::show, "How often one may ask, and who asked too often in the last hour")
            .answers::<admin_limits::Told>(),
        put("/api/admin/limits", Who::Admins, admin_limits::set, "Sets the limits of all nodes; what is not named is as they were started")
            .answers::<admin_limits::Told>(),
        get("/api/admin/caches", Who::Admins, caches::show, "What this node remembers of the database")
            .answers::<Listed<caches::Remembered>>(),
        post("/api/admin/caches/clear", Who::Admins, caches::clear, "Has all nodes forget what they remember").says_nothing(),
        get("/api/admin/debug", Who::Admins, debug::show, "The debug mode, and the requests this node has watched")
            .answers::<debug::Told>(),
        put("/api/admin/debug", Who::Admins, debug::switch, "Switches the debug mode of all nodes for some minutes")
            .answers::<debug::Told>(),
        get("/api/admin/debug/requests/{id}", Who::Admins, debug::request, "What a watched request asked of MySQL and Redis")
            .answers::<debug::Kept>(),
    ]
}
