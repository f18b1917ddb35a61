//! People: registering, signing in and out, oneself, and others.

use super::entry::{Place, Route, Who, delete, get, patch, post};
use crate::http::{credentials, dev, people, sessions};

pub(super) fn entries() -> Vec<Route> {
    vec![
        post("/api/register", Who::Anybody, sessions::register, "Registers a person"),
        post("/api/login", Who::Anybody, sessions::login, "Signs in, in one role"),
        post("/api/logout", Who::Anybody, sessions::logout, "Signs out"),
        get("/api/me", Who::SignedIn, sessions::me, "Who one is, and one's balances"),
        patch("/api/me", Who::SignedIn, sessions::change_settings, "Changes one's profile and settings"),
        post("/api/me/password", Who::SignedIn, credentials::change_password, "Sets another password; other sessions end"),
        post("/api/me/email", Who::SignedIn, credentials::change_email, "Sets another e-mail address; other sessions end"),
        post("/api/password/forgot", Who::Anybody, credentials::forgot, "Asks for a letter with a link to a new password"),
        post("/api/password/reset", Who::Anybody, credentials::reset, "Sets a new password by the link's token"),
        get("/api/users/{id}", Who::Anybody, people::show, "Somebody's public profile with statistics"),
        get("/api/session", Who::Anybody, sessions::whose, "Who is calling; null for a guest"),
        get("/api/sessions", Who::SignedIn, sessions::list, "One's sessions"),
        delete("/api/sessions/{id}", Who::SignedIn, sessions::end, "Ends one of one's sessions, its websockets too"),
        post("/api/dev/switch", Who::Anybody, dev::switch, "Signs in as anybody, without a password").at(Place::Development),
    ]
}
