//! People: registering, signing in and out, oneself, and others.

use super::entry::{Place, Route, Who, delete, get, patch, post};
use crate::http::error::codes;
use crate::http::lists::Listed;
use crate::http::{credentials, dev, people, sessions};

pub(super) fn entries() -> Vec<Route> {
    vec![
        post("/api/register", Who::Anybody, sessions::register, "Registers a person")
            .creates::<sessions::Registered<'_>>()
            .refuses(&[codes::EMAIL_TAKEN]),
        post("/api/login", Who::Anybody, sessions::login, "Signs in, in one role")
            .more("The token is good as a bearer; the same is set as a cookie.")
            .answers::<sessions::LoggedIn<'_>>()
            .refuses(&[codes::WRONG_CREDENTIALS, codes::FORBIDDEN]),
        post("/api/logout", Who::Anybody, sessions::logout, "Signs out").says_nothing(),
        get("/api/me", Who::SignedIn, sessions::me, "Who one is, and one's balances").answers::<sessions::Me<'_>>(),
        patch("/api/me", Who::SignedIn, sessions::change_settings, "Changes one's profile and settings").answers::<sessions::Me<'_>>(),
        post("/api/me/password", Who::SignedIn, credentials::change_password, "Sets another password; other sessions end")
            .says_nothing()
            .refuses(&[codes::WRONG_PASSWORD]),
        post("/api/me/email", Who::SignedIn, credentials::change_email, "Sets another e-mail address; other sessions end")
            .says_nothing()
            .refuses(&[codes::WRONG_PASSWORD, codes::EMAIL_TAKEN]),
        post("/api/password/forgot", Who::Anybody, credentials::forgot, "Asks for a letter with a link to a new password")
            .more("The answer is the same, and comes as soon, whether the address is somebody's or not.")
            .begins::<credentials::Empty>()
            .refuses(&[codes::NO_MAIL]),
        post("/api/password/reset", Who::Anybody, credentials::reset, "Sets a new password by the link's token")
            .says_nothing()
            .refuses(&[codes::LINK_OVER]),
        get("/api/users/{id}", Who::Anybody, people::show, "Somebody's public profile with statistics").answers::<people::Profile>(),
        get("/api/session", Who::Anybody, sessions::whose, "Who is calling; null for a guest").answers::<Option<sessions::Me<'_>>>(),
        get("/api/sessions", Who::SignedIn, sessions::list, "One's sessions").answers::<Listed<sessions::SessionItem>>(),
        delete("/api/sessions/{id}", Who::SignedIn, sessions::end, "Ends one of one's sessions, its websockets too").says_nothing(),
        post("/api/dev/switch", Who::Anybody, dev::switch, "Signs in as anybody, without a password; from the same machine only")
            .answers::<sessions::LoggedIn<'_>>()
            .refuses(&[codes::FORBIDDEN, codes::NOT_FOUND])
            .at(Place::Development),
    ]
}
