//! Payouts: money asked for is held, decided about once, and either leaves the house or comes back.

use futures_util::future::join_all;
use orderboard::config::PayoutArgs;
use serde_json::{Value, json};

use crate::support::{Answer, Request, TestApp, User};

fn wish(amount: i64) -> Value {
    json!({"amount": amount, "method": "card", "destination": "2200 1234 1234 5678"})
}

/// A POST under an idempotency key.
async fn keyed(app: &TestApp, user: &User, path: &str, key: &str, body: &Value) -> Answer {
    app.send(&Request::new("POST", path).bearer(Some(&user.token)).header("idempotency-key", key).json(body)).await
}

async fn ask(app: &TestApp, user: &User, amount: i64) -> u64 {
    app.post("/api/payouts", user, &wish(amount)).await.expect(201)["id"].as_u64().unwrap()
}

/// An order of this price, done and paid; answers its id and what it brought.
async fn earn(app: &TestApp, customer: &User, executor: &User, price: i64) -> (u64, i64) {
    let order = app.create_order(customer, price, &json!({"acceptance": "auto"})).await;
    let id = order["id"].as_u64().unwrap();
    app.accept(executor, id).await.expect(200);
    app.act(executor, id, "submit").await.expect(200);
    (id, order["payout"].as_i64().unwrap())
}

/// An executor who has earned something, and how much.
async fn earner(app: &TestApp) -> (User, i64) {
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let (_, earned) = earn(app, &customer, &executor, 100_000).await;
    (executor, earned)
}

async fn kinds(app: &TestApp, user: &User, account: &str) -> Vec<(String, Option<u64>)> {
    let listed = app.get(&format!("/api/accounts/{account}/entries"), user).await.expect(200);
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|entry| (entry["kind"].as_str().unwrap().to_owned(), entry["payout_id"].as_u64())).collect()
}

async fn paid_out(app: &TestApp) -> i64 {
    let sum = sqlx::query_scalar("select cast(coalesce(sum(amount), 0) as signed) from system_entries where account = 'payouts'");
    sum.fetch_one(&app.sql).await.unwrap()
}

#[tokio::test]
async fn an_approved_payout_is_held_first_and_then_gone() {
    let app = TestApp::start().await;
    let (executor, earned) = earner(&app).await;
    let admin = app.admin().await;
    let payout = app.post("/api/payouts", &executor, &wish(30_000)).await.expect(201);
    let id = payout["id"].as_u64().unwrap();
    for (name, value) in [
        ("amount", json!(30_000)),
        ("currency", json!("RUB")),
        ("account", json!("earnings")),
        ("method", json!("card")),
        ("destination", json!("2200 1234 1234 5678")),
        ("status", json!("created")),
        ("comment", Value::Null),
        ("decided_at", Value::Null),
    ] {
        assert_eq!(payout[name], value, "{name}");
    }
    assert_eq!(app.balance(&executor, "earnings").await, (earned - 30_000, 30_000));
    assert_eq!(paid_out(&app).await, 0, "asking is not paying");
    assert_eq!(app.get(&format!("/api/payouts/{id}"), &executor).await.expect(200), payout);

    let path = format!("/api/admin/payouts/{id}");
    let approved = app.post(&format!("{path}/approve"), &admin, &json!({"comment": "sent on Friday"})).await.expect(200);
    assert_eq!((&approved["status"], &approved["comment"]), (&json!("received"), &json!("sent on Friday")));
    assert_eq!((&approved["decided_by"]["id"], &approved["user"]["id"]), (&json!(admin.id), &json!(executor.id)));
    assert_eq!(app.balance(&executor, "earnings").await, (earned - 30_000, 0));
    assert_eq!(paid_out(&app).await, 30_000);
    let again = app.post(&format!("{path}/approve"), &app.admin().await, &json!({"comment": "again"})).await.expect(200);
    assert_eq!(again, approved, "whoever repeats it, and with whatever words");
    let told = app.get("/api/payouts", &executor).await.expect(200);
    assert_eq!((&told["items"][0]["status"], &told["items"][0]["comment"]), (&json!("received"), &json!("sent on Friday")));

    let late = app.post(&format!("/api/payouts/{id}/cancel"), &executor, &Value::Null).await.refused(409, "stale");
    assert_eq!(late["payout_status"], "received");
    let late = app.post(&format!("{path}/reject"), &admin, &json!({"comment": "no"})).await.refused(409, "stale");
    assert_eq!(late["payout_status"], "received");
    let withdrawn = [("withdrawal".to_owned(), Some(id)), ("hold".to_owned(), Some(id)), ("payout".to_owned(), None)];
    assert_eq!(kinds(&app, &executor, "earnings").await, withdrawn);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_rejected_payout_comes_back_with_the_reason() {
    let app = TestApp::start().await;
    let (executor, earned) = earner(&app).await;
    let admin = app.admin().await;
    let id = ask(&app, &executor, earned).await;
    let path = format!("/api/admin/payouts/{id}/reject");
    let before = app.fingerprint().await;
    for nothing in [json!({"comment": ""}), json!({"comment": " \n "})] {
        let problem = app.post(&path, &admin, &nothing).await.refused(422, "invalid");
        assert_eq!((&problem["field"], &problem["reason"]), (&json!("comment"), &json!("required")));
    }
    app.post(&path, &admin, &json!({})).await.refused(422, "invalid");
    app.post(&path, &admin, &json!({"comment": "я".repeat(1_001)})).await.refused(422, "invalid");
    assert_eq!(app.fingerprint().await, before);
    for _ in 0..3 {
        let rejected = app.post(&path, &admin, &json!({"comment": "the card is closed"})).await.expect(200);
        assert_eq!((&rejected["status"], &rejected["comment"]), (&json!("rejected"), &json!("the card is closed")));
    }
    assert_eq!(app.balance(&executor, "earnings").await, (earned, 0));
    let told = app.get(&format!("/api/payouts/{id}"), &executor).await.expect(200);
    assert_eq!(told["comment"], "the card is closed");
    app.post(&format!("/api/admin/payouts/{id}/approve"), &admin, &Value::Null).await.refused(409, "stale");
    assert_eq!(paid_out(&app).await, 0);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn whoever_asked_may_think_better_of_it_until_it_is_decided() {
    let app = TestApp::start().await;
    let (executor, earned) = earner(&app).await;
    let id = ask(&app, &executor, 10_000).await;
    let path = format!("/api/payouts/{id}/cancel");
    for _ in 0..3 {
        assert_eq!(app.post(&path, &executor, &Value::Null).await.expect(200)["status"], "cancelled");
    }
    assert_eq!(app.balance(&executor, "earnings").await, (earned, 0));
    let admin = app.admin().await;
    let late = app.post(&format!("/api/admin/payouts/{id}/approve"), &admin, &Value::Null).await.refused(409, "stale");
    assert_eq!(late["payout_status"], "cancelled");
    assert_eq!(kinds(&app, &executor, "earnings").await[0], ("release".to_owned(), Some(id)));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_payout_that_breaks_a_rule_is_refused_by_name_and_changes_nothing() {
    let app = TestApp::start_with(|config| {
        config.payouts = PayoutArgs { payout_min: 5_000, payout_methods: vec!["sbp".to_owned()] };
    })
    .await;
    let (executor, _) = earner(&app).await;
    let rules = app.call("GET", "/api/payouts/rules", None, &Value::Null).await.expect(200);
    assert_eq!(rules, json!({"min": 5_000, "methods": ["sbp"]}));
    let before = app.fingerprint().await;
    let good = json!({"amount": 5_000, "method": "sbp", "destination": "+7 900 000-00-00"});
    for (field, value, reason) in [
        ("amount", json!(4_999), "too_small"),
        ("amount", json!(0), "not_positive"),
        ("amount", json!(-5_000), "not_positive"),
        ("amount", json!(i64::MAX), "too_large"),
        ("method", json!("card"), "unknown"),
        ("method", json!(""), "unknown"),
        ("destination", json!(""), "required"),
        ("destination", json!("123"), "too_short"),
        ("destination", json!("1".repeat(201)), "too_long"),
        ("destination", json!("12\u{0}34"), "control_characters"),
        ("destination", json!("12\u{202E}34"), "control_characters"),
        ("currency", json!("RUR"), "currency"),
    ] {
        let mut wrong = good.clone();
        wrong[field] = value;
        let problem = app.post("/api/payouts", &executor, &wrong).await.refused(422, "invalid");
        assert_eq!((&problem["field"], &problem["reason"]), (&json!(field), &json!(reason)), "{wrong}");
    }
    for (field, value) in [("amount", json!("5000")), ("amount", json!(5_000.5)), ("account", json!("pocket")), ("more", json!(1))] {
        let mut wrong = good.clone();
        wrong[field] = value;
        app.post("/api/payouts", &executor, &wrong).await.refused(422, "invalid");
    }
    assert_eq!(app.fingerprint().await, before);
    app.post("/api/payouts", &executor, &good).await.expect(201);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn without_the_money_a_payout_is_refused_with_the_figures_and_stays_refused() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let refused = keyed(&app, &executor, "/api/payouts", "early", &wish(1_000)).await;
    let problem = refused.refused(409, "insufficient_funds");
    assert_eq!((&problem["available"], &problem["needed"], &problem["currency"]), (&json!(0), &json!(1_000), &json!("RUB")));
    let dollars = json!({"amount": 1_000, "currency": "USD", "method": "card", "destination": "2200"});
    assert_eq!(app.post("/api/payouts", &executor, &dollars).await.refused(409, "insufficient_funds")["currency"], "USD");
    earn(&app, &customer, &executor, 100_000).await;
    let again = keyed(&app, &executor, "/api/payouts", "early", &wish(1_000)).await;
    assert_eq!((again.status, &again.body), (409, &refused.body), "a refusal is a result, too");
    keyed(&app, &executor, "/api/payouts", "late", &wish(1_000)).await.expect(201);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn the_same_key_asks_once_on_every_node() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (executor, earned) = earner(&app).await;
    let body = wish(2_000);
    let answers = join_all((0..50).map(|number| {
        let node = if number % 2 == 0 { &app } else { &beside };
        keyed(node, &executor, "/api/payouts", "once", &body)
    }))
    .await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &answers[0].body), "{}", answer.text());
    }
    let id = answers[0].json()["id"].clone();
    keyed(&app, &executor, "/api/payouts", "once", &wish(2_001)).await.refused(409, "mismatch");
    app.post(&format!("/api/payouts/{id}/cancel"), &executor, &Value::Null).await.expect(200);
    let again = keyed(&beside, &executor, "/api/payouts", "once", &body).await;
    assert_eq!(again.body, answers[0].body, "whatever became of it meanwhile");
    assert_eq!(app.balance(&executor, "earnings").await, (earned, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_hundred_requests_at_once_with_money_for_one_are_one() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (executor, earned) = earner(&app).await;
    let body = wish(earned / 2 + 1);
    let answers = join_all((0..100).map(|number| {
        let node = if number % 2 == 0 { &app } else { &beside };
        node.post("/api/payouts", &executor, &body)
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.refused(409, "insufficient_funds")["needed"], earned / 2 + 1);
    }
    assert_eq!(app.get("/api/payouts", &executor).await.expect(200)["items"].as_array().unwrap().len(), 1);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn approved_rejected_and_cancelled_at_once_a_payout_ends_one_way() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (executor, earned) = earner(&app).await;
    let admin = app.admin().await;
    let mut paid = 0;
    for round in 0..10 {
        let amount = 1_000 + round;
        let id = ask(&app, &executor, amount).await;
        let (why, nothing) = (json!({"comment": "no"}), Value::Null);
        let answers = join_all((0..50).map(|number| {
            let node = if number % 2 == 0 { &app } else { &beside };
            let (admin, executor, why, nothing) = (&admin, &executor, &why, &nothing);
            async move {
                match (number + round) % 3 {
                    0 => ("received", node.post(&format!("/api/admin/payouts/{id}/approve"), admin, nothing).await),
                    1 => ("rejected", node.post(&format!("/api/admin/payouts/{id}/reject"), admin, why).await),
                    _ => ("cancelled", node.post(&format!("/api/payouts/{id}/cancel"), executor, nothing).await),
                }
            }
        }))
        .await;
        let now_is = app.get(&format!("/api/payouts/{id}"), &executor).await.expect(200);
        for (wanted, answer) in &answers {
            if now_is["status"] == *wanted {
                assert_eq!(answer.expect(200)["status"], *wanted);
            } else {
                assert_eq!(answer.refused(409, "stale")["payout_status"], now_is["status"]);
            }
        }
        paid += if now_is["status"] == "received" { amount } else { 0 };
    }
    assert_eq!(app.balance(&executor, "earnings").await, (earned - paid, 0));
    assert_eq!(paid_out(&app).await, paid);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn fifty_approvals_at_once_pay_once() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (executor, earned) = earner(&app).await;
    let admins = [app.admin().await, app.admin().await];
    let id = ask(&app, &executor, 7_000).await;
    let path = format!("/api/admin/payouts/{id}/approve");
    let answers = join_all((0..50).map(|number| {
        let node = if number % 2 == 0 { &app } else { &beside };
        node.post(&path, &admins[number / 25], &Value::Null)
    }))
    .await;
    for answer in &answers {
        assert_eq!(answer.expect(200), answers[0].json());
    }
    assert_eq!(app.balance(&executor, "earnings").await, (earned - 7_000, 0));
    assert_eq!(paid_out(&app).await, 7_000);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn payouts_are_seen_by_their_owner_and_by_admins_only() {
    let app = TestApp::start().await;
    let (executor, _) = earner(&app).await;
    let id = ask(&app, &executor, 1_000).await;
    let (other, customer, admin) = (app.executor().await, app.customer(0).await, app.admin().await);
    let mine = format!("/api/payouts/{id}");
    for stranger in [&other, &customer, &admin] {
        app.get(&mine, stranger).await.refused(404, "not_found");
        app.post(&format!("{mine}/cancel"), stranger, &Value::Null).await.refused(404, "not_found");
        assert_eq!(app.get("/api/payouts", stranger).await.expect(200)["items"], json!([]));
    }
    // The same person in another role is the same person.
    app.get(&mine, &app.also(&executor, "customer").await).await.expect(200);
    let for_admins = ["/api/admin/payouts".to_owned(), "/api/admin/payouts.csv".to_owned(), format!("/api/admin/payouts/{id}")];
    for path in &for_admins {
        for user in [&executor, &other, &customer] {
            app.get(path, user).await.refused(403, "forbidden");
        }
        app.call("GET", path, None, &Value::Null).await.refused(401, "unauthenticated");
        assert_eq!(app.get(path, &admin).await.status, 200);
    }
    for (act, body) in [("approve", Value::Null), ("reject", json!({"comment": "no"}))] {
        let path = format!("/api/admin/payouts/{id}/{act}");
        for user in [&executor, &customer] {
            app.post(&path, user, &body).await.refused(403, "forbidden");
        }
        app.call("POST", &path, None, &body).await.refused(401, "unauthenticated");
        app.post(&format!("/api/admin/payouts/{}/{act}", id + 1), &admin, &body).await.refused(404, "not_found");
    }
    app.call("GET", "/api/payouts", None, &Value::Null).await.refused(401, "unauthenticated");
    app.call("POST", "/api/payouts", None, &wish(1_000)).await.refused(401, "unauthenticated");
    app.get("/api/admin/payouts/999", &admin).await.refused(404, "not_found");
    assert_eq!(app.get(&mine, &executor).await.expect(200)["status"], "created");
    // An admin who earned something may decide about it: the decision says who.
    let own = app.also(&executor, "admin").await;
    let approved = app.post(&format!("/api/admin/payouts/{id}/approve"), &own, &Value::Null).await.expect(200);
    assert_eq!(approved["decided_by"]["id"], executor.id);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_closed_user_cannot_ask_and_what_they_had_asked_for_can_still_be_decided() {
    let app = TestApp::start().await;
    let (executor, earned) = earner(&app).await;
    let admin = app.admin().await;
    let (first, second) = (ask(&app, &executor, 1_000).await, ask(&app, &executor, 2_000).await);
    sqlx::query("update users set closed_at = utc_timestamp(6) where id = ?").bind(executor.id).execute(&app.sql).await.unwrap();
    sqlx::query("update accounts set is_closed = true where user_id = ?").bind(executor.id).execute(&app.sql).await.unwrap();
    let refused = keyed(&app, &executor, "/api/payouts", "closed", &wish(1_000)).await;
    refused.refused(409, "user_closed");
    app.post("/api/accounts/earnings/sweep", &executor, &Value::Null).await.refused(409, "user_closed");
    app.post(&format!("/api/admin/payouts/{first}/approve"), &admin, &Value::Null).await.expect(200);
    app.post(&format!("/api/admin/payouts/{second}/reject"), &admin, &json!({"comment": "closed"})).await.expect(200);
    assert_eq!(app.balance(&executor, "earnings").await, (earned - 1_000, 0));
    sqlx::query("update accounts set is_closed = false where user_id = ?").bind(executor.id).execute(&app.sql).await.unwrap();
    let again = keyed(&app, &executor, "/api/payouts", "closed", &wish(1_000)).await;
    assert_eq!((again.status, &again.body), (409, &refused.body));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn lists_of_payouts_are_paged_and_filtered() {
    let app = TestApp::start().await;
    let (executor, _) = earner(&app).await;
    let admin = app.admin().await;
    let mut ids = Vec::new();
    for number in 0..9 {
        let id = ask(&app, &executor, 1_000 + number).await;
        if number % 3 == 0 {
            app.post(&format!("/api/admin/payouts/{id}/approve"), &admin, &Value::Null).await.expect(200);
        }
        ids.insert(0, id);
    }
    let pages = async |user: &User, path: &str, limit: usize| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = app.get(&format!("{path}{sign}limit={limit}{cursor}"), user).await.expect(200);
            found.extend(page["items"].as_array().unwrap().iter().map(|payout| payout["id"].as_u64().unwrap()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    assert_eq!(pages(&executor, "/api/payouts", 2).await, ids);
    assert_eq!(pages(&admin, "/api/admin/payouts", 4).await, ids);
    let received: Vec<u64> = ids.iter().rev().copied().step_by(3).collect();
    let newest_first: Vec<u64> = received.iter().rev().copied().collect();
    assert_eq!(pages(&admin, "/api/admin/payouts?status=received", 2).await, newest_first);
    assert!(pages(&admin, "/api/admin/payouts?status=rejected", 2).await.is_empty());
    app.get("/api/admin/payouts?status=lost", &admin).await.refused(422, "invalid");
    app.get("/api/payouts?limit=101", &executor).await.refused(422, "invalid");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn an_admin_sees_what_the_money_was_earned_with() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(1_000_000).await, app.executor().await, app.admin().await);
    let mut earned = Vec::new();
    for price in [50_000, 60_000, 70_000] {
        earned.push(earn(&app, &customer, &executor, price).await);
    }
    let (newest, middle, oldest) = (earned[2], earned[1], earned[0]);
    // One kopeck more than the newest order brought: it takes two.
    let id = ask(&app, &executor, newest.1 + 1).await;
    let after = earn(&app, &customer, &executor, 10_000).await;
    let detail = app.get(&format!("/api/admin/payouts/{id}"), &admin).await.expect(200);
    let sources = detail["earned_with"]["sources"].as_array().unwrap();
    let told: Vec<(u64, i64)> =
        sources.iter().map(|source| (source["order"]["id"].as_u64().unwrap(), source["amount"].as_i64().unwrap())).collect();
    assert_eq!(told, [newest, middle], "what came later or was not needed is not told");
    let order = &sources[0]["order"];
    assert_eq!((&order["title"], &order["customer"]["id"]), (&json!("Paint a fence"), &json!(customer.id)));
    assert_eq!(order["payout"], newest.1);
    let times: Vec<i64> = ["accepted_ms", "submitted_ms", "finished_ms"].iter().map(|name| order[name].as_i64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!((&detail["earned_with"]["sum"], &detail["earned_with"]["complete"]), (&json!(newest.1 + middle.1), &json!(true)));
    assert_eq!(detail["available"].as_i64().unwrap(), oldest.1 + middle.1 + after.1 - 1);
    assert_eq!(detail["held"], newest.1 + 1);
    assert_eq!(detail["totals"], json!([{"status": "created", "count": 1, "amount": newest.1 + 1}]));
    let line = app.get("/api/admin/payouts", &admin).await.expect(200)["items"][0].clone();
    assert_eq!(line["earned_with"], json!({"orders": 2, "sum": newest.1 + middle.1, "complete": true}));
    assert_eq!((&line["user"]["id"], &line["destination"]), (&json!(executor.id), &json!("2200 1234 1234 5678")));

    // From the wallet: what came in there, and money that came back from a hold came in only once.
    let order = app.order(&customer, 5_000).await;
    app.act(&customer, order, "cancel").await.expect(200);
    let from_wallet = json!({"amount": 700, "account": "wallet", "method": "sbp", "destination": "+7 900 000-00-00"});
    let id = app.post("/api/payouts", &customer, &from_wallet).await.expect(201)["id"].clone();
    let detail = app.get(&format!("/api/admin/payouts/{id}"), &admin).await.expect(200);
    let sources = detail["earned_with"]["sources"].as_array().unwrap();
    let kinds: Vec<&str> = sources.iter().map(|source| source["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["credit"]);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn payouts_are_a_file_that_no_spreadsheet_runs() {
    let app = TestApp::start().await;
    let (executor, _) = earner(&app).await;
    let admin = app.admin().await;
    let wishes = ["=cmd|' /C calc'!A0", "+7 900 000-00-00", "card; \"mine\"", "2200123412345678"];
    let mut ids = Vec::new();
    for destination in wishes {
        let body = json!({"amount": 1_234, "method": "card", "destination": destination});
        ids.push(app.post("/api/payouts", &executor, &body).await.expect(201)["id"].as_u64().unwrap());
    }
    let reason = json!({"comment": "@SUM(1)\nno"});
    app.post(&format!("/api/admin/payouts/{}/reject", ids[0]), &admin, &reason).await.expect(200);
    let file = app.get("/api/admin/payouts.csv", &admin).await;
    assert_eq!(file.status, 200);
    assert!(file.header("content-type").unwrap().starts_with("text/csv; charset=utf-8"));
    assert!(file.header("content-disposition").unwrap().starts_with("attachment; filename=\"orderboard-payouts-all.csv\""));
    let text = file.text();
    assert!(text.starts_with("\u{FEFF}Payout,Asked (UTC),Status,"));
    let rows = records(&text, b',');
    assert_eq!(rows.len(), 1 + wishes.len());
    let told: Vec<(&str, &str)> = rows[1..].iter().map(|row| (row[0].as_str(), row[9].as_str())).collect();
    let newest_first = [(3, "'2200123412345678"), (2, "card; \"mine\""), (1, "'+7 900 000-00-00"), (0, "'=cmd|' /C calc'!A0")];
    for ((id, destination), (number, wanted)) in told.iter().zip(newest_first) {
        assert_eq!((*id, *destination), (ids[number].to_string().as_str(), wanted));
    }
    let rejected = rows.last().unwrap();
    assert_eq!((rejected[2].as_str(), rejected[6].as_str(), rejected[10].as_str()), ("rejected", "12.34", "'@SUM(1)\nno"));
    assert_eq!((&rejected[3], &rejected[11]), (&executor.id.to_string(), &admin.id.to_string()));

    let russian = app.get("/api/admin/payouts.csv?lang=ru&status=rejected", &admin).await.text();
    let rows = records(&russian, b';');
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0][0].as_str(), rows[1][6].as_str()), ("Вывод", "12,34"));

    // By the time of asking: from this moment on, and before that one.
    let asked: String = app.get(&format!("/api/payouts/{}", ids[1]), &executor).await.expect(200)["created_at"].as_str().unwrap().into();
    let ids_of = async |query: String| {
        let rows = records(&app.get(&format!("/api/admin/payouts.csv?{query}"), &admin).await.text(), b',');
        rows[1..].iter().map(|row| row[0].parse().unwrap()).collect::<Vec<u64>>()
    };
    assert_eq!(ids_of(format!("from={asked}")).await, [ids[3], ids[2], ids[1]]);
    assert_eq!(ids_of(format!("to={asked}")).await, [ids[0]]);
    assert!(ids_of(format!("from={asked}&to={asked}")).await.is_empty());
    assert_eq!(ids_of("from=2020-01-01".to_owned()).await.len(), wishes.len());
    app.get("/api/admin/payouts.csv?from=soon", &admin).await.refused(422, "invalid");
    app.assert_books_balance().await;
}

fn records(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn earnings_flow_into_the_wallet_once_on_request_and_never_more_than_is_free() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (executor, earned) = earner(&app).await;
    let path = "/api/accounts/earnings/sweep";
    ask(&app, &executor, 1_000).await;
    let answers = join_all((0..50).map(|number| {
        let node = if number % 2 == 0 { &app } else { &beside };
        keyed(node, &executor, path, "sweep", &Value::Null)
    }))
    .await;
    for answer in &answers {
        assert_eq!(answer.expect(200), json!({"amount": earned - 1_000, "currency": "RUB"}));
        assert_eq!(answer.body, answers[0].body);
    }
    assert_eq!(app.balance(&executor, "earnings").await, (0, 1_000), "what is held stays");
    assert_eq!(app.balance(&executor, "wallet").await, (earned - 1_000, 0));
    keyed(&app, &executor, path, "sweep", &json!({"currency": "USD"})).await.refused(409, "nothing_to_sweep");
    keyed(&app, &executor, path, "more", &Value::Null).await.refused(409, "nothing_to_sweep");
    app.post(path, &app.executor().await, &json!({})).await.refused(409, "nothing_to_sweep");
    app.call("POST", path, None, &Value::Null).await.refused(401, "unauthenticated");
    assert_eq!(kinds(&app, &executor, "wallet").await, [("sweep".to_owned(), None)]);

    // Sweeps and payouts of the same money at once: each kopeck goes one way.
    let customer = app.customer(1_000_000).await;
    for _ in 0..5 {
        let (_, more) = earn(&app, &customer, &executor, 10_000).await;
        let body = wish(more);
        let answers = join_all((0..20).map(|number| {
            let node = if number % 2 == 0 { &app } else { &beside };
            let (executor, body) = (&executor, &body);
            async move {
                match number % 4 {
                    0 | 1 => node.post("/api/payouts", executor, body).await,
                    _ => node.post(path, executor, &Value::Null).await,
                }
            }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| answer.status < 300).count(), 1);
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn balances_move_on_the_screen_when_payouts_do() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (executor, earned) = earner(&app).await;
    let mut watcher = beside.watcher(Some(&executor.token)).await;
    let id = ask(&app, &executor, 1_000).await;
    let held = |state: &crate::support::State, amounts: (i64, i64)| state.balance("earnings") == Some(amounts);
    watcher.until("the money is held", |state| held(state, (earned - 1_000, 1_000))).await;
    app.post(&format!("/api/payouts/{id}/cancel"), &executor, &Value::Null).await.expect(200);
    watcher.until("the money is back", |state| held(state, (earned, 0))).await;
}
