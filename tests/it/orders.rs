//! The whole life of an order, and everything that must not happen in it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Scene, TestApp, User, until_within};

/// What the order is now, as an admin sees it.
async fn look(app: &TestApp, user: &User, order_id: u64) -> Value {
    app.get(&format!("/api/orders/{order_id}"), user).await.expect(200)
}

async fn status_in_table(app: &TestApp, order_id: u64) -> String {
    sqlx::query_scalar("select status from orders where id = ?").bind(order_id).fetch_one(&app.sql).await.unwrap()
}

#[tokio::test]
async fn work_that_is_confirmed_moves_the_money_step_by_step() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let money = async || (app.balance(&customer, "wallet").await, app.balance(&executor, "earnings").await);

    let order = app.create_order(&customer, 10_000, &json!({"category": "repair"})).await;
    let id = order["id"].as_u64().unwrap();
    assert_eq!((&order["status"], &order["version"], &order["acceptance"]), (&json!("open"), &json!(1), &json!("confirm")));
    assert_eq!((&order["price"], &order["payout"], &order["commission"]), (&json!(10_000), &json!(9_000), &json!(1_000)));
    assert_eq!((&order["executor"], &order["accepted_at"]), (&Value::Null, &Value::Null));
    assert_eq!(money().await, ((90_000, 10_000), (0, 0)), "the price is held at once");
    assert_eq!(look(&app, &customer, id).await, order, "it reads as it was answered");

    let accepted = app.accept(&executor, id).await.expect(200);
    assert_eq!(money().await, ((90_000, 10_000), (0, 0)), "taking moves no money");
    let taken = look(&app, &customer, id).await;
    assert_eq!((&taken["status"], &taken["version"]), (&json!("in_work"), &json!(2)));
    assert_eq!((&taken["executor"]["id"], &taken["accepted_at"]), (&json!(executor.id), &accepted["accepted_at"]));

    let submitted = app.post(&format!("/api/orders/{id}/submit"), &executor, &json!({"report": "Done.\nLooks well."})).await.expect(200);
    assert_eq!((&submitted["status"], &submitted["version"]), (&json!("submitted"), &json!(3)));
    assert_eq!(submitted["report"], "Done.\nLooks well.");
    assert!(submitted["confirm_by_ms"].as_i64().unwrap() > submitted["submitted_ms"].as_i64().unwrap());
    assert_eq!(money().await, ((90_000, 10_000), (0, 0)), "handing in moves no money");

    let rejected = app
        .post(&format!("/api/orders/{id}/reject"), &customer, &json!({"reason": "One plank is missing:\nthe long one"}))
        .await
        .expect(200);
    assert_eq!((&rejected["status"], &rejected["version"]), (&json!("in_work"), &json!(4)));
    assert_eq!(rejected["reject_reason"], "One plank is missing:\nthe long one");
    assert_eq!((&rejected["submitted_ms"], &rejected["confirm_by_ms"]), (&Value::Null, &Value::Null));
    assert_eq!(money().await, ((90_000, 10_000), (0, 0)), "rejecting moves no money");

    app.act(&executor, id, "submit").await.expect(200);
    let done = app.act(&customer, id, "confirm").await.expect(200);
    assert_eq!((&done["status"], &done["version"], &done["confirm_by_ms"]), (&json!("done"), &json!(6), &Value::Null));
    assert!(done["finished_ms"].is_i64());
    assert_eq!(money().await, ((90_000, 0), (9_000, 0)), "the hold is paid out");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn work_that_settles_itself_is_paid_as_soon_as_it_is_handed_in() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let order = app.create_order(&customer, 99, &json!({"acceptance": "auto"})).await;
    let id = order["id"].as_u64().unwrap();
    assert_eq!((&order["payout"], &order["commission"]), (&json!(90), &json!(9)));
    app.accept(&executor, id).await.expect(200);
    let done = app.act(&executor, id, "submit").await.expect(200);
    assert_eq!((&done["status"], &done["version"]), (&json!("done"), &json!(3)));
    assert_eq!(app.balance(&customer, "wallet").await, (99_901, 0));
    assert_eq!(app.balance(&executor, "earnings").await, (90, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_payout_that_was_typed_is_what_the_executor_gets() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let draft = json!({"title": "Move a piano", "description": "", "payout": 12_345, "acceptance": "auto"});
    let order = app.post("/api/orders", &customer, &draft).await.expect(201);
    assert_eq!((&order["price"], &order["payout"]), (&json!(13_500), &json!(12_345)));
    app.accept(&executor, order["id"].as_u64().unwrap()).await.expect(200);
    app.act(&executor, order["id"].as_u64().unwrap(), "submit").await.expect(200);
    assert_eq!(app.balance(&executor, "earnings").await, (12_345, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn earnings_flow_on_into_the_wallet_of_those_who_want_one_balance() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let me = app.call("PATCH", "/api/me", Some(&executor.token), &json!({"sweeps_earnings": true})).await.expect(200);
    assert_eq!(me["sweeps_earnings"], true);
    for _ in 0..3 {
        let id = app.create_order(&customer, 10_000, &json!({"acceptance": "auto"})).await["id"].as_u64().unwrap();
        app.accept(&executor, id).await.expect(200);
        app.act(&executor, id, "submit").await.expect(200);
    }
    assert_eq!(app.balance(&executor, "earnings").await, (0, 0));
    assert_eq!(app.balance(&executor, "wallet").await, (27_000, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn an_abandoned_order_is_open_again_as_if_it_had_not_been_taken() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let order = app.create_order(&customer, 10_000, &Value::Null).await;
    let id = order["id"].as_u64().unwrap();
    app.accept(&executor, id).await.expect(200);
    let mut open = app.act(&executor, id, "abandon").await.expect(200);
    assert_eq!(open["version"], 3);
    open["version"] = json!(1);
    assert_eq!(open, order);
    assert_eq!(app.balance(&customer, "wallet").await, (90_000, 10_000), "the money is still held");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn cancelling_returns_the_held_money_from_open_and_from_frozen() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let (open, frozen) = (app.order(&customer, 10_000).await, app.order(&customer, 20_000).await);
    app.act(&customer, frozen, "freeze").await.expect(200);
    assert_eq!(app.balance(&customer, "wallet").await, (70_000, 30_000), "freezing moves no money");
    let cancelled = app.act(&customer, open, "cancel").await.expect(200);
    assert_eq!((&cancelled["status"], &cancelled["executor"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(app.balance(&customer, "wallet").await, (80_000, 20_000));
    app.act(&customer, frozen, "cancel").await.expect(200);
    assert_eq!(app.balance(&customer, "wallet").await, (100_000, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn work_that_nobody_judges_is_confirmed_when_its_time_is_over() {
    let app = TestApp::start_with(|config| config.limits.auto_confirm_s = 1).await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let mut orders = Vec::new();
    for _ in 0..10 {
        let id = app.order(&customer, 1_000).await;
        app.accept(&executor, id).await.expect(200);
        let submitted = app.act(&executor, id, "submit").await.expect(200);
        assert_eq!(submitted["confirm_by_ms"].as_i64().unwrap() - submitted["submitted_ms"].as_i64().unwrap(), 1_000);
        orders.push(id);
    }
    // Both nodes' workers find them; each order is paid once.
    until_within("all are confirmed", Duration::from_secs(6), async || {
        let done = sqlx::query_scalar::<_, i64>("select count(*) from orders where status = 'done'").fetch_one(&app.sql).await.unwrap();
        done == 10
    })
    .await;
    assert_eq!(app.balance(&executor, "earnings").await, (9_000, 0));
    assert_eq!(beside.balance(&customer, "wallet").await, (90_000, 0));
    let done = look(&app, &customer, orders[0]).await;
    assert!(done["finished_ms"].as_i64() >= done["submitted_ms"].as_i64().map(|at| at + 1_000), "not before its time: {done}");
    app.assert_books_balance().await;
}

/// Who may act, and in which states it changes something or repeats what was done.
const ACTS: [(&str, &str, &[&str]); 7] = [
    ("cancel", "the customer", &["open", "frozen", "cancelled"]),
    ("freeze", "the customer", &["open", "frozen"]),
    ("unfreeze", "the customer", &["frozen", "open"]),
    ("confirm", "the customer", &["submitted", "done"]),
    ("reject", "the customer", &["submitted"]),
    ("submit", "the executor", &["in_work", "submitted"]),
    ("abandon", "the executor", &["in_work"]),
];

#[tokio::test]
async fn every_act_by_the_wrong_party_or_in_the_wrong_state_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let scene = Scene::set(&app).await;
    let before = app.fingerprint().await;
    for (act, who_may, states) in ACTS {
        let body = if act == "reject" { json!({"reason": "Not good"}) } else { Value::Null };
        for (state, id) in &scene.orders {
            let path = format!("/api/orders/{id}/{act}");
            app.call("POST", &path, None, &body).await.refused(401, "unauthenticated");
            for (who, user) in &scene.people {
                if *who == who_may && states.contains(state) {
                    continue;
                }
                let answer = app.post(&path, user, &body).await;
                let problem = answer.problem();
                let told = format!("{act} of a {state} order by {who}: {problem}");
                let has_executor = ["in_work", "submitted", "done"].contains(state);
                let is_party = who.starts_with("the customer") || (who.starts_with("the executor") && has_executor);
                match problem["code"].as_str().unwrap() {
                    "stale" => {
                        assert!(*who == who_may && is_party, "{told}");
                        assert_eq!((problem["order_status"].as_str(), answer.status), (Some(*state), 409), "{told}");
                    }
                    "forbidden" => assert!(answer.status == 403 && (*state == "open" || (is_party && *who != who_may)), "{told}"),
                    "not_found" => assert!(answer.status == 404 && *state != "open" && !is_party, "{told}"),
                    _ => panic!("{told}"),
                }
            }
        }
        let path = format!("/api/orders/999999/{act}");
        app.post(&path, &scene.people[who_may], &body).await.refused(404, "not_found");
    }
    assert_eq!(app.fingerprint().await, before, "refusals change nothing");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn doing_it_twice_is_doing_it_once() {
    let app = TestApp::start().await;
    let scene = Scene::set(&app).await;
    for (act, who, state) in [
        ("freeze", "the customer", "open"),
        ("unfreeze", "the customer", "open"),
        ("cancel", "the customer", "open"),
        ("submit", "the executor", "in_work"),
        ("confirm", "the customer", "submitted"),
    ] {
        let (_, id) = scene.orders.iter().find(|(found, _)| *found == state).unwrap();
        let user = &scene.people[who];
        let once = app.act(user, *id, act).await.expect(200);
        let before = app.fingerprint().await;
        let twice = app.act(user, *id, act).await.expect(200);
        assert_eq!(twice, once, "{act}");
        assert_eq!(app.fingerprint().await, before, "{act}");
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn fifty_at_once_move_the_money_once() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let fifty = async |user: &User, id: u64, act: &str| {
        for answer in join_all((0..50).map(|_| app.act(user, id, act))).await {
            answer.expect(200);
        }
        app.assert_books_balance().await;
        look(&app, &customer, id).await
    };
    let cancelled = fifty(&customer, app.order(&customer, 1_000).await, "cancel").await;
    assert_eq!((&cancelled["status"], &cancelled["version"]), (&json!("cancelled"), &json!(2)));
    assert_eq!(app.balance(&customer, "wallet").await, (100_000, 0));

    let id = app.order(&customer, 1_000).await;
    app.accept(&executor, id).await.expect(200);
    assert_eq!(fifty(&executor, id, "submit").await["version"], 3);
    let done = fifty(&customer, id, "confirm").await;
    assert_eq!((&done["status"], &done["version"]), (&json!("done"), &json!(4)));
    assert_eq!(app.balance(&executor, "earnings").await, (900, 0));

    let id = app.create_order(&customer, 1_000, &json!({"acceptance": "auto"})).await["id"].as_u64().unwrap();
    app.accept(&executor, id).await.expect(200);
    assert_eq!(fifty(&executor, id, "submit").await["version"], 3);
    assert_eq!(app.balance(&executor, "earnings").await, (1_800, 0));
    assert_eq!(app.balance(&customer, "wallet").await, (98_000, 0));
}

#[tokio::test]
async fn confirming_and_rejecting_at_once_is_one_or_the_other() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    for _ in 0..20 {
        let id = app.order(&customer, 1_000).await;
        app.accept(&executor, id).await.expect(200);
        app.act(&executor, id, "submit").await.expect(200);
        let path = format!("/api/orders/{id}/reject");
        let reason = json!({"reason": "No"});
        let (confirmed, rejected) = tokio::join!(app.act(&customer, id, "confirm"), beside.post(&path, &customer, &reason));
        let status = status_in_table(&app, id).await;
        match (confirmed.status, rejected.status) {
            (200, 409) => assert_eq!((status.as_str(), &rejected.refused(409, "stale")["order_status"]), ("done", &json!("done"))),
            (409, 200) => assert_eq!((status.as_str(), &confirmed.refused(409, "stale")["order_status"]), ("in_work", &json!("in_work"))),
            both => panic!("confirmed and rejected: {both:?}, {status}"),
        }
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn cancelling_and_taking_at_once_is_one_or_the_other() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    for round in 0..30 {
        let id = app.order(&customer, 1_000).await;
        let node = if round % 2 == 0 { &app } else { &beside };
        let (cancelled, taken) = tokio::join!(app.act(&customer, id, "cancel"), node.accept(&executor, id));
        let status = status_in_table(&app, id).await;
        match (cancelled.status, taken.status) {
            (200, 409) => {
                taken.refused(409, "cancelled");
                assert_eq!(status, "cancelled");
            }
            (409, 200) => {
                assert_eq!(cancelled.refused(409, "stale")["order_status"], "in_work");
                assert_eq!(status, "in_work");
            }
            both => panic!("cancelled and taken: {both:?}, {status}"),
        }
    }
    app.assert_books_balance().await;
}
