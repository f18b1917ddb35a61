//! Notices: what people are told, about what, and with which facts. A notice names its event and its subject, and nobody is
//! told twice of the same subject.

use schemars::JsonSchema;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::order::{Assignment, Order};
use super::schema::Moment;
use super::user::Party;

/// What happened. The names are part of the API and of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "NoticeEvent")]
pub enum Event {
    /// To executors: a new order in a category they follow.
    OrderNew,
    /// To an applicant: the customer chose them.
    Chosen,
    /// To an applicant: the customer chose somebody else.
    Declined,
    WorkConfirmed,
    WorkRejected,
    PayoutApproved,
    PayoutRejected,
    /// To a customer: somebody applied for an order.
    Applicant,
    /// To a customer: somebody took an order.
    Taken,
    WorkSubmitted,
    Topup,
    /// To a customer: money left the wallet for a finished order.
    Debited,
    /// To both sides: an admin decided a dispute.
    Arbitrated,
    PasswordChanged,
}

impl Event {
    pub const ALL: [Event; 14] = [
        Event::OrderNew,
        Event::Chosen,
        Event::Declined,
        Event::WorkConfirmed,
        Event::WorkRejected,
        Event::PayoutApproved,
        Event::PayoutRejected,
        Event::Applicant,
        Event::Taken,
        Event::WorkSubmitted,
        Event::Topup,
        Event::Debited,
        Event::Arbitrated,
        Event::PasswordChanged,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Event::OrderNew => "order_new",
            Event::Chosen => "chosen",
            Event::Declined => "declined",
            Event::WorkConfirmed => "work_confirmed",
            Event::WorkRejected => "work_rejected",
            Event::PayoutApproved => "payout_approved",
            Event::PayoutRejected => "payout_rejected",
            Event::Applicant => "applicant",
            Event::Taken => "taken",
            Event::WorkSubmitted => "work_submitted",
            Event::Topup => "topup",
            Event::Debited => "debited",
            Event::Arbitrated => "arbitrated",
            Event::PasswordChanged => "password_changed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }

    /// How everybody is told of it who has not chosen otherwise. Letters are for what asks for an act or is about one's money
    /// leaving; whoever links a chat wants to be told there.
    fn usual(self) -> Ways {
        let mail = matches!(
            self,
            Event::Chosen
                | Event::WorkRejected
                | Event::PayoutApproved
                | Event::PayoutRejected
                | Event::Taken
                | Event::WorkSubmitted
                | Event::Arbitrated
                | Event::PasswordChanged
        );
        Ways { app: true, mail, telegram: true }
    }

    /// 0 goes first.
    pub fn priority(self) -> u8 {
        match self {
            Event::PasswordChanged => 1,
            Event::OrderNew => 4,
            Event::Topup | Event::Debited | Event::Declined | Event::Applicant => 3,
            _ => 2,
        }
    }

    /// For how many seconds it is worth sending: an order that is gone is no news.
    pub fn wanted_for_s(self) -> u64 {
        match self {
            Event::OrderNew => 900,
            _ => 86_400,
        }
    }
}

/// By which ways a user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ways {
    pub app: bool,
    pub mail: bool,
    pub telegram: bool,
}

/// What a user has chosen; for what is not named, the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices(BTreeMap<Event, Ways>);

impl Choices {
    pub fn of(&self, event: Event) -> Ways {
        self.0.get(&event).copied().unwrap_or_else(|| event.usual())
    }

    /// Every event, chosen or not.
    pub fn whole(&self) -> BTreeMap<Event, Ways> {
        Event::ALL.into_iter().map(|event| (event, self.of(event))).collect()
    }

    /// These instead of what was chosen for them before.
    pub fn change(&mut self, changes: BTreeMap<Event, Ways>) {
        self.0.extend(changes);
    }
}

/// What is known of it; what does not belong to an event is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NoticeFacts")]
pub struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topup_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whose doing it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    /// Their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Of a dispute: `pay` or `refund`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

/// Words of others that a notice repeats are cut to this; the whole is where the notice points to.
const COMMENT_CHARS_MAX: usize = 300;

impl Facts {
    fn of_order(order: &Order) -> Self {
        Self {
            order_id: Some(order.id),
            title: Some(order.title.clone()),
            category: order.category.clone(),
            price: Some(order.price),
            payout: Some(order.payout),
            currency: Some(order.currency.clone()),
            ..Self::default()
        }
    }

    fn by(self, party: &Party) -> Self {
        Self { by: Some(party.clone()), ..self }
    }

    fn saying(self, comment: &str) -> Self {
        Self { comment: (!comment.is_empty()).then(|| comment.chars().take(COMMENT_CHARS_MAX).collect()), ..self }
    }
}

/// A notice as it is read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// Its number among this user's.
    pub id: u64,
    pub event: Event,
    #[schemars(with = "Facts")]
    pub facts: Box<RawValue>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub created_at: OffsetDateTime,
    pub created_ms: i64,
}

/// How far a user has read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    pub user_id: u64,
    pub version: u64,
    /// The number of the newest notice.
    pub newest: u64,
    /// Everything up to this number has been read.
    pub read_up_to: u64,
    pub unread: u32,
}

/// An inbox as news, with what came lately: oldest first, and few.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxNews {
    pub inbox: Inbox,
    pub latest: Vec<Told>,
}

/// Something that one user is to be told.
#[derive(Clone, Debug)]
pub struct Notice {
    pub user_id: u64,
    pub event: Event,
    pub subject: String,
    pub facts: Facts,
}

impl Notice {
    fn of_order(user_id: u64, event: Event, order: &Order) -> Self {
        Self { user_id, event, subject: format!("order:{}", order.id), facts: Facts::of_order(order) }
    }

    /// The same about something that may happen to an order again.
    fn at(self, at: OffsetDateTime) -> Self {
        Self { subject: format!("{}:{}", self.subject, at.unix_timestamp_nanos() / 1_000), ..self }
    }

    /// To a subscriber of the order's category.
    pub fn order_new(user_id: u64, order: &Order) -> Self {
        let notice = Self::of_order(user_id, Event::OrderNew, order);
        Self { facts: notice.facts.by(&order.customer), ..notice }
    }

    /// To the customer. Nothing for an order that nobody has, or whose customer has chosen.
    pub fn taken(order: &Order) -> Option<Self> {
        let (by, at) = order.taken().filter(|_| order.assignment == Assignment::First)?;
        let notice = Self::of_order(order.customer.id, Event::Taken, order);
        Some(Self { facts: notice.facts.by(&by), ..notice }.at(at))
    }

    /// To the customer: somebody wants the order, for this price. Told once of each applicant, however often they think anew.
    pub fn applicant(order: &Order, by: &Party, price: i64, message: &str) -> Self {
        let notice = Self::of_order(order.customer.id, Event::Applicant, order);
        let facts = Facts { price: Some(price), ..notice.facts.by(by).saying(message) };
        Self { subject: format!("order:{}:{}", order.id, by.id), facts, ..notice }
    }

    /// To the applicant who was chosen; `order` as it is then.
    pub fn chosen(order: &Order, executor: &Party) -> Self {
        let notice = Self::of_order(executor.id, Event::Chosen, order);
        Self { facts: notice.facts.by(&order.customer), ..notice }
    }

    /// To an applicant who was not.
    pub fn declined(order: &Order, applicant_id: u64) -> Self {
        let notice = Self::of_order(applicant_id, Event::Declined, order);
        Self { facts: notice.facts.by(&order.customer), ..notice }
    }

    /// To both sides of a dispute.
    pub fn arbitrated(order: &Order, verdict: &str, comment: &str) -> Vec<Self> {
        let sides = [Some(order.customer.id), order.executor.as_ref().map(|executor| executor.id)];
        let told = sides.into_iter().flatten().map(|user_id| {
            let notice = Self::of_order(user_id, Event::Arbitrated, order);
            Self { facts: Facts { verdict: Some(verdict.to_owned()), ..notice.facts.saying(comment) }, ..notice }
        });
        told.collect()
    }

    /// To the customer: look at it, and confirm or reject.
    pub fn work_submitted(order: &Order, by: &Party, at: OffsetDateTime) -> Self {
        let notice = Self::of_order(order.customer.id, Event::WorkSubmitted, order);
        Self { facts: notice.facts.by(by), ..notice }.at(at)
    }

    /// To the executor: it is not what the customer asked for.
    pub fn work_rejected(order: &Order, executor: &Party, reason: &str, at: OffsetDateTime) -> Self {
        let notice = Self::of_order(executor.id, Event::WorkRejected, order);
        Self { facts: notice.facts.by(&order.customer).saying(reason), ..notice }.at(at)
    }

    /// To the executor: the payout is among the earnings.
    pub fn work_confirmed(order: &Order, executor: &Party) -> Self {
        let notice = Self::of_order(executor.id, Event::WorkConfirmed, order);
        Self { facts: Facts { amount: Some(order.payout), ..notice.facts.by(&order.customer) }, ..notice }
    }

    /// To the customer: the price has left the wallet.
    pub fn debited(order: &Order, executor: &Party) -> Self {
        let notice = Self::of_order(order.customer.id, Event::Debited, order);
        Self { facts: Facts { amount: Some(order.price), ..notice.facts.by(executor) }, ..notice }
    }

    /// To whoever asked for the payout.
    pub fn payout_decided(user_id: u64, event: Event, payout_id: u64, (amount, currency): (i64, &str), comment: &str) -> Self {
        let facts = Facts { payout_id: Some(payout_id), amount: Some(amount), currency: Some(currency.to_owned()), ..Facts::default() };
        Self { user_id, event, subject: format!("payout:{payout_id}"), facts: facts.saying(comment) }
    }

    /// To whoever it belongs to: it may not have been them.
    pub fn password_changed(user_id: u64, at: OffsetDateTime) -> Self {
        Self { user_id, event: Event::PasswordChanged, subject: "password".to_owned(), facts: Facts::default() }.at(at)
    }

    /// To the payer.
    pub fn topup(user_id: u64, topup_id: u64, amount: i64, currency: &str) -> Self {
        let facts = Facts { topup_id: Some(topup_id), amount: Some(amount), currency: Some(currency.to_owned()), ..Facts::default() };
        Self { user_id, event: Event::Topup, subject: format!("topup:{topup_id}"), facts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_events_are_read_back_and_fit_their_column() {
        for event in Event::ALL {
            assert_eq!(Event::parse(event.as_str()), Some(event));
            assert_eq!(serde_json::to_string(&event).expect("a name"), format!("{:?}", event.as_str()));
            assert!(event.as_str().len() <= 20);
        }
        assert_eq!(Event::parse("comet"), None);
    }

    #[test]
    fn facts_that_do_not_belong_are_left_out_and_words_are_cut() {
        let notice = Notice::payout_decided(7, Event::PayoutRejected, 3, (500, "RUB"), &"я".repeat(1_000));
        let told = serde_json::to_value(&notice.facts).expect("JSON");
        assert_eq!((&told["payout_id"], &told["amount"], told.as_object().map(serde_json::Map::len)), (&3.into(), &500.into(), Some(4)));
        assert_eq!(told["comment"].as_str().map(|words| words.chars().count()), Some(COMMENT_CHARS_MAX));
        assert_eq!((notice.subject.as_str(), Notice::topup(7, 4, 1, "RUB").facts.comment), ("payout:3", None));
    }
}
