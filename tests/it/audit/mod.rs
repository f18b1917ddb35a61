//! The audit: silent about a healthy system, also while it works; naming each kind of damage; mending what is safe, once.

mod damage;
mod doors;
mod mending;
mod scene;

use std::collections::BTreeSet;
use std::time::Duration;

use orderboard::flow::{Finding, Repaired};

use self::scene::Lived;
use crate::support::TestApp;
use crate::support::market::Market;

async fn audit(app: &TestApp) -> Vec<Finding> {
    let flow = app.app().flow.clone();
    app.run(async move { flow.audit().await.unwrap() }).await
}

async fn repair(app: &TestApp) -> Repaired {
    let flow = app.app().flow.clone();
    app.run(async move { flow.repair().await.unwrap() }).await
}

/// The classes that do not hold.
fn broken(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().filter(|finding| !finding.violations.is_empty()).map(|finding| finding.slug).collect()
}

#[track_caller]
fn assert_clean(findings: &[Finding]) {
    let faults: Vec<_> = findings.iter().filter(|finding| !finding.violations.is_empty()).collect();
    assert!(findings.len() >= 35, "a catalogue");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn a_healthy_system_has_no_violation_even_while_it_works() {
    let app = TestApp::start().await;
    Lived::set(&app).await;
    let beside = app.beside().await;
    let acts = async || -> u64 {
        sqlx::query_scalar("select cast(coalesce(sum(version - 1), 0) as unsigned) from orders").fetch_one(&app.sql).await.unwrap()
    };
    let before = acts().await;
    let market = Market::at(&[&app, &beside], 4, Duration::ZERO).await;
    let mut rounds = 0;
    while rounds < 8 || acts().await < before + 200 {
        rounds += 1;
        assert_clean(&audit(&app).await);
        let repaired = repair(&beside).await;
        assert_clean(&repaired.findings);
        assert!(repaired.mended.is_empty() && repaired.left.is_empty(), "{repaired:#?}");
    }
    let tally = market.close().await;
    assert!(tally.count(200) > 100, "a busy market: {tally:?}");
    assert_clean(&audit(&app).await);
    app.assert_books_balance().await;
}
