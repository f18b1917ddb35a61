//! Every kopeck to 20,000.00, both modes and several policies, against the properties the module promises.

use super::*;

const TO_MINOR: i64 = 2_000_000;

fn amount(minor: i64) -> Amount {
    Amount::parse("price", minor).expect("a positive amount")
}

fn policies() -> Vec<Policy> {
    let mut all = Vec::new();
    for mode in [Mode::Exact, Mode::Round] {
        for (rate_bp, floor_bp) in [(1_000, 800), (200, 200), (200, 100), (700, 0), (1, 0), (5_000, 4_999), (3_333, 1_111)] {
            all.push(Policy::new(rate_bp, floor_bp, mode).expect("a valid policy"));
        }
    }
    all
}

fn within_bounds(policy: Policy, split: Split) -> bool {
    let commission_bp = i128::from(split.commission) * 10_000;
    let price = i128::from(split.price);
    commission_bp <= price * i128::from(policy.rate_bp) && commission_bp >= price * i128::from(policy.floor_bp)
}

fn exact_commission(policy: Policy, price: i64) -> i64 {
    (price * i64::from(policy.rate_bp) + 9_999) / 10_000
}

#[test]
fn known_prices_give_the_known_payouts() {
    let known = [
        (2, 1),
        (5, 4),
        (99, 90),
        (100, 90),
        (9_900, 9_000),
        (12_345, 11_200),
        (99_999, 90_000),
        (100_000, 90_000),
        (1_234_567, 1_120_000),
    ];
    for (price, payout) in known {
        assert_eq!(Policy::default().by_price(amount(price)).expect("a split").payout, payout, "price {price}");
    }
}

#[test]
fn known_payouts_give_the_known_prices() {
    for (payout, price) in [(10, 11), (100, 110), (12_345, 13_500), (100_000, 110_000), (1_234_567, 1_350_000)] {
        assert_eq!(Policy::default().by_payout(amount(payout)).expect("a split").price, price, "payout {payout}");
    }
}

#[test]
fn a_price_that_leaves_nothing_is_refused_and_no_other() {
    for policy in policies() {
        assert_eq!(policy.by_price(amount(1)).expect_err("one kopeck").reason, Reason::PayoutZero);
        assert!(policy.by_price(amount(2)).is_ok());
    }
}

#[test]
fn every_price_keeps_the_promises() {
    for policy in policies() {
        let mut last_payout = 0;
        for price in 2..=TO_MINOR {
            let split = policy.by_price(amount(price)).expect("a split");
            assert_eq!(split.price, price, "the typed figure is never altered");
            assert_eq!(split.payout + split.commission, price);
            assert!(split.commission >= 1 && split.payout >= 1);
            assert!(split.payout >= last_payout, "{policy:?}: payout fell at price {price}");
            let exact = split.commission == exact_commission(policy, price);
            match policy.mode {
                Mode::Exact => assert!(exact),
                Mode::Round => assert!(exact || within_bounds(policy, split), "{policy:?} at {price}: {split:?}"),
            }
            last_payout = split.payout;
        }
    }
}

#[test]
fn every_payout_keeps_the_promises() {
    for policy in policies() {
        let mut last_price = 0;
        for payout in 1..=TO_MINOR {
            let split = policy.by_payout(amount(payout)).expect("a split");
            assert_eq!(split.payout, payout, "the typed figure is never altered");
            assert_eq!(split.payout + split.commission, split.price);
            assert!(split.commission >= 1);
            assert!(split.price >= last_price, "{policy:?}: price fell at payout {payout}");
            let exact = split.commission == exact_commission(policy, split.price);
            match policy.mode {
                Mode::Exact => assert!(exact, "{policy:?} at payout {payout}: {split:?}"),
                Mode::Round => assert!(exact || within_bounds(policy, split), "{policy:?} at payout {payout}: {split:?}"),
            }
            last_price = split.price;
        }
    }
}

#[test]
fn the_fallback_is_used_only_where_no_round_figure_exists() {
    let policy = Policy::default();
    for price in 2..=TO_MINOR {
        let low = (price * 9_000 + 9_999) / 10_000;
        let high = price * 9_200 / 10_000;
        let split = policy.by_price(amount(price)).expect("a split");
        assert_eq!(low <= high, (low..=high).contains(&split.payout), "price {price}");
    }
}

#[test]
fn the_largest_amounts_do_not_overflow() {
    for policy in policies() {
        let split = policy.by_price(amount(AMOUNT_MAX)).expect("a split");
        assert_eq!(split.payout + split.commission, AMOUNT_MAX);
        assert_eq!(policy.by_payout(amount(AMOUNT_MAX)).expect_err("the price is above the limit").reason, Reason::TooLarge);
    }
}
