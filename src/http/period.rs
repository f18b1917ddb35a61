//! Days and moments in queries: `from`, `to` and `at`. A moment is RFC 3339; a day such as 2026-11-20 is meant in UTC.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use time::format_description::well_known::Rfc3339;
use time::macros::{datetime, format_description};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use crate::domain::refusal::{Invalid, Reason};

const EARLIEST: OffsetDateTime = datetime!(1970-01-01 00:00 UTC);
const LATEST: OffsetDateTime = datetime!(9999-01-01 00:00 UTC);

/// A day or a moment, as a query tells it.
pub(super) enum Boundary {}

impl JsonSchema for Boundary {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Boundary".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}], "examples": ["2026-11-20", "2026-11-20T10:00:00Z"]})
    }
}

/// From one moment on, and before another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Period {
    pub(super) from: Option<OffsetDateTime>,
    pub(super) to: Option<OffsetDateTime>,
}

impl Period {
    /// `from` and `to` as moments; a day in `to` is meant to its end.
    pub(super) fn parse(from: Option<&str>, to: Option<&str>) -> Result<Self, Invalid> {
        let from = from.map(|text| boundary("from", text, Duration::ZERO)).transpose()?;
        let to = to.map(|text| boundary("to", text, Duration::DAY)).transpose()?;
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            return Err(Invalid::new("to", Reason::Malformed, "`to` is before `from`"));
        }
        Ok(Self { from, to })
    }
}

/// A moment that must be told to the second or better.
pub(super) fn moment(field: &'static str, text: &str) -> Result<OffsetDateTime, Invalid> {
    parse(text).ok_or_else(|| malformed(field, "a moment such as 2026-11-20T10:00:00Z"))
}

fn boundary(field: &'static str, text: &str, whole_day: Duration) -> Result<OffsetDateTime, Invalid> {
    if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        let day = date.midnight().assume_utc();
        return within(day + whole_day).ok_or_else(|| malformed(field, "a day from 1970 on"));
    }
    let moment = parse(text).ok_or_else(|| malformed(field, "a day such as 2026-11-20 or a moment such as 2026-11-20T10:00:00Z"))?;
    // The tables know microseconds: what lies between two of them begins with the later one.
    let rest = moment.nanosecond() % 1_000;
    Ok(if rest == 0 { moment } else { moment + Duration::nanoseconds(i64::from(1_000 - rest)) })
}

fn parse(text: &str) -> Option<OffsetDateTime> {
    // In a query a plus reads as a space, and few remember to write %2B.
    let text = match text.len().checked_sub(6).filter(|at| text.is_char_boundary(*at)) {
        Some(at) if text[at..].starts_with(' ') => format!("{}+{}", &text[..at], &text[at + 1..]),
        _ => text.to_owned(),
    };
    within(OffsetDateTime::parse(&text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?)
}

fn within(moment: OffsetDateTime) -> Option<OffsetDateTime> {
    (EARLIEST..LATEST).contains(&moment).then_some(moment)
}

fn malformed(field: &'static str, what: &str) -> Invalid {
    Invalid::new(field, Reason::Malformed, format!("`{field}` is {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_meant_from_its_first_moment_to_its_last() {
        let period = Period::parse(Some("2026-11-20"), Some("2026-11-20")).expect("one day");
        assert_eq!(period.from, Some(datetime!(2026-11-20 00:00 UTC)));
        assert_eq!(period.to, Some(datetime!(2026-11-21 00:00 UTC)));
        assert!(Period::parse(Some("2026-11-22"), Some("2026-11-20")).is_err());
    }

    #[test]
    fn moments_are_read_in_any_offset_and_with_a_plus_that_became_a_space() {
        for text in ["2026-11-20T10:00:00Z", "2026-11-20T13:00:00+03:00", "2026-11-20T13:00:00 03:00", "2026-11-20T02:00:00-08:00"] {
            assert_eq!(moment("at", text).expect(text), datetime!(2026-11-20 10:00 UTC));
        }
        for text in
            ["", "2026-11-20", "now", "2026-13-20T10:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "2026-11-20T10:00:00"]
        {
            assert!(moment("at", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_boundary_between_two_microseconds_is_the_later_one() {
        let period = Period::parse(Some("2026-11-20T10:00:00.1234561Z"), None).expect("a moment");
        assert_eq!(period.from, Some(datetime!(2026-11-20 10:00:00.123457 UTC)));
    }
}
