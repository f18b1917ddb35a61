//! What people are told: notifications, subscriptions to categories, and the ways in which one is told.

use super::entry::{Route, Who, delete, get, post, put};
use crate::domain::schema::Slug;
use crate::flow::TelegramLink;
use crate::http::error::codes;
use crate::http::lists::Listed;
use crate::http::{channels, notifications, subscriptions};
use crate::store::subscriptions::Subscription;

pub(super) fn entries() -> Vec<Route> {
    vec![
        get("/api/notifications", Who::SignedIn, notifications::list, "What one was told, newest first")
            .answers::<notifications::Notices>(),
        post("/api/notifications/read", Who::SignedIn, notifications::read, "Marks everything up to a number as read")
            .answers::<notifications::Read>(),
        get("/api/subscriptions", Who::SignedIn, subscriptions::list, "The categories of whose new orders one is told")
            .answers::<Listed<Subscription>>(),
        put("/api/subscriptions/{category}", Who::SignedIn, subscriptions::put, "Follows a category, or all of them")
            .named::<Slug>()
            .answers::<Subscription>(),
        delete("/api/subscriptions/{category}", Who::SignedIn, subscriptions::end, "Does not follow it any more")
            .more("What is no category is not followed, so there is nothing to do.")
            .says_nothing(),
        get("/api/me/channels", Who::SignedIn, channels::show, "By which ways one is told of what").answers::<channels::Channels>(),
        put("/api/me/channels", Who::SignedIn, channels::change, "Chooses them; what is not named stays as it is")
            .answers::<channels::Channels>(),
        post("/api/me/telegram", Who::SignedIn, channels::link_telegram, "A link that connects one's chat at Telegram")
            .answers::<TelegramLink>()
            .refuses(&[codes::FORBIDDEN]),
        delete("/api/me/telegram", Who::SignedIn, channels::unlink_telegram, "Disconnects it").says_nothing(),
    ]
}
