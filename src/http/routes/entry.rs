//! One entry of the table of routes.

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

use crate::domain::user::Role;
use crate::http::Api;

/// What is done at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Who is let in at all; whose things they then may see and touch is for the use case to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Guests, too.
    Anybody,
    /// Whoever is signed in, in any role.
    SignedIn,
    Customers,
    Executors,
    /// Customers and executors: the two sides of a contract.
    Parties,
    Admins,
    /// Other systems with a service token; users for what is theirs.
    Services,
}

/// Where a route exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Everywhere,
    /// Where the sandbox is the payment gateway.
    Sandbox,
    Development,
}

/// A route: what is called how by whom, and who answers.
pub struct Route {
    pub verb: Verb,
    pub path: &'static str,
    pub who: Who,
    pub place: Place,
    /// In a few words.
    pub what: &'static str,
    pub(super) handler: MethodRouter<Api>,
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

impl Who {
    /// Whether a caller in this role is let in; nobody's role is a guest's.
    pub fn may(self, role: Option<Role>) -> bool {
        match self {
            Who::Anybody => true,
            Who::SignedIn | Who::Services => role.is_some(),
            Who::Customers => role == Some(Role::Customer),
            Who::Executors => role == Some(Role::Executor),
            Who::Parties => matches!(role, Some(Role::Customer | Role::Executor)),
            Who::Admins => role == Some(Role::Admin),
        }
    }
}

impl Route {
    pub(super) fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

macro_rules! verbs {
    ($($name:ident $verb:ident),+) => {$(
        pub(super) fn $name<T: 'static>(path: &'static str, who: Who, handler: impl Handler<T, Api>, what: &'static str) -> Route {
            Route { verb: Verb::$verb, path, who, place: Place::Everywhere, what, handler: routing::$name(handler) }
        }
    )+};
}

verbs!(get Get, post Post, put Put, patch Patch, delete Delete);
