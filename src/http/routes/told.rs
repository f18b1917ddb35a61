//! What people are told: notifications, subscriptions to categories, and the ways in which one is told.

use super::entry::{Route, Who, delete, get, post, put};
use crate::http::{channels, notifications, subscriptions};

pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/api/notifications", Who::SignedIn, notifications::list, "What one was told, newest first"),
        post("/api/notifications/read", Who::SignedIn, notifications::read, "Marks everything up to a number as read"),
        get("/api/subscriptions", Who::SignedIn, subscriptions::list, "The categories of whose new orders one is told"),
        put("/api/subscriptions/{category}", Who::SignedIn, subscriptions::put, "Follows a category, or all of them"),
        delete("/api/subscriptions/{category}", Who::SignedIn, subscriptions::end, "Does not follow it any more"),
        get("/api/me/channels", Who::SignedIn, channels::show, "By which ways one is told of what"),
        put("/api/me/channels", Who::SignedIn, channels::change, "Chooses them; what is not named stays as it is"),
        post("/api/me/telegram", Who::SignedIn, channels::link_telegram, "A link that connects one's chat at Telegram"),
        delete("/api/me/telegram", Who::SignedIn, channels::unlink_telegram, "Disconnects it"),
    ]
}
