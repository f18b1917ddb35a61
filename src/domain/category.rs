//! Categories of orders: what they are called, and what may be said of one.

use schemars::JsonSchema;
use serde::Serialize;

use super::refusal::{Invalid, Reason};
use super::text;

pub const SLUG_LEN_MAX: usize = 32;
pub const PLACE_MAX: i16 = 30_000;
/// Each has a board of its own on every node.
pub const CATEGORIES_MAX: u32 = 200;

/// A category as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Category {
    pub slug: String,
    pub name_ru: String,
    pub name_en: String,
    /// They are shown in ascending places.
    pub place: i16,
    /// Takes no new orders, and is not offered.
    pub hidden: bool,
}

/// A valid request for a category.
#[derive(Clone, Debug)]
pub struct CategoryDraft {
    pub slug: String,
    pub name_ru: String,
    pub name_en: String,
    /// After the last one, where nothing is said.
    pub place: Option<i16>,
}

/// What is to be different; nothing stays as it is.
#[derive(Clone, Debug, Default)]
pub struct CategoryChange {
    pub name_ru: Option<String>,
    pub name_en: Option<String>,
    pub place: Option<i16>,
    pub hidden: Option<bool>,
}

/// A slug stands in addresses and in boards' names: lower-case letters, digits, and single hyphens between them. `all` is the board
/// of all orders.
pub fn slug(text: &str) -> Result<String, Invalid> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if text.len() > SLUG_LEN_MAX || !text.split('-').all(is_word) || text == "all" {
        return Err(Invalid::new(
            "slug",
            Reason::Malformed,
            format!("`slug` is 1 to {SLUG_LEN_MAX} lower-case Latin letters and digits, with single hyphens between them, and not `all`"),
        ));
    }
    Ok(text.to_owned())
}

pub fn name(field: &'static str, text: &str) -> Result<String, Invalid> {
    text::line(field, text, text::NAME_CHARS_MAX)
}

pub fn place(place: i16) -> Result<i16, Invalid> {
    match place {
        ..0 => Err(Invalid::new("place", Reason::TooSmall, "`place` is not negative")),
        0..=PLACE_MAX => Ok(place),
        _ => Err(Invalid::new("place", Reason::TooLarge, format!("`place` is at most {PLACE_MAX}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_slug_is_words_of_letters_and_digits() {
        let longest = "a".repeat(32);
        for good in ["it", "3d-print", "a-b-c", "7", longest.as_str()] {
            assert_eq!(slug(good).expect("good"), good);
        }
        let too_long = "a".repeat(33);
        for bad in ["", "all", "IT", "a_b", "-a", "a-", "a--b", "дом", "a b", "a:b", too_long.as_str()] {
            assert!(slug(bad).is_err(), "{bad}");
        }
    }
}
