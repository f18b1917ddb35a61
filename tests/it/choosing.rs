//! Orders whose customer chooses: executors apply, offer another price, think better of it; one is chosen at the price they offered.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Request, TestApp, User};

async fn order(app: &TestApp, customer: &User, price: i64) -> u64 {
    app.create_order(customer, price, &json!({"assignment": "chosen"})).await["id"].as_u64().unwrap()
}

async fn apply(app: &TestApp, executor: &User, id: u64, price: Option<i64>) -> Answer {
    let mut offer = json!({"message": "I have done this before.\nTomorrow?"});
    if let Some(price) = price {
        offer["price"] = price.into();
    }
    app.post(&format!("/api/orders/{id}/apply"), executor, &offer).await
}

async fn choose(app: &TestApp, customer: &User, id: u64, executor: &User) -> Answer {
    app.post(&format!("/api/orders/{id}/choose"), customer, &json!({"executor_id": executor.id})).await
}

async fn applications(app: &TestApp, user: &User, id: u64) -> Vec<Value> {
    app.get(&format!("/api/orders/{id}/applications"), user).await.expect(200)["items"].as_array().unwrap().clone()
}

fn statuses(applications: &[Value]) -> Vec<(u64, &str)> {
    let status = |one: &Value| {
        (
            one["executor"]["id"].as_u64().unwrap(),
            ["waiting", "chosen", "declined", "withdrawn"].into_iter().find(|name| one["status"] == *name).unwrap(),
        )
    };
    applications.iter().map(status).collect()
}

#[tokio::test]
async fn one_is_chosen_at_the_price_they_offered_and_the_others_are_declined() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let (dear, cheap, plain) = (app.executor().await, app.executor().await, app.executor().await);
    // Somebody who has done something before.
    let earlier = app.create_order(&customer, 1_000, &json!({"acceptance": "auto"})).await["id"].as_u64().unwrap();
    app.act(&cheap, earlier, "accept").await.expect(200);
    app.act(&cheap, earlier, "submit").await.expect(200);

    let id = order(&app, &customer, 10_000).await;
    let mut watcher = app.watcher(Some(&customer.token)).await;
    watcher.watch("all").await;
    let offered = apply(&app, &dear, id, Some(20_000)).await.expect(200);
    assert_eq!((&offered["price"], &offered["payout"], &offered["commission"]), (&json!(20_000), &json!(18_000), &json!(2_000)));
    assert_eq!((&offered["status"], &offered["executor"]["id"]), (&json!("waiting"), &json!(dear.id)));
    apply(&app, &cheap, id, Some(5_000)).await.expect(200);
    apply(&app, &plain, id, None).await.expect(200);
    watcher
        .until("three applicants on the board", |state| state.board("all").orders.get(&id).is_some_and(|order| order["applicants"] == 3))
        .await;
    let compared = applications(&app, &customer, id).await;
    assert_eq!(statuses(&compared), [(plain.id, "waiting"), (cheap.id, "waiting"), (dear.id, "waiting")]);
    assert_eq!(compared[1]["stats"], json!({"completed": 1, "earned": 900}));
    assert_eq!(compared[2]["stats"], json!({"completed": 0, "earned": 0}));
    let limits = app.get(&format!("/api/orders/{id}/applications"), &plain).await.expect(200);
    assert_eq!((&limits["price_min"], &limits["price_max"]), (&json!(5_000), &json!(20_000)), "between these an offer may be");
    assert_eq!(app.balance(&customer, "wallet").await, (89_000, 10_000), "applying moves no money");
    for executor in [&dear, &cheap, &plain] {
        assert_eq!(applications(&app, executor, id).await.len(), 1, "an executor sees their own");
    }

    let chosen = choose(&app, &customer, id, &dear).await.expect(200);
    assert_eq!((&chosen["status"], &chosen["executor"]["id"], &chosen["price"]), (&json!("in_work"), &json!(dear.id), &json!(20_000)));
    assert_eq!(app.get(&format!("/api/orders/{id}"), &customer).await.expect(200), chosen, "it reads as it was answered");
    assert_eq!(app.balance(&customer, "wallet").await, (79_000, 20_000), "the hold follows the price");
    assert_eq!(statuses(&applications(&app, &customer, id).await), [(plain.id, "declined"), (cheap.id, "declined"), (dear.id, "chosen")]);
    watcher.until("it has left the board", |state| !state.board("all").has(id)).await;
    let own = app.get("/api/applications", &cheap).await.expect(200);
    assert_eq!((&own["items"][0]["status"], &own["items"][0]["order"]["status"]), (&json!("declined"), &json!("in_work")));
    assert_eq!(app.get("/api/applications?status=waiting", &cheap).await.expect(200)["items"], json!([]));
    app.assert_books_balance().await;

    app.act(&dear, id, "submit").await.expect(200);
    app.act(&customer, id, "confirm").await.expect(200);
    assert_eq!(app.balance(&dear, "earnings").await, (18_000, 0));
    app.assert_books_balance().await;
    let told = app.get(&format!("/api/orders/{id}/timeline"), &customer).await.expect(200);
    let kinds: Vec<&str> = told["items"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "applied", "applied", "applied", "chosen", "submitted", "confirmed"]);
    let executors = app.get(&format!("/api/orders/{id}/timeline"), &dear).await.expect(200);
    assert_eq!(executors["items"].as_array().unwrap().len(), 5, "nothing of the other applicants: {executors}");
}

#[tokio::test]
async fn an_application_can_be_replaced_and_withdrawn_while_nobody_is_chosen() {
    let app = TestApp::start().await;
    let (customer, executor, other) = (app.customer(100_000).await, app.executor().await, app.executor().await);
    let id = order(&app, &customer, 10_000).await;
    apply(&app, &executor, id, None).await.expect(200);
    let first_seen = app.get(&format!("/api/orders/{id}"), &customer).await.expect(200)["version"].clone();
    apply(&app, &executor, id, Some(12_000)).await.expect(200);
    assert_eq!(applications(&app, &customer, id).await.len(), 1);
    // The customer has seen the first offer, and is told of the second.
    let choice = json!({"executor_id": executor.id, "version": first_seen});
    let problem = app.post(&format!("/api/orders/{id}/choose"), &customer, &choice).await.refused(409, "changed");
    assert_eq!(problem["changes"]["application"]["price"], 12_000);

    app.act(&executor, id, "withdraw").await.expect(200);
    let withdrawn = app.act(&executor, id, "withdraw").await.expect(200);
    assert_eq!(withdrawn["status"], "withdrawn", "asked again, the same");
    choose(&app, &customer, id, &executor).await.refused(404, "not_found");
    choose(&app, &customer, id, &other).await.refused(404, "not_found");
    app.act(&other, id, "withdraw").await.refused(404, "not_found");
    assert_eq!(app.get(&format!("/api/orders/{id}"), &customer).await.expect(200)["applicants"], 0);
    apply(&app, &executor, id, None).await.expect(200);
    assert_eq!(app.get(&format!("/api/orders/{id}"), &customer).await.expect(200)["applicants"], 1);
    choose(&app, &customer, id, &executor).await.expect(200);
    app.act(&executor, id, "withdraw").await.refused(409, "stale");

    // Whoever was chosen may give up; the order is on the board again, and others may apply.
    let again = app.act(&executor, id, "abandon").await.expect(200);
    assert_eq!((&again["status"], &again["executor"]), (&json!("open"), &Value::Null));
    apply(&app, &other, id, None).await.expect(200);
    choose(&app, &customer, id, &other).await.expect(200);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn who_may_not_apply_and_what_may_not_be_offered_is_refused() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let id = order(&app, &customer, 10_001).await;
    for price in [5_001, 20_002] {
        apply(&app, &executor, id, Some(price)).await.expect(200);
    }
    for price in [5_000, 20_003, 0, -1] {
        assert_eq!(apply(&app, &executor, id, Some(price)).await.refused(422, "invalid")["field"], "price", "{price}");
    }
    let path = format!("/api/orders/{id}/apply");
    for message in ["".to_owned(), "x".repeat(1_001), "a\u{202e}b".to_owned()] {
        assert_eq!(app.post(&path, &executor, &json!({"message": message})).await.refused(422, "invalid")["field"], "message");
    }
    apply(&app, &customer, id, None).await.refused(403, "forbidden");
    let both = app.also(&customer, "executor").await;
    apply(&app, &both, id, None).await.refused(409, "own_order");
    app.call("POST", &path, None, &json!({"message": "Me"})).await.refused(401, "unauthenticated");
    apply(&app, &executor, app.order(&customer, 1_000).await, None).await.refused(409, "first_taker");
    apply(&app, &executor, 999_999, None).await.refused(404, "not_found");
    app.act(&customer, id, "freeze").await.expect(200);
    apply(&app, &executor, id, None).await.refused(409, "frozen");
    app.act(&customer, id, "cancel").await.expect(200);
    apply(&app, &executor, id, None).await.refused(409, "cancelled");
    assert_eq!(statuses(&applications(&app, &customer, id).await), [(executor.id, "declined")], "nobody waits for a cancelled order");
    let stranger = app.customer(0).await;
    app.get(&format!("/api/orders/{id}/applications"), &stranger).await.refused(404, "not_found");
    choose(&app, &stranger, id, &executor).await.refused(404, "not_found");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_counter_price_that_is_not_covered_is_refused_and_under_a_key_for_good() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(15_000).await, app.executor().await);
    let id = order(&app, &customer, 10_000).await;
    apply(&app, &executor, id, Some(15_001)).await.expect(200);
    let choice = json!({"executor_id": executor.id});
    let under = async |key: &str| {
        let request = Request::new("POST", &format!("/api/orders/{id}/choose")).bearer(Some(&customer.token)).json(&choice);
        app.send(&request.header("idempotency-key", key)).await
    };
    let before = app.fingerprint().await;
    let refused = under("k").await.refused(409, "insufficient_funds");
    assert_eq!((&refused["available"], &refused["needed"]), (&json!(5_000), &json!(5_001)));
    assert_eq!(app.fingerprint().await, before, "a refusal changes nothing");
    assert_eq!(statuses(&applications(&app, &customer, id).await), [(executor.id, "waiting")]);
    apply(&app, &executor, id, Some(9_000)).await.expect(200);
    assert_eq!(under("k").await.refused(409, "insufficient_funds"), refused);
    let done = under("k2").await.expect(200);
    assert_eq!(under("k2").await.expect(200), done, "once");
    assert_eq!(app.balance(&customer, "wallet").await, (6_000, 9_000), "a lower price frees the difference");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn forty_apply_at_once_and_two_choices_at_once_are_one() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let customer = app.customer(1_000_000).await;
    let executors = app.executors(40).await;
    let id = order(&app, &customer, 10_000).await;
    let nodes = [&app, &beside].into_iter().cycle();
    let all = executors.iter().zip(nodes).zip(0_i64..);
    for answer in join_all(all.map(|((executor, node), number)| apply(node, executor, id, Some(10_000 + number)))).await {
        answer.expect(200);
    }
    assert_eq!(app.get(&format!("/api/orders/{id}"), &customer).await.expect(200)["applicants"], 40);
    let pages = app.get(&format!("/api/orders/{id}/applications?limit=30"), &customer).await.expect(200);
    let rest =
        app.get(&format!("/api/orders/{id}/applications?limit=30&cursor={}", pages["next"].as_str().unwrap()), &customer).await.expect(200);
    assert_eq!((pages["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (30, 10));
    let (one, two, gone) = tokio::join!(
        choose(&app, &customer, id, &executors[3]),
        choose(&beside, &customer, id, &executors[7]),
        app.act(&executors[3], id, "withdraw")
    );
    let chosen: Vec<u16> = [&one, &two].iter().map(|answer| answer.status).filter(|status| *status == 200).collect();
    assert_eq!(chosen.len(), 1, "{} {} {}", one.text(), two.text(), gone.text());
    app.assert_books_balance().await;
    assert_eq!(applications(&app, &customer, id).await.iter().filter(|one| one["status"] == "chosen").count(), 1);
}
