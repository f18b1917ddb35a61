//! Pages of lists: `?limit=&cursor=` in, `{items, next}` out. Newest first, by a number that never changes, so any page
//! is as fast as the first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::refusal::{Invalid, Reason};

const LIMIT_DEFAULT: u32 = 50;
pub(super) const LIMIT_MAX: u32 = 100;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Rows below a number, at most so many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) below: u64,
    pub(super) limit: u32,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListOf{T}")]
pub(super) struct Listed<T> {
    items: Vec<T>,
    /// The `cursor` of the next page; null after the last.
    next: Option<String>,
}

impl PageQuery {
    pub(super) fn page(&self) -> Result<Page, Invalid> {
        page(self.limit, self.cursor.as_deref())
    }
}

pub(super) fn page(limit: Option<u32>, cursor: Option<&str>) -> Result<Page, Invalid> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Invalid::new("limit", Reason::TooLarge, format!("`limit` is between 1 and {LIMIT_MAX}")));
    }
    let below = match cursor {
        None => u64::MAX,
        Some(cursor) => {
            cursor.parse().map_err(|_| Invalid::new("cursor", Reason::Malformed, "`cursor` is the `next` of the page before, unchanged"))?
        }
    };
    Ok(Page { below, limit })
}

impl<T> Listed<T> {
    /// A full page may have another behind it, which begins below its last row.
    pub(super) fn new(items: Vec<T>, page: Page, number: impl Fn(&T) -> u64) -> Self {
        let is_full = items.len() == page.limit as usize;
        let next = items.last().filter(|_| is_full).map(|last| number(last).to_string());
        Self { items, next }
    }

    /// The same page of what its items are shown as.
    pub(super) fn map<U>(self, shown: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(shown).collect(), next: self.next }
    }

    /// With a cursor of its own kind.
    pub(super) fn going_on(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next }
    }

    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}
