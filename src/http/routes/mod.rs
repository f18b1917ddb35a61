//! The table of routes: every address that this server answers, by whom it may be called, and what it is for. The router is
//! built from it, and so is whatever else has to know all routes. A new route is one entry in the file of its resource.
//!
//! Who may call is told here and enforced where the handler and its use case look at the caller; a test asks every route as
//! everybody and holds the answers against the table.

mod admin;
mod entry;
mod gateway;
mod money;
mod operation;
mod orders;
mod people;
mod takes;
mod told;

use axum::Router;

use super::{Api, Doors, Mode, error};

pub(super) use self::entry::{Answered, Body, schema_of};
pub use self::entry::{Place, Route, Verb, Who};

/// All routes, in the order in which a reader of the API meets them.
pub fn table() -> Vec<Route> {
    [
        people::entries(),
        orders::entries(),
        money::entries(),
        gateway::entries(),
        told::entries(),
        admin::entries(),
        operation::entries(),
        operation::live(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes that exist where this server runs.
pub(super) fn router(api: &Api) -> Router<Api> {
    build(here(api))
}

/// What production refuses does not exist there.
pub(super) fn here(api: &Doors) -> impl Iterator<Item = Route> {
    let (has_sandbox, mode) = (api.sandbox.is_some(), api.mode);
    table().into_iter().filter(move |route| match route.place {
        Place::Everywhere => true,
        Place::Sandbox => has_sandbox,
        Place::Development => mode == Mode::Development,
    })
}

/// What operators ask for, on an address of their own.
pub(super) fn for_operators() -> Router<Api> {
    build(operation::entries().into_iter()).fallback(async || error::Problem::no_route())
}

fn build(routes: impl Iterator<Item = Route>) -> Router<Api> {
    routes.fold(Router::new(), |router, route| router.route(route.path, route.handler))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::table;

    #[test]
    fn every_route_is_told_once_and_explained() {
        let mut seen = BTreeSet::new();
        for route in table() {
            let (verb, path) = (route.verb.as_str(), route.path);
            assert!(seen.insert((path, verb)), "{verb} {path} is in the table twice");
            assert!(path.starts_with('/') && (path == "/" || !path.ends_with('/')), "{path}");
            assert!(!route.what.is_empty() && !route.what.ends_with('.'), "{verb} {path}: a few words, without a full stop");
        }
    }
}
