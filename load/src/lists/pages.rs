//! The lists that people turn the pages of: what each is called, who asks for it, and how deep it goes.

use super::fill::MONEY_ROWS;
use super::told::{NOTICES, ROWS};

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Guest,
    /// The customer who has half of all orders.
    Customer,
    FewCustomer,
    Executor,
    FewExecutor,
    Admin,
}

/// Where a page may begin.
#[derive(Clone, Copy)]
pub(super) enum Depth {
    /// Below any order.
    Orders,
    /// Below any of the whales' rows of money.
    Money,
    /// Below any user, letter or message.
    People,
    Notices,
    /// After any page that was met on a walk from the first one: for cursors that say more than a number.
    Walked,
    /// It is one page.
    Top,
}

pub(super) struct List {
    pub(super) name: &'static str,
    pub(super) who: Who,
    /// `CUSTOMER` and `ORDER` stand for numbers.
    pub(super) path: &'static str,
    pub(super) depth: Depth,
}

impl Depth {
    /// The largest number that a cursor of this list may be.
    pub(super) fn most(self, orders: u64) -> Option<u64> {
        match self {
            Depth::Orders => Some(orders),
            Depth::Money => Some(MONEY_ROWS),
            Depth::People => Some(ROWS),
            Depth::Notices => Some(NOTICES),
            Depth::Walked | Depth::Top => None,
        }
    }
}

const fn list(name: &'static str, who: Who, path: &'static str, depth: Depth) -> List {
    List { name, who, path, depth }
}

pub(super) const LISTS: &[List] = &[
    list("open", Who::Guest, "/api/orders", Depth::Walked),
    list("open, a category", Who::Guest, "/api/orders?category=delivery", Depth::Walked),
    list("open, a rare category", Who::Guest, "/api/orders?category=photo", Depth::Walked),
    list("the board", Who::Guest, "/api/board", Depth::Top),
    list("mine", Who::Customer, "/api/orders?list=mine", Depth::Orders),
    list("mine, open", Who::Customer, "/api/orders?list=mine&status=open", Depth::Orders),
    list("mine, submitted", Who::Customer, "/api/orders?list=mine&status=submitted", Depth::Orders),
    list("mine, done", Who::Customer, "/api/orders?list=mine&status=done", Depth::Orders),
    list("mine, failed", Who::Customer, "/api/orders?list=mine&status=failed", Depth::Orders),
    list("mine, of one with few", Who::FewCustomer, "/api/orders?list=mine", Depth::Orders),
    list("mine, of one with few, failed", Who::FewCustomer, "/api/orders?list=mine&status=failed", Depth::Orders),
    list("contracts", Who::Executor, "/api/orders?list=contracts", Depth::Orders),
    list("contracts, in work", Who::Executor, "/api/orders?list=contracts&status=in_work", Depth::Orders),
    list("contracts, submitted", Who::Executor, "/api/orders?list=contracts&status=submitted", Depth::Orders),
    list("contracts, done", Who::Executor, "/api/orders?list=contracts&status=done", Depth::Orders),
    list("contracts, failed", Who::Executor, "/api/orders?list=contracts&status=failed", Depth::Orders),
    list("contracts, of one with few", Who::FewExecutor, "/api/orders?list=contracts", Depth::Orders),
    list("entries", Who::Customer, "/api/accounts/wallet/entries", Depth::Money),
    list("entries of two kinds", Who::Customer, "/api/accounts/wallet/entries?kind=topup,capture", Depth::Money),
    list("payouts", Who::Executor, "/api/payouts", Depth::Money),
    list("top-ups", Who::Customer, "/api/topups", Depth::Money),
    list("admin: payouts", Who::Admin, "/api/admin/payouts", Depth::Money),
    list("admin: payouts, rejected", Who::Admin, "/api/admin/payouts?status=rejected", Depth::Money),
    list("search, a word", Who::Guest, "/api/orders?q=piano", Depth::Walked),
    list("search, every order's words", Who::Guest, "/api/orders?q=what+done", Depth::Walked),
    list("search, what nobody wrote", Who::Guest, "/api/orders?q=zeppelin", Depth::Top),
    list("search, the dearest", Who::Guest, "/api/orders?sort=price", Depth::Walked),
    list(
        "search, all filters",
        Who::Guest,
        "/api/orders?q=lamp&assignment=first&price_min=100000&payout_max=3000000&sort=payout",
        Depth::Walked,
    ),
    list("search, for one's choice", Who::Guest, "/api/orders?assignment=chosen&category=repair", Depth::Walked),
    list("a customer's open", Who::Guest, "/api/orders?customer=CUSTOMER", Depth::Walked),
    list("timeline", Who::Customer, "/api/orders/ORDER/timeline", Depth::Top),
    list("applications for one order", Who::Customer, "/api/orders/ORDER/applications", Depth::Walked),
    list("applications", Who::Executor, "/api/applications", Depth::Orders),
    list("applications, chosen", Who::Executor, "/api/applications?status=chosen", Depth::Orders),
    list("applications, waiting", Who::Executor, "/api/applications?status=waiting", Depth::Orders),
    list("notifications", Who::Customer, "/api/notifications", Depth::Notices),
    list("a profile", Who::Guest, "/api/users/CUSTOMER", Depth::Top),
    list("admin: orders", Who::Admin, "/api/admin/orders", Depth::Orders),
    list("admin: orders, failed", Who::Admin, "/api/admin/orders?status=failed", Depth::Orders),
    list("admin: orders, disputed", Who::Admin, "/api/admin/orders?disputed=true", Depth::Orders),
    list("admin: orders of a customer", Who::Admin, "/api/admin/orders?customer=CUSTOMER", Depth::Orders),
    list("admin: orders of a customer, failed", Who::Admin, "/api/admin/orders?customer=CUSTOMER&status=failed", Depth::Orders),
    list("admin: orders, a text", Who::Admin, "/api/admin/orders?q=piano", Depth::Orders),
    list("admin: orders, a rare text", Who::Admin, "/api/admin/orders?q=zeppelin", Depth::Orders),
    list("admin: users", Who::Admin, "/api/admin/users", Depth::People),
    list("admin: users, a name", Who::Admin, "/api/admin/users?q=Boris", Depth::People),
    list("admin: users, one name", Who::Admin, "/api/admin/users?q=Boris+7777", Depth::People),
    list("admin: letters, dead", Who::Admin, "/api/admin/deliveries?channel=mail", Depth::People),
    list("admin: letters, sent", Who::Admin, "/api/admin/deliveries?channel=mail&state=sent", Depth::People),
    list("admin: messages, dead", Who::Admin, "/api/admin/deliveries?channel=telegram", Depth::People),
    list("admin: messages, waiting", Who::Admin, "/api/admin/deliveries?channel=telegram&state=waiting", Depth::People),
    list("sessions", Who::Customer, "/api/sessions", Depth::Top),
    list("categories", Who::Guest, "/api/categories", Depth::Top),
];
