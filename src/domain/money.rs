//! Amounts of money: positive integers of a currency's minor unit (kopecks for RUB). An `Amount` that exists is
//! positive and small enough that sums of a million of them still fit `i64`.

use std::fmt;
use std::str::FromStr;

use iso_currency::Currency as Iso;
use serde::{Deserialize, Serialize};

use super::refusal::{Invalid, Reason};

/// The largest single amount: 10^12 minor units. A million of them still fit `i64`, and JSON numbers stay exact.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// A positive number of minor units, at most [`AMOUNT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Amount(i64);

impl Amount {
    /// Parses what a caller sent as `field`; zero, negative and huge values are named refusals.
    pub fn parse(field: &'static str, minor: i64) -> Result<Self, Invalid> {
        if minor <= 0 {
            return Err(Invalid::new(field, Reason::NotPositive, format!("`{field}` must be at least 1 minor unit, got {minor}")));
        }
        if minor > AMOUNT_MAX {
            return Err(Invalid::new(field, Reason::TooLarge, format!("`{field}` must be at most {AMOUNT_MAX} minor units, got {minor}")));
        }
        Ok(Self(minor))
    }

    /// The amount in minor units.
    pub fn minor(self) -> i64 {
        self.0
    }
}

/// An ISO 4217 currency in circulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency(Iso);

impl Currency {
    pub const RUB: Currency = Currency(Iso::RUB);

    /// Parses a code such as `RUB`; funds, metals and codes without a minor unit are refused.
    pub fn parse(code: &str) -> Result<Self, Invalid> {
        Iso::from_code(code)
            .filter(|iso| iso.exponent().is_some() && !iso.is_special())
            .map(Self)
            .ok_or_else(|| Invalid::new("currency", Reason::Currency, "`currency` must be an ISO 4217 code in capitals, such as RUB"))
    }

    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many digits the minor unit takes after the decimal sign: 2 for RUB, 0 for JPY.
    pub fn digits(self) -> usize {
        usize::from(self.0.exponent().unwrap_or(2))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = Invalid;
    fn from_str(code: &str) -> Result<Self, Invalid> {
        Self::parse(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&code).map_err(|invalid| serde::de::Error::custom(invalid.detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_negative_and_huge_amounts_are_refused() {
        for minor in [0, -1, i64::MIN, AMOUNT_MAX + 1, i64::MAX] {
            assert!(Amount::parse("price", minor).is_err(), "{minor}");
        }
        assert_eq!(Amount::parse("price", 1).expect("one").minor(), 1);
    }

    #[test]
    fn only_currencies_in_circulation_are_known() {
        assert!(Currency::parse("RUB").is_ok() && Currency::parse("USD").is_ok());
        for code in ["rub", "XAU", "XXX", "ZZZ", "", "RUBLE"] {
            assert!(Currency::parse(code).is_err(), "{code}");
        }
    }
}
