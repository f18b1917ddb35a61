//! The race for an order: exactly one winner, and a definitive answer for everybody else, whatever happens around it.

mod batches;
mod cuts;
mod versions;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

use crate::support::{Answer, Dice, Request, TestApp, User, until_within};

/// Opens a connection for each taker and signs it in, so that the herd itself arrives at once.
async fn gather(app: &TestApp, takers: &[User]) {
    for answer in join_all(takers.iter().map(|taker| app.get("/api/me", taker))).await {
        answer.expect(200);
    }
}

/// The winner's answer among answers of which exactly one is a win and the rest say `taken`, by whom and when.
fn the_winner(answers: &[Answer]) -> Value {
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "exactly one winner among {}", answers.len());
    let winner = won[0].json();
    for answer in lost {
        let problem = answer.refused(409, "taken");
        assert_eq!(problem["by"]["id"], winner["executor_id"]);
        assert!(problem["by"]["name"].as_str().unwrap().starts_with("Taker "), "{problem}");
        assert_eq!(problem["at"], winner["accepted_at"]);
        assert!(problem["at_ms"].is_i64());
    }
    winner
}

async fn executor_of(app: &TestApp, order_id: u64) -> Option<u64> {
    sqlx::query_scalar("select executor_id from orders where id = ?").bind(order_id).fetch_one(&app.sql).await.unwrap()
}

/// A node on which whoever does not come alone is decided together with others: its lane has one connection.
async fn start_in_batches() -> TestApp {
    TestApp::start_with(|config| config.limits.take_connections = 1).await
}

#[tokio::test]
async fn of_a_thousand_takers_of_one_order_one_wins_and_the_others_are_told_who_did() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let takers = app.executors(1_000).await;
    gather(&app, &takers).await;
    let order_id = app.order(&customer, 1_000).await;
    let statements = app.app().flow.take_statements();
    let answers = join_all(takers.iter().map(|taker| app.accept(taker, order_id))).await;
    let winner = the_winner(&answers);
    assert_eq!(winner["id"], order_id);
    assert_eq!(winner["status"], "in_work");
    assert_eq!(executor_of(&app, order_id).await, winner["executor_id"].as_u64());
    let statements = app.app().flow.take_statements() - statements;
    assert!((1..=5).contains(&statements), "{statements} UPDATE statements for one order");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_thousand_takers_on_two_nodes_get_one_winner() {
    let one = TestApp::start().await;
    let two = one.beside().await;
    let customer = one.customer(100_000).await;
    let takers = one.executors(1_000).await;
    let (here, there) = takers.split_at(500);
    tokio::join!(gather(&one, here), gather(&two, there));
    let order_id = one.order(&customer, 1_000).await;
    let (mut answers, others) = tokio::join!(
        join_all(here.iter().map(|taker| one.accept(taker, order_id))),
        join_all(there.iter().map(|taker| two.accept(taker, order_id))),
    );
    answers.extend(others);
    let winner = the_winner(&answers);
    assert_eq!(executor_of(&one, order_id).await, winner["executor_id"].as_u64());
    let statements = one.app().flow.take_statements() + two.app().flow.take_statements();
    assert!(statements <= 10, "{statements} UPDATE statements for one order on two nodes");
    one.assert_books_balance().await;
}

#[tokio::test]
async fn two_hundred_takers_racing_for_a_thousand_orders_never_share_one() {
    race_for_orders(&TestApp::start().await, 200, 1_000).await;
}

#[tokio::test]
async fn sixty_takers_never_share_an_order_when_they_are_decided_in_batches() {
    let app = start_in_batches().await;
    race_for_orders(&app, 60, 300).await;
    let flow = &app.app().flow;
    println!("{} statements for {} tries", flow.take_statements(), flow.takers_decided());
    assert!(flow.take_statements() < flow.takers_decided(), "nobody shared a statement");
}

async fn race_for_orders(app: &TestApp, takers: u64, count: usize) {
    let customers = join_all((0..8).map(|_| app.customer(10_000_000))).await;
    let orders: Vec<u64> =
        stream::iter(0..count).map(|number| app.order(&customers[number % 8], 1_000)).buffer_unordered(16).collect().await;
    let takers = app.executors(takers).await;
    gather(app, &takers).await;
    // Each taker runs through its own shuffle of the orders, one call after the other.
    let races = takers.iter().zip(0_u64..).map(|(taker, seed)| {
        let mut mine = orders.clone();
        async move {
            Dice::new(seed).shuffle(&mut mine);
            let mut answers = Vec::new();
            for order_id in mine {
                answers.push((order_id, app.accept(taker, order_id).await));
            }
            (taker.id, answers)
        }
    });
    let raced = join_all(races).await;
    let mut winners: HashMap<u64, Value> = HashMap::new();
    for (taker_id, answers) in &raced {
        for (order_id, answer) in answers.iter().filter(|(_, answer)| answer.status == 200) {
            let won = answer.json();
            assert_eq!(won["executor_id"], *taker_id);
            assert!(winners.insert(*order_id, won).is_none(), "order {order_id} was taken twice");
        }
    }
    for (order_id, answer) in raced.iter().flat_map(|(_, answers)| answers).filter(|(_, answer)| answer.status != 200) {
        let problem = answer.refused(409, "taken");
        assert_eq!(problem["by"]["id"], winners[order_id]["executor_id"]);
        assert_eq!(problem["at"], winners[order_id]["accepted_at"]);
    }
    let rows: Vec<(u64, Option<u64>)> = sqlx::query_as("select id, executor_id from orders").fetch_all(&app.sql).await.unwrap();
    for (order_id, executor_id) in rows {
        assert_eq!(executor_id, winners.get(&order_id).and_then(|won| won["executor_id"].as_u64()), "order {order_id}");
    }
    assert_eq!(winners.len(), count, "every order has somebody");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_winner_who_asks_again_gets_the_same_answer_on_any_node() {
    let one = TestApp::start().await;
    let two = one.beside().await;
    let (customer, executor) = (one.customer(100_000).await, one.executor().await);
    let order_id = one.order(&customer, 1_000).await;
    let won = one.accept(&executor, order_id).await;
    won.expect(200);
    for node in [&one, &two, &one] {
        let again = node.accept(&executor, order_id).await;
        assert_eq!((again.status, again.text()), (200, won.text()));
    }
    let version: u64 = sqlx::query_scalar("select version from orders where id = ?").bind(order_id).fetch_one(&one.sql).await.unwrap();
    assert_eq!(version, 2, "taken once");
}

#[tokio::test]
async fn a_taker_whose_connection_breaks_in_the_middle_learns_the_truth_by_asking_again() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let takers = app.executors(60).await;
    gather(&app, &takers).await;
    for pair in takers.chunks(2) {
        let (cut, rival) = (&pair[0], &pair[1]);
        let order_id = app.order(&customer, 1_000).await;
        let request = Request::new("POST", &format!("/api/orders/{order_id}/accept")).bearer(Some(&cut.token));
        app.send_and_hang_up(&request).await;
        let of_rival = app.accept(rival, order_id).await;
        let of_cut = app.accept(cut, order_id).await;
        let winner = the_winner(&[of_rival, of_cut]);
        assert_eq!(executor_of(&app, order_id).await, winner["executor_id"].as_u64());
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn each_refusal_is_named_and_carries_its_facts() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let rival = app.executors(1).await.remove(0);
    let mut orders = HashMap::new();
    for state in ["open", "frozen", "cancelled", "in_work", "submitted", "done"] {
        orders.insert(state, app.order(&customer, 1_000).await);
    }
    app.act(&customer, orders["frozen"], "freeze").await.expect(200);
    app.act(&customer, orders["cancelled"], "cancel").await.expect(200);
    let mut accepted_at = HashMap::new();
    for state in ["in_work", "submitted", "done"] {
        accepted_at.insert(state, app.accept(&rival, orders[state]).await.expect(200)["accepted_at"].clone());
    }
    app.act(&rival, orders["submitted"], "submit").await.expect(200);
    app.act(&rival, orders["done"], "submit").await.expect(200);
    app.act(&customer, orders["done"], "confirm").await.expect(200);
    let before = app.fingerprint().await;

    app.accept(&executor, orders["frozen"]).await.refused(409, "frozen");
    app.accept(&executor, orders["cancelled"]).await.refused(409, "cancelled");
    for state in ["in_work", "submitted", "done"] {
        let problem = app.accept(&executor, orders[state]).await.refused(409, "taken");
        assert_eq!((&problem["by"]["id"], &problem["at"]), (&json!(rival.id), &accepted_at[state]), "{state}");
        assert_eq!(problem["by"]["name"], "Taker 1");
    }
    for missing in [0, 999_999_999] {
        app.accept(&executor, missing).await.refused(404, "not_found");
    }
    let own = app.also(&customer, "executor").await;
    app.accept(&own, orders["open"]).await.refused(409, "own_order");
    app.accept(&customer, orders["open"]).await.refused(403, "forbidden");
    app.accept(&app.customer(0).await, orders["open"]).await.refused(403, "forbidden");
    app.accept(&app.admin().await, orders["open"]).await.refused(403, "forbidden");
    let path = format!("/api/orders/{}/accept", orders["open"]);
    app.call("POST", &path, None, &Value::Null).await.refused(401, "unauthenticated");
    app.call("POST", &path, Some("no-such-token"), &Value::Null).await.refused(401, "unauthenticated");
    // People were made meanwhile, nothing else.
    assert_eq!(without_accounts(&app.fingerprint().await), without_accounts(&before));
    app.accept(&executor, orders["open"]).await.expect(200);
}

fn without_accounts(fingerprint: &str) -> Vec<&str> {
    fingerprint.lines().filter(|line| !line.starts_with("accounts:")).collect()
}

#[tokio::test]
async fn an_abandoned_order_can_be_taken_by_somebody_else_at_once() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let takers = app.executors(2).await;
    let (first, second) = (&takers[0], &takers[1]);
    for _ in 0..20 {
        let order_id = app.order(&customer, 1_000).await;
        app.accept(first, order_id).await.expect(200);
        app.accept(second, order_id).await.refused(409, "taken");
        app.act(first, order_id, "abandon").await.expect(200);
        let won = app.accept(second, order_id).await.expect(200);
        assert_eq!(won["executor_id"], second.id);
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn an_abandoned_order_can_be_taken_on_another_node_within_two_seconds() {
    let one = TestApp::start().await;
    let two = one.beside().await;
    let customer = one.customer(100_000).await;
    let takers = one.executors(2).await;
    let (first, second) = (&takers[0], &takers[1]);
    for _ in 0..5 {
        let order_id = one.order(&customer, 1_000).await;
        one.accept(first, order_id).await.expect(200);
        two.accept(second, order_id).await.refused(409, "taken");
        one.act(first, order_id, "abandon").await.expect(200);
        until_within("the other node lets it go", Duration::from_secs(2), async || {
            let answer = two.accept(second, order_id).await;
            answer.status == 200 || answer.refused(409, "taken")["by"]["id"] != first.id
        })
        .await;
        assert_eq!(executor_of(&one, order_id).await, Some(second.id));
    }
}

#[tokio::test]
async fn taking_while_the_customer_freezes_and_unfreezes_has_one_winner_and_no_vague_answer() {
    take_while_it_flickers(&TestApp::start().await).await;
    take_while_it_flickers(&start_in_batches().await).await;
}

async fn take_while_it_flickers(app: &TestApp) {
    let customer = app.customer(100_000).await;
    let takers = app.executors(20).await;
    gather(app, &takers).await;
    for _ in 0..10 {
        let order_id = app.order(&customer, 1_000).await;
        app.act(&customer, order_id, "freeze").await.expect(200);
        let toggling = async {
            loop {
                for act in ["unfreeze", "freeze"] {
                    let answer = app.act(&customer, order_id, act).await;
                    if answer.status != 200 {
                        assert_eq!(answer.refused(409, "stale")["order_status"], "in_work");
                        return;
                    }
                }
            }
        };
        let taking = join_all(takers.iter().map(async |taker| {
            loop {
                let answer = app.accept(taker, order_id).await;
                match answer.status {
                    200 => return answer,
                    _ if answer.problem()["code"] == "taken" => return answer,
                    _ => drop(answer.refused(409, "frozen")),
                }
            }
        }));
        let ((), answers) = tokio::join!(toggling, taking);
        let winner = the_winner(&answers);
        assert_eq!(executor_of(app, order_id).await, winner["executor_id"].as_u64());
    }
    app.assert_books_balance().await;
}
