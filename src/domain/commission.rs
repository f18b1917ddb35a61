//! Commission: what the house keeps of an order's price. Integers only, and the figure a person typed is never
//! altered: from a price comes the payout, from a payout comes the price.
//!
//! * **exact**: commission = price × rate, rounded up to the minor unit.
//! * **round**: both figures look nice. Among the payouts that keep the commission between floor and rate, the
//!   one divisible by the coarsest step of 1, 5, 10, 50, 100, 500, … minor units; ties go to the smallest payout
//!   (or, when the payout was typed, to the largest price). Where no such figure exists: exact.
//!
//! Picking the coarsest, then the smallest, is one total order over all integers, and both ends of the interval
//! grow with the price: that is why the payout never falls when the price rises.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::{AMOUNT_MAX, Amount};
use super::refusal::{Invalid, Reason};

/// Basis points in the whole.
const WHOLE_BP: i64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CommissionMode")]
pub enum Mode {
    Exact,
    Round,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Exact => "exact",
            Mode::Round => "round",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "exact" => Some(Mode::Exact),
            "round" => Some(Mode::Round),
            _ => None,
        }
    }
}

/// The commission rule in force. An order keeps the policy it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CommissionPolicy")]
pub struct Policy {
    rate_bp: u16,
    floor_bp: u16,
    mode: Mode,
}

impl Default for Policy {
    /// 10 %, at least 8 % in round mode.
    fn default() -> Self {
        Self { rate_bp: 1_000, floor_bp: 800, mode: Mode::Round }
    }
}

impl Policy {
    /// A policy takes at least 0.01 % and leaves the executor at least half; the floor is not above the rate.
    pub fn new(rate_bp: u16, floor_bp: u16, mode: Mode) -> Result<Self, Invalid> {
        if !(1..=5_000).contains(&rate_bp) {
            return Err(Invalid::new("rate_bp", Reason::TooLarge, "`rate_bp` must be between 1 and 5000 basis points"));
        }
        if floor_bp > rate_bp {
            return Err(Invalid::new("floor_bp", Reason::TooLarge, "`floor_bp` must not be above `rate_bp`"));
        }
        Ok(Self { rate_bp, floor_bp, mode })
    }

    pub fn rate_bp(self) -> u16 {
        self.rate_bp
    }
    pub fn floor_bp(self) -> u16 {
        self.floor_bp
    }
    pub fn mode(self) -> Mode {
        self.mode
    }

    /// The split of a typed price. Refused when nothing would be left for the executor.
    pub fn by_price(self, price: Amount) -> Result<Split, Invalid> {
        let price = price.minor();
        let payout = match self.mode {
            Mode::Round => self.round_payout(price),
            Mode::Exact => None,
        };
        let payout = payout.unwrap_or_else(|| price - ceil_div(price, i64::from(self.rate_bp), WHOLE_BP));
        Split::new(price, payout)
    }

    /// The split that gives the executor exactly `payout`.
    pub fn by_payout(self, payout: Amount) -> Result<Split, Invalid> {
        let payout = payout.minor();
        let price = match self.mode {
            Mode::Round => self.round_price(payout),
            Mode::Exact => None,
        };
        // The smallest price whose exact payout reaches the typed one; exact payouts rise by at most one minor
        // unit a step, so it meets it.
        let price = price.unwrap_or_else(|| ceil_div(payout, WHOLE_BP, WHOLE_BP - i64::from(self.rate_bp)));
        Split::new(price, payout)
    }

    fn round_payout(self, price: i64) -> Option<i64> {
        let low = ceil_div(price, WHOLE_BP - i64::from(self.rate_bp), WHOLE_BP).max(1);
        let high = floor_div(price, WHOLE_BP - i64::from(self.floor_bp), WHOLE_BP).min(price - 1);
        coarsest(low, high, Tie::Smallest)
    }

    fn round_price(self, payout: i64) -> Option<i64> {
        let low = ceil_div(payout, WHOLE_BP, WHOLE_BP - i64::from(self.floor_bp)).max(payout + 1);
        let high = floor_div(payout, WHOLE_BP, WHOLE_BP - i64::from(self.rate_bp));
        coarsest(low, high, Tie::Largest)
    }
}

/// A price divided between executor and house: `payout + commission = price`, both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Split {
    pub price: i64,
    pub payout: i64,
    pub commission: i64,
}

impl Split {
    fn new(price: i64, payout: i64) -> Result<Self, Invalid> {
        if price > AMOUNT_MAX {
            return Err(Invalid::new("payout", Reason::TooLarge, format!("the price would be {price}, above {AMOUNT_MAX} minor units")));
        }
        if payout < 1 {
            return Err(Invalid::new(
                "price",
                Reason::PayoutZero,
                format!("a price of {price} leaves nothing for the executor after commission"),
            ));
        }
        let commission = price - payout;
        debug_assert!(commission >= 1, "price {price} payout {payout}");
        Ok(Self { price, payout, commission })
    }
}

#[derive(Clone, Copy)]
enum Tie {
    Smallest,
    Largest,
}

/// The number in `low..=high` divisible by the coarsest step of the ladder 1, 5, 10, 50, 100, …
fn coarsest(low: i64, high: i64, tie: Tie) -> Option<i64> {
    if low > high {
        return None;
    }
    let mut best = None;
    let mut step: i64 = 1;
    let mut factor = 5;
    while step <= high {
        let candidate = match tie {
            Tie::Smallest => ceil_div(low, 1, step) * step,
            Tie::Largest => high / step * step,
        };
        if (low..=high).contains(&candidate) {
            best = Some(candidate);
        }
        step *= factor;
        factor = if factor == 5 { 2 } else { 5 };
    }
    best
}

/// `ceil(a·b / c)` for positive operands, through `i128` so that no product overflows.
fn ceil_div(a: i64, b: i64, c: i64) -> i64 {
    let product = i128::from(a) * i128::from(b);
    narrow((product + i128::from(c) - 1) / i128::from(c))
}

fn floor_div(a: i64, b: i64, c: i64) -> i64 {
    narrow(i128::from(a) * i128::from(b) / i128::from(c))
}

/// Amounts are bounded by [`AMOUNT_MAX`] and rates by one half, so a quotient always fits.
fn narrow(quotient: i128) -> i64 {
    i64::try_from(quotient).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "commission_tests.rs"]
mod tests;
