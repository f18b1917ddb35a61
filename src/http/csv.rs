//! Lists as CSV files: read page by page and sent as they are read, so that a file of any length costs the memory of a
//! few pages. The pages are read in a task of its own that nobody cancels half-way, and that holds no connection of the
//! pool while it waits for its reader.
//!
//! Made for spreadsheets: a byte order mark (without it Excel reads UTF-8 as something else), and in Russian the
//! separators that a Russian spreadsheet expects. No cell can become a formula.

use schemars::JsonSchema;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use bytes::Bytes;
use dashmap::DashSet;
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Api;
use super::error::{Answer, Problem, typed_ok};
use crate::domain::money::Currency;
use crate::domain::refusal::Refusal;

pub(super) const MEDIA_TYPE: &str = "text/csv; charset=utf-8; header=present";
/// Files that one node writes at a time.
const AT_ONCE: usize = 8;
/// Rows read at a time.
pub(super) const PAGE: u32 = 1_000;
/// Pages that are ready before their reader takes them.
const AHEAD: usize = 2;
/// A reader who takes nothing for so long is given up.
const READER_WITHIN: Duration = Duration::from_secs(60);

/// The turns for writing files: so many on a node, and one for each person, so that nobody takes them all.
#[derive(Clone)]
pub struct Exports {
    turns: Arc<Semaphore>,
    people: Arc<DashSet<u64>>,
}

impl Default for Exports {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), people: Arc::default() }
    }
}

impl Exports {
    fn turn(&self, user_id: u64) -> Option<Turn> {
        let permit = self.turns.clone().try_acquire_owned().ok()?;
        self.people.insert(user_id).then(|| Turn { people: self.people.clone(), user_id, _permit: permit })
    }
}

/// A turn, given back when it is dropped.
struct Turn {
    people: Arc<DashSet<u64>>,
    user_id: u64,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.people.remove(&self.user_id);
    }
}

/// The language of headings, and of how numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lang {
    Ru,
    #[default]
    En,
}

impl Lang {
    pub(super) fn pick<T>(self, ru: T, en: T) -> T {
        match self {
            Lang::Ru => ru,
            Lang::En => en,
        }
    }

    /// An amount as a decimal number with the digits of its currency: 1234.50, in Russian 1234,50.
    pub(super) fn decimal(self, minor: i64, currency: &str) -> String {
        let digits = Currency::parse(currency).map_or(2, Currency::digits);
        let digits_text = format!("{:0width$}", minor.unsigned_abs(), width = digits + 1);
        let (whole, part) = digits_text.split_at(digits_text.len() - digits);
        let sign = if minor < 0 { "-" } else { "" };
        if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}{}{part}", self.pick(',', '.')) }
    }
}

/// A moment as spreadsheets read it, in UTC.
pub(super) fn moment(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).unwrap_or_default()
}

/// Some lines of a file, as they are written.
pub(super) struct Lines {
    writer: csv::Writer<Vec<u8>>,
}

impl Lines {
    pub(super) fn new(lang: Lang) -> Self {
        let delimiter = lang.pick(b';', b',');
        Self { writer: csv::WriterBuilder::new().delimiter(delimiter).terminator(csv::Terminator::CRLF).from_writer(Vec::new()) }
    }

    /// The first lines: the byte order mark and the headings.
    pub(super) fn with_heading(lang: Lang, heading: &[&str]) -> Result<Self, Problem> {
        let mut lines = Self::new(lang);
        let marked = heading.iter().enumerate().map(|(at, name)| if at == 0 { format!("\u{FEFF}{name}") } else { (*name).to_owned() });
        lines.writer.write_record(marked).map_err(unwritable)?;
        Ok(lines)
    }

    pub(super) fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), Problem> {
        self.writer.write_record(cells.iter().map(|cell| cell.text().into_owned().into_bytes())).map_err(unwritable)
    }

    fn bytes(self) -> Result<Bytes, Problem> {
        self.writer.into_inner().map(Bytes::from).map_err(|error| unwritable(error.into_error().into()))
    }
}

/// What stands in a cell.
pub(super) enum Cell<'a> {
    /// Written by us: a number, a date, a slug.
    Plain(String),
    /// Written by people.
    Typed(&'a str),
    Nothing,
}

impl<'a> Cell<'a> {
    pub(super) fn number(value: Option<u64>) -> Self {
        value.map_or(Cell::Nothing, |value| Cell::Plain(value.to_string()))
    }

    pub(super) fn typed(text: Option<&'a str>) -> Self {
        text.map_or(Cell::Nothing, Cell::Typed)
    }

    fn text(&self) -> Cow<'_, str> {
        match self {
            Cell::Plain(text) => Cow::Borrowed(text),
            Cell::Typed(text) => harmless(text),
            Cell::Nothing => Cow::Borrowed(""),
        }
    }
}

/// A spreadsheet takes a cell that begins so for a formula, and a formula may send the sheet to anybody (OWASP, "CSV
/// Injection"). Of a number with more than 15 digits, such as a card's, it keeps 15. The apostrophe makes both a text.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || text.starts_with(['\t', '\r', '\n']);
    let is_long_number = text.len() > 15 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
    if is_formula || is_long_number { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// One page of a file, and where the next one begins.
pub(super) struct Part<S> {
    pub(super) lines: Lines,
    pub(super) next: Option<S>,
}

/// Answers this person with a file that `read` gives page by page, beginning at `state`. What stands against the first page is an answer;
/// what happens later breaks the file off, so that nobody takes a part for the whole.
pub(super) async fn download<S, F>(api: &Api, user_id: u64, name: &str, state: S, mut read: impl FnMut(S) -> F + Send + 'static) -> Answer
where
    S: Send + 'static,
    F: Future<Output = Result<Part<S>, Problem>> + Send + 'static,
{
    let turn = api.exports.turn(user_id).ok_or(Refusal::Limit { what: "files at once", retry_after_s: 5 })?;
    let first = read(state).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        if write(first, read, &sender).await.is_ok() {
            let _ = sender.send(Piece::End).await;
        }
        drop(turn);
    });
    let pieces = futures_util::stream::unfold(Some(receiver), async |receiver| {
        let mut receiver: mpsc::Receiver<Piece> = receiver?;
        match receiver.recv().await {
            Some(Piece::Lines(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(std::io::Error::other("the file broke off")), None)),
        }
    });
    let mut response = typed_ok(MEDIA_TYPE, Body::from_stream(pieces));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

enum Piece {
    Lines(Bytes),
    /// Without it the file is not whole.
    End,
}

/// Why a file was not written to its end; it has been logged, or is nobody's fault.
struct GivenUp;

async fn write<S, F>(first: Part<S>, mut read: impl FnMut(S) -> F, sender: &mpsc::Sender<Piece>) -> Result<(), GivenUp>
where
    F: Future<Output = Result<Part<S>, Problem>>,
{
    let mut part = first;
    loop {
        let bytes = part.lines.bytes().map_err(|_| GivenUp)?;
        // Nothing of the database is waited for in here: the time is the reader's.
        match tokio::time::timeout(READER_WITHIN, sender.send(Piece::Lines(bytes))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(GivenUp),
        }
        let Some(next) = part.next else { return Ok(()) };
        part = read(next).await.map_err(|_| GivenUp)?;
    }
}

/// The name of a file: what it is about, ending in .csv.
pub(super) fn file_name(parts: &[&str]) -> String {
    let mut name = String::new();
    for part in parts {
        let _ = write!(name, "{}{part}", if name.is_empty() { "" } else { "-" });
    }
    name + ".csv"
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unwritable(error: csv::Error) -> Problem {
    tracing::error!(%error, "a CSV line could not be written");
    Problem::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        assert_eq!(Lang::En.decimal(123_450, "RUB"), "1234.50");
        assert_eq!(Lang::Ru.decimal(-5, "RUB"), "-0,05");
        assert_eq!(Lang::En.decimal(-1_234, "JPY"), "-1234");
        assert_eq!(Lang::En.decimal(1, "KWD"), "0.001");
        assert_eq!(Lang::En.decimal(i64::MIN, "RUB"), "-92233720368547758.08");
    }

    #[test]
    fn no_text_that_people_typed_is_a_formula() {
        for text in ["=1+1", "+7 900", "-2", "@SUM(A1)", "\t=1", "  =1", "＝1", "2200123412345678", "2200 1234 1234 5678"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["", "Paint a fence", "7 900", "a=b", "'=1"] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn a_person_writes_one_file_at_a_time_and_a_node_not_too_many() {
        let exports = Exports::default();
        let mut turns: Vec<Turn> = (0..AT_ONCE as u64).filter_map(|user| exports.turn(user)).collect();
        assert_eq!(turns.len(), AT_ONCE);
        assert!(exports.turn(99).is_none(), "the node has no turn left");
        turns.truncate(2);
        assert!(exports.turn(1).is_none(), "this one is writing");
        assert!(exports.turn(99).is_some() && exports.turn(2).is_some());
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut lines = Lines::with_heading(Lang::En, &["what", "sum"]).expect("a heading");
        lines.push(&[Cell::Typed("one, \"two\"\nthree"), Cell::Plain("-1.00".into())]).expect("a line");
        let bytes = lines.bytes().expect("a file");
        assert_eq!(bytes, "\u{FEFF}what,sum\r\n\"one, \"\"two\"\"\nthree\",-1.00\r\n".as_bytes());
    }
}
