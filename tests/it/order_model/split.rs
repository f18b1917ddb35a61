//! How a price is divided, tried out number by number: the model's own reading of the rules.

/// Rate and floor in basis points, and whether figures are to look nice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Policy {
    pub(super) rate: i64,
    pub(super) floor: i64,
    pub(super) is_round: bool,
}

/// Price and payout; nothing where the executor would get nothing.
pub(super) type Split = Option<(i64, i64)>;

impl Policy {
    pub(super) fn by_price(self, price: i64) -> Split {
        // commission/price between floor and rate, without fractions
        let is_fair = |payout: &i64| {
            let kept = (price - payout) * 10_000;
            kept <= price * self.rate && kept >= price * self.floor && *payout < price
        };
        let nice = (1..price).filter(is_fair).filter(|_| self.is_round).max_by_key(|payout| (step_of(*payout), -payout));
        let commission = (1..=price).find(|commission| commission * 10_000 >= price * self.rate)?;
        Some((price, nice.unwrap_or(price - commission))).filter(|(_, payout)| *payout >= 1)
    }

    pub(super) fn by_payout(self, payout: i64) -> Split {
        let is_fair = |price: &i64| {
            let kept = (price - payout) * 10_000;
            kept <= price * self.rate && kept >= price * self.floor
        };
        let prices = payout + 1..=payout * 2 + 2;
        let nice = prices.clone().filter(is_fair).filter(|_| self.is_round).max_by_key(|price| (step_of(*price), *price));
        // The least price that leaves as much, were all of the rate taken.
        let exact = prices.clone().find(|price| price * (10_000 - self.rate) >= payout * 10_000)?;
        Some((nice.unwrap_or(exact), payout))
    }
}

/// The coarsest of 1, 5, 10, 50, 100, … that divides it.
fn step_of(number: i64) -> i64 {
    let mut steps = vec![1];
    while *steps.last().unwrap() <= number {
        let last = *steps.last().unwrap();
        steps.push(last * if steps.len() % 2 == 1 { 5 } else { 2 });
    }
    steps.into_iter().rev().find(|step| number % step == 0).unwrap()
}

#[test]
fn the_models_own_reading_knows_the_known_answers() {
    let policy = Policy { rate: 1_000, floor: 800, is_round: true };
    for (price, payout) in [(2, 1), (5, 4), (99, 90), (100, 90), (9_900, 9_000), (12_345, 11_200), (99_999, 90_000), (100_000, 90_000)] {
        assert_eq!(policy.by_price(price), Some((price, payout)));
    }
    for (payout, price) in [(10, 11), (100, 110), (12_345, 13_500), (100_000, 110_000)] {
        assert_eq!(policy.by_payout(payout), Some((price, payout)));
    }
    assert_eq!(policy.by_price(1), None);
}
