//! Searching open orders: what may be asked, how words are compared, and where a page of any depth begins. Pure.

use super::order::{Assignment, Order, Status};
use super::refusal::{Invalid, Reason};
use schemars::JsonSchema;

pub const QUERY_CHARS_MAX: usize = 200;
const WORDS_MAX: usize = 8;
/// Of a description; what comes later is not searched.
const SEARCHED_CHARS_MAX: usize = 2_000;
/// Shorter words are compared as they are.
const STEM_CHARS_MIN: usize = 3;
/// Endings are at most so long.
const ENDING_CHARS_MAX: usize = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    #[default]
    Newest,
    /// The dearest first; of one price, the newest.
    Price,
    Payout,
}

/// Where the next page begins: after the order with this value and this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub value: i64,
    pub id: u64,
}

impl Sort {
    pub fn value(self, price: i64, payout: i64) -> i64 {
        match self {
            Sort::Newest => 0,
            Sort::Price => price,
            Sort::Payout => payout,
        }
    }

    pub fn read(self, cursor: &str) -> Result<Place, Invalid> {
        let place = match (self, cursor.split_once('-')) {
            (Sort::Newest, None) => cursor.parse().ok().map(|id| Place { value: 0, id }),
            (Sort::Price | Sort::Payout, Some((value, id))) => {
                value.parse().ok().zip(id.parse().ok()).map(|(value, id)| Place { value, id })
            }
            _ => None,
        };
        place.ok_or_else(|| {
            Invalid::new("cursor", Reason::Malformed, "`cursor` is the `next` of the page before, unchanged, in the same order")
        })
    }

    pub fn write(self, place: Place) -> String {
        match self {
            Sort::Newest => place.id.to_string(),
            Sort::Price | Sort::Payout => format!("{}-{}", place.value, place.id),
        }
    }
}

/// What is asked for; what says nothing takes everything.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Stems, all of which must begin a word of the title or the description.
    pub words: Vec<String>,
    pub category: Option<String>,
    pub customer_id: Option<u64>,
    pub assignment: Option<Assignment>,
    pub price: Range,
    pub payout: Range,
    pub sort: Sort,
}

/// Both ends belong to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

impl Range {
    pub fn has(self, value: i64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

impl Search {
    /// Everything but the words.
    pub fn fits(&self, order: &Order) -> bool {
        order.status == Status::Open
            && self.category.as_ref().is_none_or(|category| order.category.as_ref() == Some(category))
            && self.customer_id.is_none_or(|id| order.customer.id == id)
            && self.assignment.is_none_or(|assignment| order.assignment == assignment)
            && self.price.has(order.price)
            && self.payout.has(order.payout)
    }
}

/// The words that are looked for. Inflected forms of a longer word are to be found by each other, so its ending is left out.
pub fn words(query: &str) -> Result<Vec<String>, Invalid> {
    if query.chars().count() > QUERY_CHARS_MAX {
        return Err(Invalid::new("q", Reason::TooLong, format!("`q` must have at most {QUERY_CHARS_MAX} characters")));
    }
    let folded = fold(query);
    let mut words: Vec<String> =
        folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| stem(word).to_owned()).collect();
    words.sort_unstable();
    words.dedup();
    if words.len() > WORDS_MAX {
        return Err(Invalid::new("q", Reason::TooLong, format!("`q` is at most {WORDS_MAX} words")));
    }
    // The longest is the rarest, most likely, and is looked for first.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    Ok(words)
}

/// A title and its description as they are searched: a space before every word.
pub fn searched(title: &str, description: &str) -> Box<str> {
    let mut text = String::with_capacity(title.len() + description.len().min(2 * SEARCHED_CHARS_MAX) + 2);
    for part in [title, description] {
        text.push(' ');
        text.extend(part.chars().take(SEARCHED_CHARS_MAX).flat_map(folded_char).map(|c| if c.is_alphanumeric() { c } else { ' ' }));
    }
    text.into_boxed_str()
}

fn fold(text: &str) -> String {
    text.chars().flat_map(folded_char).collect()
}

/// Lower case, and one letter for two that are written for each other.
fn folded_char(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| if c == 'ё' { 'е' } else { c })
}

/// The word without the vowels it ends with, and what stands for one in Russian; of an English plural without its `s` or `es`.
fn stem(word: &str) -> &str {
    let mut stem = word;
    for _ in 0..ENDING_CHARS_MAX {
        let is_ending = |c: char| "аеиоуыэюяйьse".contains(c);
        match stem.char_indices().next_back() {
            Some((at, last)) if is_ending(last) && stem[..at].chars().count() >= STEM_CHARS_MIN => stem = &stem[..at],
            _ => break,
        }
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::{Place, Sort, searched, words};

    #[test]
    fn forms_of_a_word_find_each_other() {
        for (query, title) in [
            ("диван", "Перевезти диваны"),
            ("Дивана", "диван"),
            ("УБОРКУ", "Уборка квартиры, 50 м²"),
            ("ёлка", "Елку вынести"),
            ("boxes", "Move two box(es)"),
            ("lamp", "Lamps to hang"),
            ("50", "Уборка квартиры, 50 м²"),
        ] {
            let text = searched(title, "");
            assert!(words(query).expect("words").iter().all(|word| text.contains(&format!(" {word}"))), "{query} in {text}");
        }
        assert!(!searched("Перевезти", "").contains(" везт"), "words are found by their beginning");
    }

    #[test]
    fn a_place_is_read_as_it_was_written_and_only_in_its_own_order() {
        let place = Place { value: 12_300, id: 7 };
        assert_eq!(Sort::Price.read(&Sort::Price.write(place)).expect("a place"), place);
        assert_eq!(Sort::Newest.read("7").expect("a place").id, 7);
        for (sort, wrong) in [(Sort::Newest, "1-7"), (Sort::Price, "7"), (Sort::Payout, "x-7"), (Sort::Newest, ""), (Sort::Newest, "-1")] {
            assert!(sort.read(wrong).is_err(), "{wrong}");
        }
    }
}
