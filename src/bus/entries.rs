//! Streams as the server tells of them: entries, their numbers, and groups.

use fred::error::Error;
use fred::types::Value;

/// The field of a message that we read and write.
pub(super) const FIELD: &str = "op";

/// A request as it was delivered.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number in the stream.
    pub id: String,
    /// The command; `None` for a message without the field `op` or whose `op` is not text.
    pub op: Option<String>,
}

/// A group, as the server tells of it.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) delivered: Place,
    pub(super) lag: Option<u64>,
}

impl Group {
    pub(super) fn read(told: Value) -> Option<Self> {
        let (mut name, mut delivered, mut lag) = (None, None, None);
        let mut members = told.into_array().into_iter();
        while let (Some(key), Some(value)) = (members.next(), members.next()) {
            match key.as_string().as_deref() {
                Some("name") => name = value.into_string(),
                Some("last-delivered-id") => delivered = value.into_string().and_then(|id| Place::parse(&id)),
                Some("lag") => lag = value.as_u64(),
                _ => {}
            }
        }
        Some(Self { name: name?, delivered: delivered?, lag })
    }
}

/// A message's number, in its two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) ms: u64,
    number: u64,
}

impl Place {
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (ms, number) = id.split_once('-')?;
        Some(Self { ms: ms.parse().ok()?, number: number.parse().ok()? })
    }

    pub(super) fn next(self) -> Self {
        match self.number.checked_add(1) {
            Some(number) => Self { number, ..self },
            None => Self { ms: self.ms + 1, number: 0 },
        }
    }

    pub(super) fn text(self) -> String {
        format!("{}-{}", self.ms, self.number)
    }
}

pub(super) fn is_no_group(error: &Error) -> bool {
    error.details().contains("NOGROUP")
}

/// `[[id, [field, value, …]], …]`. Whatever a message looks like, it has a number and can be answered and acknowledged.
pub(super) fn messages(entries: Value) -> Vec<Message> {
    entries.into_array().into_iter().filter_map(message).collect()
}

fn message(entry: Value) -> Option<Message> {
    let mut parts = entry.into_array().into_iter();
    let id = parts.next()?.into_string()?;
    let fields = parts.next().map(Value::into_array).unwrap_or_default();
    let mut fields = fields.into_iter();
    let mut op = None;
    while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
        if field.as_bytes() == Some(FIELD.as_bytes()) {
            op = value.as_bytes().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        }
    }
    Some(Message { id, op })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_by_both_parts() {
        let place = |id| Place::parse(id).expect("an id");
        assert!(place("9-9") < place("10-0") && place("10-2") < place("10-10"));
        assert_eq!(place("5-7").next().text(), "5-8");
        assert_eq!(Place { ms: 5, number: u64::MAX }.next().text(), "6-0");
        assert!(Place::parse("5").is_none() && Place::parse("a-b").is_none());
    }
}
