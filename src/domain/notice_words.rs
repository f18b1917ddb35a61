//! Notices in words: a line that says what happened and where to look, for letters and messages. The page has its own words.

use super::money::Currency;
use super::notice::{Event, Facts};
use super::user::Language;

/// A notice for a reader of this language: a line, and what else there is to say.
pub fn words(event: Event, facts: &Facts, language: Language) -> (String, Vec<String>) {
    let quoted = |text: &str| match language {
        Language::Ru => format!("«{text}»"),
        Language::En => format!("“{text}”"),
    };
    let title = facts.title.as_deref().map(quoted).unwrap_or_default();
    let by = facts.by.as_ref().map_or("", |by| by.name.as_str());
    let sum = |minor: Option<i64>| sum(minor.unwrap_or_default(), facts.currency.as_deref().unwrap_or("RUB"));
    let (price, payout, amount) = (sum(facts.price), sum(facts.payout), sum(facts.amount));
    let line = match language {
        Language::Ru => match event {
            Event::OrderNew => format!("Новый заказ {title}: {price}, вам {payout}"),
            Event::Chosen => format!("Вас выбрали исполнителем заказа {title}"),
            Event::Declined => format!("Заказ {title} отдали другому исполнителю"),
            Event::WorkConfirmed => format!("Работа по заказу {title} принята: +{amount}"),
            Event::WorkRejected => format!("Работу по заказу {title} вернули на доработку"),
            Event::PayoutApproved => format!("Выплата одобрена: {amount}"),
            Event::PayoutRejected => format!("Выплата отклонена: {amount} снова на балансе"),
            Event::Applicant => format!("{by} хочет взять ваш заказ {title}"),
            Event::Taken => format!("{by} берётся за ваш заказ {title}"),
            Event::WorkSubmitted => format!("{by} сдаёт работу по заказу {title}"),
            Event::Topup => format!("Кошелёк пополнен: {amount}"),
            Event::Debited => format!("Заказ {title} оплачен: −{amount}"),
            Event::Arbitrated => format!("Спор по заказу {title} решён"),
            Event::PasswordChanged => "Пароль вашей учётной записи изменён".to_owned(),
        },
        Language::En => match event {
            Event::OrderNew => format!("A new order {title}: {price}, {payout} for you"),
            Event::Chosen => format!("You were chosen for the order {title}"),
            Event::Declined => format!("The order {title} was given to somebody else"),
            Event::WorkConfirmed => format!("Your work on {title} was confirmed: +{amount}"),
            Event::WorkRejected => format!("Your work on {title} was sent back"),
            Event::PayoutApproved => format!("Your payout was approved: {amount}"),
            Event::PayoutRejected => format!("Your payout was rejected: {amount} are free again"),
            Event::Applicant => format!("{by} would like your order {title}"),
            Event::Taken => format!("{by} took your order {title}"),
            Event::WorkSubmitted => format!("{by} handed in the work on {title}"),
            Event::Topup => format!("Your wallet was topped up: {amount}"),
            Event::Debited => format!("The order {title} was paid: −{amount}"),
            Event::Arbitrated => format!("The dispute about {title} was decided"),
            Event::PasswordChanged => "The password of your account was changed".to_owned(),
        },
    };
    (line, facts.comment.iter().cloned().collect())
}

/// Where on the page the reader goes from it.
pub fn path(event: Event, facts: &Facts) -> String {
    match (facts.order_id, event) {
        (Some(order_id), _) => format!("/orders/{order_id}"),
        (None, Event::PayoutApproved | Event::PayoutRejected) => "/payouts".to_owned(),
        (None, Event::Topup) => "/balance".to_owned(),
        _ => "/settings".to_owned(),
    }
}

/// Minor units as people write them: `1 234.50 RUB`.
fn sum(minor: i64, currency: &str) -> String {
    let digits = u32::try_from(Currency::parse(currency).map_or(2, Currency::digits)).unwrap_or(2);
    let unit = 10_u64.pow(digits);
    let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    let mut grouped = String::new();
    let plain = whole.to_string();
    for (place, digit) in plain.chars().enumerate() {
        if place > 0 && (plain.len() - place) % 3 == 0 {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    let sign = if minor < 0 { "−" } else { "" };
    match digits {
        0 => format!("{sign}{grouped}\u{a0}{currency}"),
        _ => format!("{sign}{grouped}.{part:0width$}\u{a0}{currency}", width = digits as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::Party;

    #[test]
    fn every_event_has_words_in_both_languages() {
        let facts = Facts {
            order_id: Some(7),
            title: Some("Lay a cable".into()),
            by: Some(Party { id: 3, name: "Ann".into() }),
            price: Some(123_456),
            payout: Some(100_000),
            amount: Some(5),
            currency: Some("RUB".into()),
            comment: Some("why".into()),
            ..Facts::default()
        };
        for event in Event::ALL {
            let [russian, english] = [Language::Ru, Language::En].map(|language| words(event, &facts, language));
            assert_ne!(russian.0, english.0);
            assert_eq!((english.1, path(event, &facts)), (vec!["why".to_owned()], "/orders/7".to_owned()));
        }
        assert_eq!(
            words(Event::OrderNew, &facts, Language::En).0,
            "A new order “Lay a cable”: 1\u{a0}234.56\u{a0}RUB, 1\u{a0}000.00\u{a0}RUB for you"
        );
    }

    #[test]
    fn sums_have_the_digits_of_their_currency() {
        assert_eq!(sum(5, "RUB"), "0.05\u{a0}RUB");
        assert_eq!(sum(1_234_567, "JPY"), "1\u{a0}234\u{a0}567\u{a0}JPY");
    }
}
