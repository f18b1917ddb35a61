//! What comes in: the parameters of a query or a form, and what they say. Nothing here is believed yet.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::SIGNATURE;

/// Why a set of parameters cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    Missing(&'static str),
    /// Which of the two was signed, nobody can tell.
    Repeated(&'static str),
    TooMany,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Missing(name) => write!(f, "`{name}` is missing"),
            Unreadable::Repeated(name) => write!(f, "`{name}` is there more than once"),
            Unreadable::TooMany => write!(f, "there are more than {FIELDS_MAX} parameters"),
        }
    }
}

const FIELDS_MAX: usize = 64;

/// The parameters of a query or a form.
#[derive(Clone, Debug)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let fields: Vec<(String, String)> =
            form_urlencoded::parse(text).take(FIELDS_MAX + 1).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        if fields.len() > FIELDS_MAX { Err(Unreadable::TooMany) } else { Ok(Self(fields)) }
    }

    /// The value of a parameter that may be missing, and must not be there twice.
    pub fn optional(&self, name: &'static str) -> Result<Option<&str>, Unreadable> {
        let mut found = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(Unreadable::Repeated(name)),
            (value, None) => Ok(value),
        }
    }

    pub fn required(&self, name: &'static str) -> Result<&str, Unreadable> {
        self.optional(name)?.filter(|value| !value.is_empty()).ok_or(Unreadable::Missing(name))
    }

    /// The shop's own parameters; their prefix may be written in any case.
    fn shp(&self) -> Result<Vec<(String, String)>, Unreadable> {
        let is_ours = |name: &str| name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("shp_"));
        let mut found: Vec<(String, String)> = self.0.iter().filter(|(name, _)| is_ours(name)).cloned().collect();
        found.sort_unstable();
        let is_repeated = found.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if is_repeated { Err(Unreadable::Repeated("Shp_")) } else { Ok(found) }
    }

    fn is_test(&self) -> Result<bool, Unreadable> {
        Ok(self.optional("IsTest")?.is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true")))
    }
}

/// What the gateway sends to ResultURL and SuccessURL: the texts as they came.
#[derive(Clone, Debug)]
pub struct Message {
    pub out_sum: String,
    pub inv_id: String,
    pub signature: String,
    pub is_test: bool,
    pub shp: Vec<(String, String)>,
}

impl Message {
    pub fn read(fields: &Fields) -> Result<Self, Unreadable> {
        Ok(Self {
            out_sum: fields.required("OutSum")?.to_owned(),
            inv_id: fields.required("InvId")?.to_owned(),
            signature: fields.required(SIGNATURE)?.to_owned(),
            is_test: fields.is_test()?,
            shp: fields.shp()?,
        })
    }

    /// The invoice that is meant, if it is a number at all.
    pub fn invoice(&self) -> Option<u64> {
        invoice(&self.inv_id)
    }
}

/// `InvId` as a number: digits only.
pub fn invoice(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A link as the gateway reads it.
#[derive(Clone, Debug)]
pub struct Link {
    pub login: String,
    pub out_sum: String,
    pub currency: Option<String>,
    pub inv_id: String,
    pub description: String,
    pub signature: String,
    pub expires_at: Option<OffsetDateTime>,
    pub shp: Vec<(String, String)>,
}

impl Link {
    pub fn read(fields: &Fields) -> Result<Self, Unreadable> {
        let expires_at = fields.optional("ExpirationDate")?;
        let expires_at = expires_at.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        Ok(Self {
            login: fields.required("MerchantLogin")?.to_owned(),
            out_sum: fields.required("OutSum")?.to_owned(),
            currency: fields.optional("OutSumCurrency")?.map(str::to_owned),
            inv_id: fields.required("InvId")?.to_owned(),
            description: fields.optional("Description")?.unwrap_or_default().to_owned(),
            signature: fields.required(SIGNATURE)?.to_owned(),
            expires_at,
            shp: fields.shp()?,
        })
    }
}
