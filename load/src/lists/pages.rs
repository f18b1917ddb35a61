//! The lists that people turn the pages of: what each is called, who asks for it, and how deep it goes.

use super::fill::MONEY_ROWS;

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
    /// After any page that was met on a walk from the first one: for cursors that say more than a number.
    Walked,
    /// It is one page.
    Top,
}

pub(super) struct List {
    pub(super) name: &'static str,
    pub(super) who: Who,
    pub(super) path: &'static str,
    pub(super) depth: Depth,
}

impl Depth {
    /// The largest number that a cursor of this list may be.
    pub(super) fn most(self, orders: u64) -> Option<u64> {
        match self {
            Depth::Orders => Some(orders),
            Depth::Money => Some(MONEY_ROWS),
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
    list("sessions", Who::Customer, "/api/sessions", Depth::Top),
    list("categories", Who::Guest, "/api/categories", Depth::Top),
];
