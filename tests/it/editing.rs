//! Orders that change while they are open: the hold follows the price, nobody acts on what is no longer so, and all of it is told.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Request, TestApp, User};

async fn edit(app: &TestApp, customer: &User, id: u64, change: &Value) -> Answer {
    app.call("PATCH", &format!("/api/orders/{id}"), Some(&customer.token), change).await
}

async fn edit_under(app: &TestApp, customer: &User, id: u64, change: &Value, key: &str) -> Answer {
    let request = Request::new("PATCH", &format!("/api/orders/{id}")).bearer(Some(&customer.token)).json(change);
    app.send(&request.header("idempotency-key", key)).await
}

async fn timeline(app: &TestApp, user: &User, id: u64) -> Vec<Value> {
    app.get(&format!("/api/orders/{id}/timeline"), user).await.expect(200)["items"].as_array().unwrap().clone()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_hold_follows_the_price_by_the_policy_that_the_order_was_made_with() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(100_000).await, app.executor().await, app.admin().await);
    let mut watcher = app.watcher(Some(&customer.token)).await;
    watcher.watch("all").await;
    let id = app.order(&customer, 10_000).await;
    let policy = json!({"rate_bp": 200, "floor_bp": 100, "mode": "exact"});
    app.call("PUT", "/api/admin/commission", Some(&admin.token), &policy).await.expect(200);

    let dearer = edit(&app, &customer, id, &json!({"version": 1, "price": 30_000, "title": "Paint two fences"})).await.expect(200);
    assert_eq!((&dearer["version"], &dearer["edited_version"], &dearer["title"]), (&json!(2), &json!(2), &json!("Paint two fences")));
    assert_eq!((&dearer["price"], &dearer["payout"], &dearer["commission"]), (&json!(30_000), &json!(27_000), &json!(3_000)));
    assert_eq!(app.balance(&customer, "wallet").await, (70_000, 30_000));
    assert_eq!(app.get(&format!("/api/orders/{id}"), &customer).await.expect(200), dearer, "it reads as it was answered");
    app.assert_books_balance().await;

    app.act(&customer, id, "freeze").await.expect(200);
    let change = json!({"version": 2, "payout": 4_500, "description": "Blue.", "category": "repair"});
    let cheaper = edit(&app, &customer, id, &change).await.expect(200);
    assert_eq!((&cheaper["status"], &cheaper["version"], &cheaper["price"]), (&json!("frozen"), &json!(4), &json!(5_000)));
    assert_eq!((&cheaper["description"], &cheaper["category"]), (&json!("Blue."), &json!("repair")));
    assert_eq!(app.balance(&customer, "wallet").await, (95_000, 5_000));
    app.act(&customer, id, "unfreeze").await.expect(200);
    watcher
        .until("the board has it as it is", |state| state.board("all").orders.get(&id).is_some_and(|order| order["price"] == 5_000))
        .await;
    watcher.until("the balance moved", |state| state.balance("wallet") == Some((95_000, 5_000))).await;

    let entries = app.get("/api/accounts/wallet/entries?kind=adjust", &customer).await.expect(200);
    let moved: Vec<&Value> = entries["items"].as_array().unwrap().iter().map(|entry| &entry["held_delta"]).collect();
    assert_eq!(moved, [&json!(-25_000), &json!(20_000)]);
    for (who, act) in [(&executor, "accept"), (&executor, "submit"), (&customer, "confirm")] {
        app.act(who, id, act).await.expect(200);
    }
    assert_eq!(app.balance(&customer, "wallet").await, (95_000, 0));
    assert_eq!(app.balance(&executor, "earnings").await, (4_500, 0));
    app.assert_books_balance().await;

    let cancelled = app.order(&customer, 1_000).await;
    edit(&app, &customer, cancelled, &json!({"version": 1, "price": 7_000})).await.expect(200);
    app.act(&customer, cancelled, "cancel").await.expect(200);
    assert_eq!(app.balance(&customer, "wallet").await, (95_000, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn an_editor_who_saw_an_older_text_is_told_what_has_changed() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let id = app.order(&customer, 10_000).await;
    edit(&app, &customer, id, &json!({"version": 1, "title": "Paint a wall"})).await.expect(200);
    edit(&app, &customer, id, &json!({"version": 2, "price": 20_000})).await.expect(200);
    let problem = edit(&app, &customer, id, &json!({"version": 1, "price": 5_000})).await.refused(409, "changed");
    let changes = json!({
        "title": {"from": "Paint a fence", "to": "Paint a wall"},
        "price": {"from": 10_000, "to": 20_000}, "payout": {"from": 9_000, "to": 18_000}, "commission": {"from": 1_000, "to": 2_000},
    });
    assert_eq!(problem["changes"], changes);
    assert_eq!((&problem["order"]["version"], &problem["order"]["price"]), (&json!(3), &json!(20_000)));
    // Freezing is no edit: what was seen before it still holds.
    app.act(&customer, id, "freeze").await.expect(200);
    app.act(&customer, id, "unfreeze").await.expect(200);
    edit(&app, &customer, id, &json!({"version": 3, "price": 5_000})).await.expect(200);
    assert_eq!(edit(&app, &customer, id, &json!({"version": 99})).await.refused(422, "invalid")["field"], "version");
    let same = edit(&app, &customer, id, &json!({"version": 6, "price": 5_000})).await.expect(200);
    assert_eq!(same["version"], 6, "nothing was different, and nothing was changed");
    for (change, field) in [
        (json!({"version": 6, "title": " "}), "title"),
        (json!({"version": 6, "price": 0}), "price"),
        (json!({"version": 6, "price": 1}), "price"),
        (json!({"version": 6, "category": "nothing"}), "category"),
    ] {
        assert_eq!(edit(&app, &customer, id, &change).await.refused(422, "invalid")["field"], field, "{change}");
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn money_that_is_not_there_is_refused_and_under_a_key_for_good() {
    let app = TestApp::start().await;
    let customer = app.customer(15_000).await;
    let id = app.order(&customer, 10_000).await;
    let dearer = json!({"version": 1, "price": 15_001});
    let before = app.fingerprint().await;
    let problem = edit(&app, &customer, id, &dearer).await.refused(409, "insufficient_funds");
    assert_eq!((&problem["available"], &problem["needed"]), (&json!(5_000), &json!(5_001)));
    let refused = edit_under(&app, &customer, id, &dearer, "k").await.refused(409, "insufficient_funds");
    assert_eq!(app.fingerprint().await, before, "refusals change nothing");
    app.act(&customer, app.order(&customer, 5_000).await, "cancel").await.expect(200);
    assert_eq!(edit_under(&app, &customer, id, &dearer, "k").await.refused(409, "insufficient_funds"), refused);
    edit_under(&app, &customer, id, &json!({"version": 1, "price": 15_000}), "k").await.refused(409, "mismatch");
    let done = edit_under(&app, &customer, id, &json!({"version": 1, "price": 15_000}), "k2").await.expect(200);
    assert_eq!(app.balance(&customer, "wallet").await, (0, 15_000));
    assert_eq!(edit_under(&app, &customer, id, &json!({"version": 1, "price": 15_000}), "k2").await.expect(200), done, "once");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn only_its_customer_edits_an_order_and_only_while_nobody_works_on_it() {
    let app = TestApp::start().await;
    let scene = crate::support::Scene::set(&app).await;
    let before = app.fingerprint().await;
    for (state, id) in &scene.orders {
        for (who, user) in &scene.people {
            if *who == "the customer" && ["open", "frozen"].contains(state) {
                continue;
            }
            let answer = edit(&app, user, *id, &json!({"version": 1, "price": 2_000})).await;
            let problem = answer.problem();
            let may = if *who == "the customer" { "stale" } else { "forbidden not_found" };
            assert!(may.contains(problem["code"].as_str().unwrap()), "{who}, {state}: {problem}");
        }
    }
    assert_eq!(app.fingerprint().await, before, "refusals change nothing");
}

#[tokio::test]
async fn an_order_of_another_category_moves_from_board_to_board_on_every_node() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let id = app.create_order(&customer, 1_000, &json!({"category": "it"})).await["id"].as_u64().unwrap();
    let mut watchers = [app.watcher(None).await, beside.watcher(None).await];
    for watcher in &mut watchers {
        watcher.watch("category:it").await;
        watcher.watch("category:design").await;
        watcher.until("it is there", |state| state.board("category:it").has(id)).await;
    }
    edit(&app, &customer, id, &json!({"version": 1, "category": "design"})).await.expect(200);
    for watcher in &mut watchers {
        watcher.until("it has moved", |state| !state.board("category:it").has(id) && state.board("category:design").has(id)).await;
        assert_eq!(watcher.state.board("category:it").removed[&id], "window");
        watcher.until_proven("category:it").await;
        watcher.until_proven("category:design").await;
    }
    edit(&beside, &customer, id, &json!({"version": 2, "category": null})).await.expect(200);
    app.accept(&executor, id).await.expect(200);
    for watcher in &mut watchers {
        watcher.until("it is on neither", |state| !state.board("category:design").has(id)).await;
        watcher.until_proven("category:design").await;
    }
}

#[tokio::test]
async fn edits_beside_each_other_and_beside_a_taking_leave_every_kopeck_in_its_place() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    for round in 0..15 {
        let id = app.order(&customer, 10_000).await;
        let changes: Vec<Value> = (1..=6).map(|step| json!({"version": 1, "price": 10_000 + step * 100})).collect();
        let edits =
            join_all(changes.iter().zip([&app, &beside].into_iter().cycle()).map(|(change, node)| edit(node, &customer, id, change)));
        let other = async {
            match round % 3 {
                0 => app.accept(&executor, id).await,
                1 => beside.act(&customer, id, "cancel").await,
                _ => beside.act(&customer, id, "freeze").await,
            }
        };
        let (edits, other) = tokio::join!(edits, other);
        let done = edits.iter().filter(|answer| answer.status == 200).count();
        assert!(done <= 1, "one edit of version 1");
        for answer in edits.iter().filter(|answer| answer.status != 200) {
            assert!(["changed", "stale"].contains(&answer.problem()["code"].as_str().unwrap()), "{}", answer.problem());
        }
        other.expect(200);
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn the_timeline_tells_each_party_what_has_happened_and_no_executor_of_another() {
    let app = TestApp::start().await;
    let (customer, first, second, admin) = (app.customer(100_000).await, app.executor().await, app.executor().await, app.admin().await);
    let id = app.order(&customer, 10_000).await;
    edit(&app, &customer, id, &json!({"version": 1, "price": 20_000})).await.expect(200);
    app.act(&customer, id, "freeze").await.expect(200);
    app.act(&customer, id, "unfreeze").await.expect(200);
    app.accept(&first, id).await.expect(200);
    app.act(&first, id, "submit").await.expect(200);
    app.post(&format!("/api/orders/{id}/reject"), &customer, &json!({"reason": "Not blue"})).await.expect(200);
    app.act(&first, id, "abandon").await.expect(200);
    app.get(&format!("/api/orders/{id}/timeline"), &first).await.refused(404, "not_found");
    let open = app.get(&format!("/api/orders/{id}"), &second).await.expect(200);
    assert_eq!((&open["report"], &open["reject_reason"]), (&Value::Null, &Value::Null), "what the first did is not the second's to read");
    app.accept(&second, id).await.expect(200);
    app.post(&format!("/api/orders/{id}/submit"), &second, &json!({"report": "Blue"})).await.expect(200);
    app.act(&customer, id, "confirm").await.expect(200);

    let whole =
        ["created", "edited", "frozen", "unfrozen", "taken", "submitted", "rejected", "abandoned", "taken", "submitted", "confirmed"];
    let told = timeline(&app, &customer, id).await;
    assert_eq!(kinds(&told), whole, "{told:#?}");
    assert!(told.is_sorted_by_key(|event| event["at_ms"].as_i64().unwrap()));
    let actors: Vec<u64> = told.iter().map(|event| event["actor"]["id"].as_u64().unwrap()).collect();
    let (c, one, two) = (customer.id, first.id, second.id);
    assert_eq!(actors, [c, c, c, c, one, one, c, one, two, two, c]);
    assert_eq!(told[1]["facts"]["price"], json!({"from": 10_000, "to": 20_000}));
    assert_eq!((&told[6]["facts"]["reason"], &told[9]["facts"]["report"]), (&json!("Not blue"), &json!("Blue")));
    assert_eq!(timeline(&app, &admin, id).await, told);
    assert_eq!(kinds(&timeline(&app, &second, id).await), ["created", "edited", "frozen", "unfrozen", "taken", "submitted", "confirmed"]);
    for other in [&first, &app.customer(0).await] {
        app.get(&format!("/api/orders/{id}/timeline"), other).await.refused(404, "not_found");
    }
    let cancelled = app.order(&customer, 1_000).await;
    app.act(&customer, cancelled, "cancel").await.expect(200);
    assert_eq!(kinds(&timeline(&app, &customer, cancelled).await), ["created", "cancelled"]);
}
