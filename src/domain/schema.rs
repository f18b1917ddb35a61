//! How values that travel as plain text look in JSON: for the description of the API only.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::category::SLUG_LEN_MAX;
use super::money::Currency;

/// A moment as RFC 3339 tells it.
pub enum Moment {}

/// A category's short name.
pub enum Slug {}

macro_rules! plain {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

plain!(Moment, "Moment", json_schema!({"type": "string", "format": "date-time", "examples": ["2026-11-20T10:00:00Z"]}));
plain!(
    Slug,
    "Slug",
    json_schema!({"type": "string", "minLength": 1, "maxLength": SLUG_LEN_MAX, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "examples": ["repair"]})
);
plain!(
    Currency,
    "Currency",
    json_schema!({"type": "string", "pattern": "^[A-Z]{3}$", "description": "A code of ISO 4217", "examples": ["RUB"]})
);
