//! Takers who say which version they have seen get the order as they saw it, or hear what is different.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::batches::{all_in_one_batch, orders};
use super::{executor_of, gather, start_in_batches};
use crate::support::{Answer, TestApp, User, until};

async fn edit(app: &TestApp, customer: &User, id: u64, change: &Value) -> Answer {
    app.call("PATCH", &format!("/api/orders/{id}"), Some(&customer.token), change).await
}

async fn apply(app: &TestApp, executor: &User, id: u64, version: u64) -> Answer {
    app.post(&format!("/api/orders/{id}/apply"), executor, &json!({"message": "I have a brush", "version": version})).await
}

#[tokio::test]
async fn a_taker_who_saw_an_older_price_is_told_what_has_changed_and_takes_the_order_as_it_is() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let id = app.order(&customer, 10_000).await;
    edit(&app, &customer, id, &json!({"version": 1, "price": 8_000, "description": "Blue."})).await.expect(200);
    let before = app.fingerprint().await;
    let problem = app.accept_seen(&executor, id, 1).await.refused(409, "changed");
    let changes = json!({
        "description": {"from": "Green.", "to": "Blue."},
        "price": {"from": 10_000, "to": 8_000}, "payout": {"from": 9_000, "to": 7_200}, "commission": {"from": 1_000, "to": 800},
    });
    assert_eq!(problem["changes"], changes);
    let order = app.get(&format!("/api/orders/{id}"), &executor).await.expect(200);
    assert_eq!(problem["order"], order, "and the order as everybody may read it");
    assert_eq!(app.fingerprint().await, before);
    let own = app.also(&customer, "executor").await;
    app.accept_seen(&own, id, 1).await.refused(409, "own_order");
    let won = app.accept_seen(&executor, id, 2).await;
    assert_eq!(won.expect(200)["executor_id"], executor.id);
    assert_eq!(app.accept_seen(&executor, id, 1).await.text(), won.text(), "it is theirs, whatever they say they saw");
    app.accept_seen(&app.executor().await, id, 1).await.refused(409, "taken");
    app.accept_seen(&executor, 999_999_999, 1).await.refused(404, "not_found");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_version_that_the_order_has_never_had_takes_nothing() {
    let app = TestApp::start().await;
    let customer = app.customer(1_000_000).await;
    let takers = app.executors(2).await;
    let (executor, other) = (&takers[0], &takers[1]);
    let open = app.order(&customer, 10_000).await;
    for wild in [2, u64::MAX] {
        let problem = app.accept_seen(executor, open, wild).await.refused(422, "invalid");
        assert_eq!((&problem["field"], &problem["reason"]), (&json!("version"), &json!("unknown")));
    }
    assert_eq!(executor_of(&app, open).await, None);
    app.accept_seen(executor, open, 1).await.expect(200);
    // What became of the order is worth more than a word about the version, and the winner hears the same again.
    app.accept_seen(other, open, 99).await.refused(409, "taken");
    assert_eq!(app.accept_seen(executor, open, 99).await.expect(200)["executor_id"], executor.id);

    let chosen = app.create_order(&customer, 10_000, &json!({"assignment": "chosen"})).await["id"].as_u64().unwrap();
    assert_eq!(apply(&app, executor, chosen, 2).await.refused(422, "invalid")["field"], "version");
    apply(&app, executor, chosen, 1).await.expect(200);
    let choice = json!({"executor_id": executor.id, "version": 9});
    assert_eq!(app.post(&format!("/api/orders/{chosen}/choose"), &customer, &choice).await.refused(422, "invalid")["field"], "version");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_version_that_moved_without_an_edit_refuses_nobody() {
    let app = TestApp::start().await;
    let customer = app.customer(1_000_000).await;
    let takers = app.executors(2).await;
    let (executor, other) = (&takers[0], &takers[1]);
    let frozen = app.order(&customer, 10_000).await;
    app.act(&customer, frozen, "freeze").await.expect(200);
    app.accept_seen(executor, frozen, 1).await.refused(409, "frozen");
    app.act(&customer, frozen, "unfreeze").await.expect(200);
    app.accept_seen(executor, frozen, 1).await.expect(200);

    let given_up = app.order(&customer, 10_000).await;
    app.accept_seen(other, given_up, 1).await.expect(200);
    app.act(other, given_up, "abandon").await.expect(200);
    app.accept_seen(executor, given_up, 1).await.expect(200);

    let to_and_fro = app.order(&customer, 10_000).await;
    edit(&app, &customer, to_and_fro, &json!({"version": 1, "price": 5_000})).await.expect(200);
    edit(&app, &customer, to_and_fro, &json!({"version": 2, "price": 10_000})).await.expect(200);
    app.accept_seen(executor, to_and_fro, 2).await.refused(409, "changed");
    app.accept_seen(executor, to_and_fro, 1).await.expect(200);

    let chosen = app.create_order(&customer, 10_000, &json!({"assignment": "chosen"})).await["id"].as_u64().unwrap();
    apply(&app, other, chosen, 1).await.expect(200);
    apply(&app, executor, chosen, 1).await.expect(200);
    edit(&app, &customer, chosen, &json!({"version": 3, "price": 5_000})).await.expect(200);
    let problem = apply(&app, executor, chosen, 3).await.refused(409, "changed");
    assert_eq!((&problem["changes"]["price"], &problem["order"]["version"]), (&json!({"from": 10_000, "to": 5_000}), &json!(4)));
    assert_eq!(apply(&app, executor, chosen, 4).await.expect(200)["price"], 5_000);
    for wrong in [json!(-1), json!("1"), json!(1.5), json!([])] {
        let body = json!({"version": wrong});
        app.post(&format!("/api/orders/{chosen}/accept"), executor, &body).await.refused(422, "invalid");
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_herd_that_saw_an_older_version_is_refused_as_one_and_then_has_one_winner() {
    let app = TestApp::start().await;
    let customer = app.customer(100_000).await;
    let takers = app.executors(300).await;
    gather(&app, &takers).await;
    let id = app.order(&customer, 10_000).await;
    edit(&app, &customer, id, &json!({"version": 1, "price": 8_000})).await.expect(200);
    let before = app.app().flow.take_statements();
    for answer in join_all(takers.iter().map(|taker| app.accept_seen(taker, id, 1))).await {
        assert_eq!(answer.refused(409, "changed")["changes"]["price"]["to"], 8_000);
    }
    let statements = app.app().flow.take_statements() - before;
    assert!(statements <= 30, "{statements} UPDATE statements for one herd");
    // Half of them have looked again, some have not, some do not say: who may have it has it.
    let tries = takers.iter().zip(0..).map(async |(taker, number)| match number % 4 {
        0 | 1 => app.accept_seen(taker, id, 2).await,
        2 => app.accept_seen(taker, id, 1).await,
        _ => app.accept(taker, id).await,
    });
    let answers = join_all(tries).await;
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        assert!(["taken", "changed"].contains(&answer.problem()["code"].as_str().unwrap()), "{}", answer.text());
    }
    assert_eq!(executor_of(&app, id).await, won[0].json()["executor_id"].as_u64());
    app.assert_books_balance().await;
}

#[tokio::test]
async fn an_edit_beside_a_hundred_takers_leaves_the_winner_the_order_they_saw() {
    let one = TestApp::start().await;
    let two = one.beside().await;
    let customer = one.customer(10_000_000).await;
    let takers = one.executors(100).await;
    let (here, there) = takers.split_at(50);
    tokio::join!(gather(&one, here), gather(&two, there));
    let (mut edited, mut taken) = (0, 0);
    for round in 0..24 {
        let id = one.order(&customer, 10_000).await;
        // Both wait for the order's row, which is locked, and get it in the order in which they came.
        let mut lock = one.sql.begin().await.unwrap();
        sqlx::query("select id from orders where id = ? for update").bind(id).execute(&mut *lock).await.unwrap();
        let until_waits = async |which: &str| {
            let running = "select count(*) from information_schema.processlist where db = database() and info like ?";
            let count = async || {
                sqlx::query_scalar::<_, i64>(running).bind(format!("update orders set {which}%")).fetch_one(&one.sql).await.unwrap()
            };
            until("the statement waits for the row", async || count().await > 0).await;
        };
        let (of_edit, of_takers) = ("title", "status");
        let is_edit_first = round % 2 == 0;
        let (answers, edit, ()) = tokio::join!(
            async {
                if is_edit_first {
                    until_waits(of_edit).await;
                }
                join_all(here.iter().zip(there).flat_map(|(a, b)| [one.accept_seen(a, id, 1), two.accept_seen(b, id, 1)])).await
            },
            async {
                if !is_edit_first {
                    until_waits(of_takers).await;
                }
                edit(&one, &customer, id, &json!({"version": 1, "price": 5_000})).await
            },
            async {
                tokio::join!(until_waits(of_edit), until_waits(of_takers));
                lock.commit().await.unwrap();
            }
        );
        let takers = here.iter().zip(there).flat_map(|(a, b)| [a, b]);
        match takers.zip(&answers).find(|(_, answer)| answer.status == 200) {
            Some((winner, _)) => {
                taken += 1;
                super::the_winner(&answers);
                assert_eq!(edit.refused(409, "stale")["order_status"], "in_work");
                is_paid_as_seen(&one, &customer, winner, id).await;
            }
            None => {
                edited += 1;
                edit.expect(200);
                for answer in &answers {
                    assert_eq!(answer.refused(409, "changed")["changes"]["price"], json!({"from": 10_000, "to": 5_000}));
                }
                is_cancelled_as_edited(&one, &customer, id).await;
            }
        }
    }
    println!("edited first {edited}, taken first {taken}");
    assert!(edited > 0 && taken > 0, "{edited} {taken}");
    assert_eq!(one.balance(&customer, "wallet").await, (10_000_000 - 10_000 * taken, 0));
    one.assert_books_balance().await;
}

/// The winner works for the price they saw, and the customer pays it.
async fn is_paid_as_seen(app: &TestApp, customer: &User, winner: &User, id: u64) {
    let order = app.get(&format!("/api/orders/{id}"), customer).await.expect(200);
    assert_eq!((&order["price"], &order["payout"], &order["version"]), (&json!(10_000), &json!(9_000), &json!(2)), "as they saw it");
    let earned = app.balance(winner, "earnings").await.0;
    app.act(winner, id, "submit").await.expect(200);
    app.act(customer, id, "confirm").await.expect(200);
    assert_eq!(app.balance(winner, "earnings").await.0, earned + 9_000);
}

async fn is_cancelled_as_edited(app: &TestApp, customer: &User, id: u64) {
    let order = app.act(customer, id, "cancel").await.expect(200);
    assert_eq!((&order["price"], &order["executor"]), (&json!(5_000), &Value::Null));
}

#[tokio::test]
async fn edits_beside_a_batch_of_takers_leave_each_winner_the_order_they_saw() {
    const ORDERS: usize = 24;
    let app = start_in_batches().await;
    let customer = app.customer(100_000_000).await;
    let takers = app.executors(ORDERS as u64 + 1).await;
    gather(&app, &takers).await;
    let (mut edited, mut taken) = (0, 0);
    for round in 1..=8 {
        let decoy = app.order(&customer, 1_000).await;
        let mut orders = Vec::new();
        for _ in 0..ORDERS {
            orders.push(app.order(&customer, 10_000).await);
        }
        let (decided, mut decisions) = tokio::sync::watch::channel(0);
        let begin = tokio::sync::Barrier::new(2);
        let takings = join_all(takers[1..].iter().zip(&orders).map(|(taker, id)| app.accept_seen(taker, *id, 1)));
        // Some of the edits are done when the batch is sent, the others are under way.
        let meanwhile = async || {
            begin.wait().await;
            decisions.wait_for(|count| *count >= round * 2).await.unwrap();
        };
        let edits = async {
            begin.wait().await;
            join_all(orders.iter().map(async |id| {
                let answer = edit(&app, &customer, *id, &json!({"version": 1, "price": 5_000})).await;
                decided.send_modify(|count| *count += 1);
                answer
            }))
            .await
        };
        let (answers, edits) = tokio::join!(all_in_one_batch(&app, (&takers[0], decoy), (ORDERS, takings), meanwhile), edits);
        for ((id, taker), (answer, edit)) in orders.iter().zip(&takers[1..]).zip(answers.iter().zip(&edits)) {
            if answer.status == 200 {
                taken += 1;
                edit.refused(409, "stale");
                is_paid_as_seen(&app, &customer, taker, *id).await;
            } else {
                edited += 1;
                edit.expect(200);
                assert_eq!(answer.refused(409, "changed")["changes"]["price"], json!({"from": 10_000, "to": 5_000}));
                is_cancelled_as_edited(&app, &customer, *id).await;
            }
        }
    }
    println!("edited first {edited}, taken first {taken}");
    assert!(edited > 0 && taken > 0, "{edited} {taken}");
    assert_eq!(app.balance(&customer, "wallet").await, (100_000_000 - 10_000 * taken - 8_000, 8_000));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn in_one_batch_each_row_is_decided_by_what_its_own_taker_has_seen() {
    let app = start_in_batches().await;
    let customer = app.customer(1_000_000).await;
    let takers = app.executors(13).await;
    gather(&app, &takers).await;
    let orders = orders(&app, &customer, 13).await;
    // What each says to have seen, and whether the order is edited before the batch is sent.
    let tries: Vec<(Option<u64>, bool)> = vec![
        (Some(1), false),
        (Some(1), true),
        (None, true),
        (None, false),
        (Some(2), true),
        (Some(2), false),
        (Some(u64::MAX), true),
        (Some(i64::MAX as u64 + 1), true),
        (Some(0), true),
        (Some(1), true),
        (Some(1), false),
        (Some(0), false),
    ];
    let takings = join_all(tries.iter().zip(takers[1..].iter().zip(&orders[1..])).map(async |((seen, _), (taker, order))| match seen {
        Some(version) => app.accept_seen(taker, *order, *version).await,
        None => app.accept(taker, *order).await,
    }));
    let before = app.app().flow.take_statements();
    let answers = all_in_one_batch(&app, (&takers[0], orders[0]), (tries.len(), takings), async || {
        for ((_, is_edited), order) in tries.iter().zip(&orders[1..]) {
            if *is_edited {
                edit(&app, &customer, *order, &json!({"version": 1, "price": 500})).await.expect(200);
            }
        }
    })
    .await;
    // The decoy's, the batch, and one more for who saw version 0 of what nobody edited.
    let statements = app.app().flow.take_statements() - before;
    assert!(statements <= 4, "{statements}");
    for (((seen, is_edited), answer), (taker, order)) in tries.iter().zip(&answers).zip(takers[1..].iter().zip(&orders[1..])) {
        let row = app.get(&format!("/api/orders/{order}"), &customer).await.expect(200);
        assert_eq!(row["price"], if *is_edited { 500 } else { 1_000 });
        if seen.is_some_and(|version| version > 1 + u64::from(*is_edited)) {
            assert_eq!(answer.refused(422, "invalid")["field"], "version", "{seen:?}");
            assert_eq!(executor_of(&app, *order).await, None);
        } else if *is_edited && seen.is_some_and(|version| version < 2) {
            assert_eq!(answer.refused(409, "changed")["changes"]["price"], json!({"from": 1_000, "to": 500}), "{seen:?}");
            assert_eq!(executor_of(&app, *order).await, None);
        } else {
            assert_eq!(answer.expect(200)["executor_id"], taker.id, "{seen:?}");
            assert_eq!(executor_of(&app, *order).await, Some(taker.id));
        }
    }
    app.assert_books_balance().await;
}
