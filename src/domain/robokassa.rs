//! Robokassa's protocol, pure: the link a payer follows, what the gateway tells us about it, and the signatures on both.
//!
//! Sources: <https://docs.robokassa.ru/ru/pay-interface> (the link), <https://docs.robokassa.ru/ru/notifications-and-redirects>
//! (ResultURL, SuccessURL, FailURL), <https://docs.robokassa.ru/script-parameters/> (every parameter),
//! <https://docs.robokassa.ru/testing-mode> (IsTest and its own passwords), and the gateway's own library, robokassa/sdk-php.
//!
//! Whatever is signed is signed as the very text that is sent, joined by colons, with `Shp_` parameters (the shop's own,
//! which the gateway returns unchanged) behind the password, sorted by name:
//!
//! | what | who signs | base |
//! |---|---|---|
//! | link | shop | `MerchantLogin:OutSum:InvId[:OutSumCurrency][:Receipt]:Password#1[:Shp_a=1…]` |
//! | ResultURL | gateway | `OutSum:InvId:Password#2[:Shp_a=1…]` |
//! | SuccessURL | gateway | `OutSum:InvId:Password#1[:Shp_a=1…]` |
//! | FailURL | nobody | |
//!
//! A `Receipt` (for shops whose cash register is the gateway's) is not sent.
//!
//! Only ResultURL, from server to server, says that money has arrived. The other two are a person's browser talking.

mod message;

use std::fmt;

use sha2::Digest;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use time::macros::format_description;

pub use self::message::{Fields, Link, Message, Unreadable, invoice};

/// The shop's name in the sandbox; nobody may have it at the real gateway.
pub const SANDBOX_LOGIN: &str = "orderboard-sandbox";
/// The parameter that holds a signature.
const SIGNATURE: &str = "SignatureValue";
/// Where the sandbox's page is; a path, so that it is always the host at which the payer already is.
pub const SANDBOX_PAGE: &str = "/sandbox/robokassa";
/// Currencies in which a link may state its sum: roubles, and what `OutSumCurrency` takes.
const CURRENCIES: [&str; 4] = ["RUB", "USD", "EUR", "KZT"];

/// The algorithm chosen in the shop's technical settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hash {
    #[default]
    Md5,
    Ripemd160,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub const ALL: [Hash; 6] = [Hash::Md5, Hash::Ripemd160, Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];

    pub fn as_str(self) -> &'static str {
        match self {
            Hash::Md5 => "md5",
            Hash::Ripemd160 => "ripemd160",
            Hash::Sha1 => "sha1",
            Hash::Sha256 => "sha256",
            Hash::Sha384 => "sha384",
            Hash::Sha512 => "sha512",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.as_str() == name)
    }

    /// The hash of a text, in lower-case hexadecimal.
    pub fn hex(self, text: &str) -> String {
        match self {
            Hash::Md5 => hex::<md5::Md5>(text),
            Hash::Ripemd160 => hex::<ripemd::Ripemd160>(text),
            Hash::Sha1 => hex::<sha1::Sha1>(text),
            Hash::Sha256 => hex::<sha2::Sha256>(text),
            Hash::Sha384 => hex::<sha2::Sha384>(text),
            Hash::Sha512 => hex::<sha2::Sha512>(text),
        }
    }
}

fn hex<D: Digest>(text: &str) -> String {
    D::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret of the shop's: never printed, not even by a debugging line.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whose money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The payer's.
    Live,
    /// Nobody's: the real gateway in its test mode.
    Test,
    /// Nobody's: a gateway of our own, for development.
    Sandbox,
}

/// The language in which the gateway greets the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culture {
    Ru,
    En,
}

/// The shop as the gateway knows it.
#[derive(Clone, Debug)]
pub struct Merchant {
    pub login: String,
    /// Signs links, and the gateway's SuccessURL.
    pub first: Password,
    /// Signs the gateway's ResultURL.
    pub second: Password,
    pub hash: Hash,
    pub stage: Stage,
    /// The gateway's page, to which a link's parameters are added.
    pub page: String,
}

/// What somebody is asked to pay.
#[derive(Clone, Debug)]
pub struct Invoice<'a> {
    /// `InvId`: unique in the shop, at least 1.
    pub id: u64,
    /// Minor units.
    pub amount: i64,
    pub currency: &'a str,
    pub culture: Culture,
    /// The gateway takes no payment after this time.
    pub expires_at: OffsetDateTime,
    /// The shop's own parameters; each name begins with `Shp_`.
    pub shp: Vec<(String, String)>,
}

impl Merchant {
    /// The sandbox: everybody may know its passwords, and production refuses it.
    pub fn sandbox() -> Self {
        Self {
            login: SANDBOX_LOGIN.to_owned(),
            first: Password::new("sandbox-password-1"),
            second: Password::new("sandbox-password-2"),
            hash: Hash::Md5,
            stage: Stage::Sandbox,
            page: SANDBOX_PAGE.to_owned(),
        }
    }

    /// Whether a payment in this currency can be asked for. The gateway converts a sum in another currency to roubles at
    /// the rate of the moment of payment, and nothing published says in which of the two its notification states the
    /// sum; so, where real money moves, roubles only: a sum that cannot be compared must not be credited.
    pub fn takes(&self, currency: &str) -> bool {
        match self.stage {
            Stage::Live | Stage::Test => currency == "RUB",
            Stage::Sandbox => CURRENCIES.contains(&currency),
        }
    }

    /// Where the payer goes.
    pub fn link(&self, invoice: &Invoice<'_>) -> String {
        let (out_sum, inv_id) = (out_sum(invoice.amount), invoice.id.to_string());
        let other_currency = Some(invoice.currency).filter(|currency| *currency != "RUB");
        let mut signed = vec![self.login.as_str(), &out_sum, &inv_id];
        signed.extend(other_currency);
        let signature = self.sign(&signed, &self.first, &invoice.shp);
        // At most 100 Russian or English letters, digits and punctuation marks.
        let (description, culture) = match invoice.culture {
            Culture::Ru => (format!("Пополнение кошелька, счёт {inv_id}"), "ru"),
            Culture::En => (format!("Wallet top-up, invoice {inv_id}"), "en"),
        };
        // "YYYY-MM-DDThh:mm:ss.fffffffZZZZZ"
        let expiration = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]+00:00");
        let expires_at = invoice.expires_at.to_offset(time::UtcOffset::UTC).format(expiration).unwrap_or_default();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("MerchantLogin", &self.login).append_pair("OutSum", &out_sum);
        if let Some(currency) = other_currency {
            query.append_pair("OutSumCurrency", currency);
        }
        query.append_pair("InvId", &inv_id).append_pair("Description", &description).append_pair(SIGNATURE, &signature);
        query.append_pair("Culture", culture).append_pair("Encoding", "utf-8").append_pair("ExpirationDate", &expires_at);
        // "0" and an empty value would mean a payment with real money as well as no parameter does.
        if self.stage != Stage::Live {
            query.append_pair("IsTest", "1");
        }
        query.extend_pairs(sorted(&invoice.shp));
        format!("{}?{}", self.page, query.finish())
    }

    /// Whether this is a link of ours, as the gateway asks.
    pub fn is_link(&self, link: &Link) -> bool {
        let mut signed = vec![link.login.as_str(), &link.out_sum, &link.inv_id];
        signed.extend(link.currency.as_deref());
        link.login == self.login && self.is_signed(&signed, &self.first, &link.shp, &link.signature)
    }

    /// Whether the gateway says that money has arrived.
    pub fn is_notification(&self, message: &Message) -> bool {
        self.is_signed(&[&message.out_sum, &message.inv_id], &self.second, &message.shp, &message.signature)
    }

    /// Whether the gateway sent this browser back after a payment.
    pub fn is_return(&self, message: &Message) -> bool {
        self.is_signed(&[&message.out_sum, &message.inv_id], &self.first, &message.shp, &message.signature)
    }

    /// What the gateway sends to ResultURL, as a form. `out_sum` is as the gateway likes to write it.
    pub fn notification(&self, out_sum: &str, inv_id: &str, shp: &[(String, String)]) -> String {
        // Sent in capitals, which the checks above must not mind.
        let signature = self.sign(&[out_sum, inv_id], &self.second, shp).to_uppercase();
        self.message(&[("OutSum", out_sum), ("InvId", inv_id), ("Fee", "0.000000"), (SIGNATURE, &signature)], shp)
    }

    /// What the gateway sends a browser back to SuccessURL with, as a query.
    pub fn success(&self, out_sum: &str, inv_id: &str, shp: &[(String, String)]) -> String {
        let signature = self.sign(&[out_sum, inv_id], &self.first, shp);
        self.message(&[("OutSum", out_sum), ("InvId", inv_id), (SIGNATURE, &signature)], shp)
    }

    /// What the gateway sends a browser back to FailURL with, as a query.
    pub fn fail(&self, out_sum: &str, inv_id: &str, shp: &[(String, String)]) -> String {
        self.message(&[("OutSum", out_sum), ("InvId", inv_id)], shp)
    }

    fn message(&self, fields: &[(&str, &str)], shp: &[(String, String)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        if self.stage != Stage::Live {
            form.append_pair("IsTest", "1");
        }
        form.extend_pairs(sorted(shp)).finish()
    }

    fn sign(&self, signed: &[&str], password: &Password, shp: &[(String, String)]) -> String {
        let mut base = signed.join(":");
        base.push(':');
        base.push_str(&password.0);
        for (name, value) in sorted(shp) {
            base.extend([":", name, "=", value]);
        }
        self.hash.hex(&base)
    }

    fn is_signed(&self, signed: &[&str], password: &Password, shp: &[(String, String)], signature: &str) -> bool {
        let due = self.sign(signed, password, shp);
        due.as_bytes().ct_eq(signature.to_ascii_lowercase().as_bytes()).into()
    }
}

fn sorted(shp: &[(String, String)]) -> Vec<(&str, &str)> {
    let mut pairs: Vec<(&str, &str)> = shp.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.sort_unstable();
    pairs
}

/// Minor units as `OutSum`. Every currency that a link may name has two decimals.
pub fn out_sum(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// `OutSum` as minor units: `100`, `100.0` and `100.000000` are 10,000. Nothing but digits and one dot, no fraction of a
/// kopeck, nothing that does not fit.
pub fn parse_sum(text: &str) -> Option<i64> {
    const LENGTH_MAX: usize = 32;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() > LENGTH_MAX || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let (kopecks, beyond) = fraction.split_at(fraction.len().min(2));
    if beyond.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let kopecks: i64 = format!("{kopecks:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(kopecks)
}

#[cfg(test)]
#[path = "robokassa_tests.rs"]
mod tests;
