//! Contracts that their sides disagree about.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, User, until_within};

async fn contract(app: &TestApp, customer: &User, executor: &User, acts: &[&str]) -> u64 {
    let id = app.order(customer, 10_000).await;
    for act in acts {
        app.act(executor, id, act).await.expect(200);
    }
    id
}

async fn dispute(app: &TestApp, user: &User, id: u64) -> Answer {
    app.post(&format!("/api/orders/{id}/dispute"), user, &json!({"reason": "It is not blue"})).await
}

async fn arbitrate(app: &TestApp, admin: &User, id: u64, verdict: &str) -> Answer {
    app.post(&format!("/api/admin/orders/{id}/arbitrate"), admin, &json!({"verdict": verdict, "comment": "The photographs show it"})).await
}

#[tokio::test]
async fn an_admin_pays_the_executor_or_gives_the_money_back() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(100_000).await, app.executor().await, app.admin().await);
    let paid = contract(&app, &customer, &executor, &["accept", "submit"]).await;
    let refunded = contract(&app, &customer, &executor, &["accept"]).await;
    let disputed = dispute(&app, &customer, paid).await.expect(200);
    assert_eq!((&disputed["dispute_reason"], &disputed["confirm_by_ms"]), (&json!("It is not blue"), &Value::Null));
    assert!(disputed["disputed_ms"].is_i64());
    assert_eq!(dispute(&app, &executor, paid).await.expect(200), disputed, "asked again, the same");
    dispute(&app, &executor, refunded).await.expect(200);

    let done = arbitrate(&app, &admin, paid, "pay").await.expect(200);
    assert_eq!((&done["status"], &done["disputed_ms"]), (&json!("done"), &disputed["disputed_ms"]));
    assert_eq!(app.balance(&executor, "earnings").await, (9_000, 0));
    let failed = arbitrate(&app, &admin, refunded, "refund").await.expect(200);
    assert_eq!((&failed["status"], &failed["executor"]["id"]), (&json!("failed"), &json!(executor.id)));
    assert_eq!(app.balance(&customer, "wallet").await, (90_000, 0));
    app.assert_books_balance().await;

    for asker in [&executor, &app.executor().await] {
        assert_eq!(app.accept(asker, refunded).await.refused(409, "stale")["order_status"], "failed", "it is nobody's");
    }
    let before = app.fingerprint().await;
    assert_eq!(arbitrate(&app, &admin, paid, "pay").await.expect(200), done, "asked again, decided once");
    arbitrate(&app, &admin, paid, "refund").await.refused(409, "not_disputed");
    arbitrate(&app, &admin, refunded, "pay").await.refused(409, "not_disputed");
    assert_eq!(app.fingerprint().await, before);
    let told = app.get(&format!("/api/orders/{refunded}/timeline"), &executor).await.expect(200);
    let events: Vec<&Value> = told["items"].as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(events, ["created", "taken", "disputed", "arbitrated"]);
    assert_eq!(told["items"][3]["facts"], json!({"verdict": "refund", "comment": "The photographs show it"}));
}

#[tokio::test]
async fn a_dispute_stops_the_clock_and_everything_but_the_customers_confirmation() {
    let app = TestApp::start_with(|config| config.limits.auto_confirm_s = 1).await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let disputed = contract(&app, &customer, &executor, &["accept", "submit"]).await;
    dispute(&app, &customer, disputed).await.expect(200);
    let in_work = contract(&app, &customer, &executor, &["accept"]).await;
    dispute(&app, &executor, in_work).await.expect(200);
    let undisputed = contract(&app, &customer, &executor, &["accept", "submit"]).await;
    // The younger one is confirmed by time, and the older one is not.
    until_within("the undisputed one is confirmed", Duration::from_secs(6), async || {
        app.get(&format!("/api/orders/{undisputed}"), &customer).await.expect(200)["status"] == "done"
    })
    .await;
    assert_eq!(app.get(&format!("/api/orders/{disputed}"), &customer).await.expect(200)["status"], "submitted");
    for act in ["submit", "abandon"] {
        app.act(&executor, in_work, act).await.refused(409, "disputed");
    }
    app.post(&format!("/api/orders/{disputed}/reject"), &customer, &json!({"reason": "No"})).await.refused(409, "disputed");
    app.act(&customer, disputed, "confirm").await.expect(200);
    app.act(&customer, in_work, "confirm").await.refused(409, "stale");
    assert_eq!(app.balance(&executor, "earnings").await, (18_000, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn only_the_two_sides_dispute_and_only_admins_decide() {
    let app = TestApp::start().await;
    let scene = crate::support::Scene::set(&app).await;
    let before = app.fingerprint().await;
    for (state, id) in &scene.orders {
        for (who, user) in &scene.people {
            let may = ["the customer", "the executor"].contains(who) && ["in_work", "submitted"].contains(state);
            if !may {
                let problem = dispute(&app, user, *id).await.problem();
                assert!(["forbidden", "not_found", "stale"].contains(&problem["code"].as_str().unwrap()), "{who}, {state}: {problem}");
            }
            let problem = arbitrate(&app, user, *id, "pay").await.problem();
            let due = if *who == "an admin" { "not_disputed" } else { "forbidden" };
            assert_eq!(problem["code"], due, "{who}, {state}");
        }
    }
    assert_eq!(app.fingerprint().await, before, "refusals change nothing");
    let id = scene.orders.iter().find(|(state, _)| *state == "in_work").unwrap().1;
    let (customer, admin) = (&scene.people["the customer"], &scene.people["an admin"]);
    app.post(&format!("/api/orders/{id}/dispute"), customer, &json!({"reason": " "})).await.refused(422, "invalid");
    dispute(&app, customer, id).await.expect(200);
    app.post(&format!("/api/admin/orders/{id}/arbitrate"), admin, &json!({"verdict": "both", "comment": "x"}))
        .await
        .refused(422, "invalid");
    app.post(&format!("/api/admin/orders/{id}/arbitrate"), admin, &json!({"verdict": "pay", "comment": ""})).await.refused(422, "invalid");
}

#[tokio::test]
async fn a_verdict_and_a_confirmation_at_once_move_the_money_once() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor, admin) = (app.customer(100_000).await, app.executor().await, app.admin().await);
    for round in 0..6 {
        let id = contract(&app, &customer, &executor, &["accept", "submit"]).await;
        dispute(&app, &customer, id).await.expect(200);
        let verdict = if round % 2 == 0 { "refund" } else { "pay" };
        let (decided, confirmed) = tokio::join!(arbitrate(&app, &admin, id, verdict), beside.act(&customer, id, "confirm"));
        assert!(decided.status == 200 || confirmed.status == 200, "{} {}", decided.text(), confirmed.text());
    }
    app.assert_books_balance().await;
}
