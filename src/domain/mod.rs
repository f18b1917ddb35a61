//! The rules of the market, pure: no async, no I/O, no clock. Everything above may import this; this imports
//! nothing of ours. Money is `i64` minor units, and floating point never appears here.

pub mod application;
pub mod billing;
pub mod category;
pub mod commission;
pub mod edit;
pub mod event;
pub mod ledger;
pub mod letters;
pub mod limits;
pub mod money;
pub mod news;
pub mod notice;
pub mod notice_words;
pub mod order;
pub mod payout;
pub mod rate;
pub mod refusal;
pub mod robokassa;

pub mod schema;
pub mod search;
pub mod sheet;
pub mod text;
pub mod user;
