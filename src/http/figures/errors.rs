//! The last answers that were errors of ours, with what the log says of them.

use schemars::JsonSchema;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::order::unix_ms;

const KEPT_MAX: usize = 100;
const CAUSE_CHARS_MAX: usize = 500;

/// Whether an answer was an error of ours. A node that says that it is not ready does what it should.
pub(in crate::http) fn is_ours(route: &str, status: u16) -> bool {
    status >= 500 && route != "/readyz"
}

/// Travels with an answer from where it was made to where it is counted; never sent.
#[derive(Clone)]
pub(in crate::http) struct Trouble {
    pub(in crate::http) code: &'static str,
    pub(in crate::http) cause: String,
}

#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct RecentError {
    at_ms: i64,
    method: String,
    route: String,
    status: u16,
    code: &'static str,
    cause: String,
    took_ms: u64,
}

/// What was asked for, and what came of it.
pub(in crate::http) struct Asked<'a> {
    pub(in crate::http) method: &'a str,
    pub(in crate::http) route: &'a str,
    pub(in crate::http) status: u16,
    pub(in crate::http) took: Duration,
}

#[derive(Default)]
pub(in crate::http) struct Errors(Mutex<VecDeque<RecentError>>);

impl Errors {
    pub(in crate::http) fn note(&self, asked: &Asked<'_>, trouble: &Trouble) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT_MAX - 1);
        kept.push_front(RecentError {
            at_ms: unix_ms(OffsetDateTime::now_utc()),
            method: asked.method.to_owned(),
            route: asked.route.to_owned(),
            status: asked.status,
            code: trouble.code,
            cause: trouble.cause.chars().take(CAUSE_CHARS_MAX).collect(),
            took_ms: u64::try_from(asked.took.as_millis()).unwrap_or(u64::MAX),
        });
    }

    pub(super) fn newest_first(&self) -> Vec<RecentError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_are_kept() {
        let errors = Errors::default();
        for number in 0..250_u64 {
            let asked = Asked { method: "GET", route: "/", status: 500, took: Duration::from_millis(number) };
            errors.note(&asked, &Trouble { code: "internal", cause: String::new() });
        }
        let kept = errors.newest_first();
        assert_eq!((kept.len(), kept[0].took_ms, kept[99].took_ms), (KEPT_MAX, 249, 150));
    }
}
