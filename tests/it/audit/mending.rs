//! Repairs among others: beside each other, while the system works, and beside an operation that is not finished.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::{Acquire as _, AssertSqlSafe, Executor as _};

use super::damage::{account_id, damages};
use super::scene::Lived;
use super::{assert_clean, audit, broken, repair};
use crate::support::market::Market;
use crate::support::{TestApp, until};

/// Damages of a system that has lived, all at once, none of which hides another.
const TOGETHER: [&str; 8] = [
    "account_closed",
    "hold_expired",
    "order_hold",
    "order_captured",
    "order_overdue",
    "order_released",
    "topup_credited",
    "account_entry",
];

/// A node without jobs, and the operations that will mend what was planted in it.
async fn damaged() -> (TestApp, Lived, BTreeSet<&'static str>) {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let lived = Lived::set(&app).await;
    let (wallet, earnings) = (account_id(&app, lived.customer.id, "wallet").await, account_id(&app, lived.executor.id, "earnings").await);
    let mut planted = BTreeSet::new();
    let mut operations = BTreeSet::new();
    for damage in damages(&lived, wallet, earnings) {
        let Some(operation) = damage.mended_by.filter(|_| TOGETHER.contains(&damage.slug)) else { continue };
        // One damage an order: the hold of `open` is taken away, so it is not cancelled by hand as well.
        if !planted.insert(damage.subject.clone()) {
            continue;
        }
        for sql in &damage.harm {
            app.sql.execute(AssertSqlSafe(sql.clone())).await.unwrap();
        }
        operations.insert(operation);
    }
    assert!(operations.len() >= 6, "{operations:?}");
    (app, lived, operations)
}

#[tokio::test]
async fn repairs_beside_each_other_mend_everything_once() {
    let (app, _, operations) = damaged().await;
    let beside = app.beside().await;
    let (one, two, three) = tokio::join!(repair(&app), repair(&beside), repair(&beside));
    let mended: Vec<String> =
        [&one, &two, &three].into_iter().flat_map(|repaired| &repaired.mended).map(|mended| mended.operation_id.clone()).collect();
    let once: BTreeSet<&String> = mended.iter().collect();
    // A job's operation is told by whoever asked for it; each row of the rest is one repair's alone.
    let own: Vec<&String> = mended.iter().filter(|id| !id.starts_with("settle:") && !id.starts_with("expire:")).collect();
    assert_eq!(own.len(), own.iter().collect::<BTreeSet<_>>().len(), "mended twice: {mended:?}");
    for operation in operations {
        assert!(once.iter().any(|id| id.starts_with(operation)), "nobody did {operation}: {mended:?}");
    }
    assert_clean(&audit(&app).await);
    app.assert_books_balance().await;
    assert!(repair(&app).await.mended.is_empty());
}

#[tokio::test]
async fn a_repair_disturbs_no_market_and_no_market_a_repair() {
    let (app, _, _) = damaged().await;
    let market = Market::at(&[&app], 6, Duration::ZERO).await;
    let repaired = repair(&app).await;
    assert!(!repaired.mended.is_empty());
    assert_clean(&repaired.findings);
    for _ in 0..3 {
        assert!(repair(&app).await.mended.is_empty());
    }
    let tally = market.close().await;
    assert!(tally.broken == 0 && tally.answers.keys().all(|status| *status < 500), "{tally:?}");
    assert_clean(&audit(&app).await);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn what_a_running_operation_has_in_hand_is_waited_for() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let lived = Lived::set(&app).await;
    let sql = format!("update orders set status = 'cancelled', finished_at = utc_timestamp(6) where id = {}", lived.open);
    app.sql.execute(AssertSqlSafe(sql)).await.unwrap();
    assert_eq!(broken(&audit(&app).await), BTreeSet::from(["order_moves", "order_released"]));

    let mut connection = app.sql.acquire().await.unwrap();
    let mut running = connection.begin().await.unwrap();
    running
        .execute(AssertSqlSafe(format!("update orders set status = 'open', finished_at = null where id = {}", lived.open)))
        .await
        .unwrap();
    let finish = async {
        until("the repair asks for the order's row", async || {
            let asking: i64 = sqlx::query_scalar(
                "select count(*) from information_schema.processlist \
                 where db = database() and info like '%from orders where id =%for update%' and id <> connection_id()",
            )
            .fetch_one(&app.sql)
            .await
            .unwrap();
            asking > 0
        })
        .await;
        running.commit().await.unwrap();
    };
    let (repaired, ()) = tokio::join!(repair(&app), finish);
    assert!(repaired.mended.is_empty(), "{repaired:#?}");
    assert_clean(&audit(&app).await);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn the_same_damage_a_second_time_is_for_a_person() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let lived = Lived::set(&app).await;
    let wallet = account_id(&app, lived.customer.id, "wallet").await;
    let harm = format!("update accounts set available = available + 1 where id = {wallet}");
    app.sql.execute(AssertSqlSafe(harm.clone())).await.unwrap();
    assert_eq!(repair(&app).await.mended.len(), 1);
    app.sql.execute(AssertSqlSafe(harm)).await.unwrap();
    let again = repair(&app).await;
    assert!(again.mended.is_empty());
    assert!(again.left.iter().any(|left| left.slug == "account_entry" && left.why.contains("broken in the same way again")), "{again:#?}");
}

#[tokio::test]
async fn more_damage_than_a_report_tells_is_mended_all_the_same() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    app.executors(60).await;
    app.sql.execute("update accounts set available = available + id where kind = 'earnings'").await.unwrap();
    let findings = audit(&app).await;
    let finding = findings.iter().find(|finding| finding.slug == "account_entry").unwrap();
    assert!(finding.violations.len() == 50 && finding.has_more, "{}", finding.violations.len());
    let repaired = repair(&app).await;
    assert_eq!(repaired.mended.len(), 60);
    assert_clean(&repaired.findings);
}
