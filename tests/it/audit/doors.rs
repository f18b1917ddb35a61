//! Who asks for an audit: the command line, whose exit code tells, and admins over HTTP.

use std::process::Output;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _};

use super::damage::account_id;
use super::scene::Lived;
use crate::support::TestApp;
use crate::support::node::run;

async fn orderboard(url: &str, arguments: &[&str]) -> Output {
    run(arguments, &[("DATABASE_URL", url), ("NO_COLOR", "1")]).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn json(output: &Output) -> Value {
    let text = text(&output.stdout);
    assert_eq!(text.lines().count(), 1, "one document: {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_exit_code_tells_clean_from_broken_from_not_run() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let lived = Lived::set(&app).await;
    let url = app.config.database_url.as_str();
    let clean = orderboard(url, &["audit"]).await;
    assert_eq!(clean.status.code(), Some(0), "{}", text(&clean.stderr));
    assert!(text(&clean.stdout).lines().all(|line| line.starts_with("ok ")));

    let harm = format!("update topups set status = 'received', resolved_at = utc_timestamp(6) where id = {}", lived.created);
    app.sql.execute(AssertSqlSafe(harm)).await.unwrap();
    let broken = orderboard(url, &["audit"]).await;
    assert_eq!(broken.status.code(), Some(1));
    let told = text(&broken.stdout);
    assert!(told.contains("FAIL each received top-up was credited once") && told.contains("what to do:"), "{told}");
    assert!(text(&broken.stderr).contains("1 of "), "{}", text(&broken.stderr));
    let broken = orderboard(url, &["audit", "--json"]).await;
    assert_eq!(broken.status.code(), Some(1));
    assert_eq!(json(&broken)["broken"], 1);

    let repaired = orderboard(url, &["audit", "--repair", "--json"]).await;
    assert_eq!(repaired.status.code(), Some(0), "{}", text(&repaired.stderr));
    let document = json(&repaired);
    assert_eq!((&document["broken"], &document["mended"][0]["operation_id"]), (&0.into(), &format!("topup:{}", lived.created).into()));
    let again = json(&orderboard(url, &["audit", "--repair", "--json"]).await);
    assert_eq!(again["mended"], Value::Array(Vec::new()));

    for arguments in [&["audit", "--nonsense"][..], &["audit"]] {
        let nowhere = orderboard("mysql://root@localhost/orderboard?socket=/nowhere/at-all.sock", arguments).await;
        assert_eq!(nowhere.status.code(), Some(2), "{arguments:?}: {}", text(&nowhere.stderr));
        assert!(nowhere.stdout.is_empty() && !nowhere.stderr.is_empty());
    }
}

#[tokio::test]
async fn admins_audit_and_repair_over_http_and_screens_follow() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let lived = Lived::set(&app).await;
    let admin = app.admin().await;
    for (method, path) in [("GET", "/api/admin/audit"), ("POST", "/api/admin/audit/repair")] {
        app.call(method, path, None, &Value::Null).await.refused(401, "unauthenticated");
        app.call(method, path, Some(&lived.customer.token), &Value::Null).await.refused(403, "forbidden");
    }
    let healthy = app.get("/api/admin/audit", &admin).await.expect(200);
    assert_eq!((&healthy["state"], &healthy["broken"]), (&"done".into(), &0.into()), "{healthy}");

    let mut watcher = app.watcher(Some(&lived.customer.token)).await;
    let (available, held) = app.balance(&lived.customer, "wallet").await;
    let harm = format!("update topups set status = 'received', resolved_at = utc_timestamp(6) where id = {}", lived.created);
    app.sql.execute(AssertSqlSafe(harm)).await.unwrap();
    let broken = app.get("/api/admin/audit", &admin).await.expect(200);
    let finding = broken["findings"].as_array().unwrap().iter().find(|finding| finding["slug"] == "topup_credited").unwrap();
    assert_eq!((&broken["broken"], &finding["can_repair"]), (&1.into(), &true.into()));
    assert_eq!(finding["violations"][0]["subject"], format!("top-up {}", lived.created));

    let repaired = app.post("/api/admin/audit/repair", &admin, &Value::Null).await.expect(200);
    assert_eq!((&repaired["broken"], repaired["mended"].as_array().unwrap().len()), (&0.into(), 1), "{repaired}");
    watcher.until("the credit", |state| state.balance("wallet") == Some((available + 5_000, held))).await;
    let path = format!("/api/admin/audit/repair?number={}", repaired["number"]);
    assert_eq!(app.post(&path, &admin, &Value::Null).await.expect(200), repaired, "asked again by its number, it is not repeated");
    let again = app.post("/api/admin/audit/repair", &admin, &Value::Null).await.expect(200);
    assert!(again["mended"].as_array().unwrap().is_empty() && again["number"] != repaired["number"]);
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_audit() {
    let app = TestApp::start_with(|config| config.is_worker = false).await;
    let lived = Lived::set(&app).await;
    let admin = app.admin().await;
    // The audit cannot end while its connection waits for this table.
    let wallet = account_id(&app, lived.customer.id, "wallet").await;
    assert!(wallet > 0);
    let mut lock = app.sql.acquire().await.unwrap();
    lock.execute("lock tables outgoing write").await.unwrap();
    let (one, two, _) = tokio::join!(app.get("/api/admin/audit", &admin), app.get("/api/admin/audit", &admin), async {
        crate::support::until("an audit waits", async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from information_schema.processlist where db = database() and state like '%metadata lock%'",
            )
            .fetch_one(&app.sql)
            .await
            .unwrap();
            waiting > 0
        })
        .await;
        lock.execute("unlock tables").await.unwrap();
    });
    assert_eq!(one.expect(200)["number"], two.expect(200)["number"]);
}
