//! Many takers decided by one statement. A lane of one connection is kept busy by a row that the test has locked, so that
//! whoever comes meanwhile is in the next batch for certain.

use futures_util::future::join_all;
use serde_json::Value;

use super::{executor_of, gather, start_in_batches, the_winner};
use crate::support::{Answer, TestApp, User, until};

pub(super) async fn orders(app: &TestApp, customer: &User, count: usize) -> Vec<u64> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.push(app.order(customer, 1_000).await);
    }
    orders
}

/// Everybody takes his order in one batch: the lane's one connection waits for the decoy's row, which is locked, until all of
/// them wait for the connection, and `meanwhile` has happened.
pub(super) async fn in_one_batch(app: &TestApp, decoy: (&User, u64), tries: &[(&User, u64)], meanwhile: impl AsyncFnOnce()) -> Vec<Answer> {
    let takers = join_all(tries.iter().map(|(taker, order)| app.accept(taker, *order)));
    all_in_one_batch(app, decoy, (tries.len(), takers), meanwhile).await
}

/// The same for so many takers, whatever they say.
pub(super) async fn all_in_one_batch(
    app: &TestApp,
    decoy: (&User, u64),
    (count, takers): (usize, impl Future<Output = Vec<Answer>>),
    meanwhile: impl AsyncFnOnce(),
) -> Vec<Answer> {
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::query("select id from orders where id = ? for update").bind(decoy.1).execute(&mut *lock).await.unwrap();
    let flow = &app.app().flow;
    let before = flow.take_statements();
    let until_decoy_waits = async || until("the decoy's statement", async || flow.take_statements() > before).await;
    let (of_decoy, answers, ()) = tokio::join!(
        app.accept(decoy.0, decoy.1),
        async {
            until_decoy_waits().await;
            takers.await
        },
        async {
            until_decoy_waits().await;
            until("everybody waits for the next batch", async || flow.takers_waiting() == count).await;
            meanwhile().await;
            lock.commit().await.unwrap();
        }
    );
    of_decoy.expect(200);
    answers
}

#[tokio::test]
async fn takers_who_wait_are_decided_by_one_statement_and_each_has_his_own_order() {
    let app = start_in_batches().await;
    let customer = app.customer(1_000_000).await;
    let takers = app.executors(41).await;
    gather(&app, &takers).await;
    for count in [1, 2, 3, 33, 40] {
        let orders = orders(&app, &customer, count + 1).await;
        let before = app.app().flow.take_statements();
        let tries: Vec<_> = takers[1..].iter().zip(orders[1..].iter().copied()).collect();
        let answers = in_one_batch(&app, (&takers[0], orders[0]), &tries, async || {}).await;
        let statements = app.app().flow.take_statements() - before;
        assert_eq!(statements, 2, "one for the decoy and one for {count}");
        for ((taker, order), answer) in tries.iter().zip(&answers) {
            let won = answer.expect(200);
            assert_eq!((won["id"].as_u64(), won["executor_id"].as_u64()), (Some(*order), Some(taker.id)));
            let again = app.accept(taker, *order).await;
            assert_eq!((again.status, again.text()), (200, answer.text()));
            assert_eq!(executor_of(&app, *order).await, Some(taker.id));
        }
        let twice: i64 = sqlx::query_scalar("select count(*) from orders where version > 2").fetch_one(&app.sql).await.unwrap();
        assert_eq!(twice, 0, "each row was changed once");
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn in_a_mixed_batch_each_taker_hears_what_is_true_of_his_own_order() {
    let app = start_in_batches().await;
    let customer = app.customer(1_000_000).await;
    let people = app.executors(12).await;
    gather(&app, &people).await;
    let rival = &people[11];
    let own = app.also(&customer, "executor").await;
    app.get("/api/me", &own).await.expect(200);
    let orders = orders(&app, &customer, 10).await;
    let [decoy, open, taken, frozen, cancelled, foreign, own_order, repeated, last, chosen] = orders[..] else { panic!() };
    let missing = 999_999_999;
    let tries = [
        (&people[1], open),
        (&people[2], taken),
        (&people[3], frozen),
        (&people[4], cancelled),
        (&people[5], missing),
        (&own, own_order),
        (&people[6], repeated),
        (&people[7], last),
        (&people[8], foreign),
        (&people[9], chosen),
    ];
    let answers = in_one_batch(&app, (&people[0], decoy), &tries, async || {
        let run = async |statement: &'static str, user: Option<u64>, order: u64| {
            let query = sqlx::query(statement);
            let query = if let Some(user) = user { query.bind(user) } else { query };
            assert_eq!(query.bind(order).execute(&app.sql).await.unwrap().rows_affected(), 1);
        };
        const TAKE: &str = "update orders set status = 'in_work', executor_id = ?, accepted_at = '2026-01-02 03:04:05.678901', \
             version = version + 1 where id = ?";
        run(TAKE, Some(rival.id), taken).await;
        // Taken by the same taker before: the same success again.
        run(TAKE, Some(people[6].id), repeated).await;
        run("update orders set status = 'frozen', version = version + 1 where id = ?", None, frozen).await;
        run("update orders set status = 'cancelled', version = version + 1 where id = ?", None, cancelled).await;
        run("update orders set customer_id = ?, version = version + 1 where id = ?", Some(people[8].id), foreign).await;
        run("update orders set assignment = 'chosen', version = version + 1 where id = ?", None, chosen).await;
    })
    .await;
    for won in [0, 7] {
        assert_eq!(answers[won].expect(200)["executor_id"], tries[won].0.id);
        assert_eq!(executor_of(&app, tries[won].1).await, Some(tries[won].0.id));
    }
    let problem = answers[1].refused(409, "taken");
    assert_eq!((&problem["by"]["id"], &problem["at"]), (&Value::from(rival.id), &Value::from("2026-01-02T03:04:05.678901Z")));
    answers[2].refused(409, "frozen");
    answers[3].refused(409, "cancelled");
    answers[4].refused(404, "not_found");
    answers[5].refused(409, "own_order");
    let repeat = answers[6].expect(200);
    assert_eq!((&repeat["executor_id"], &repeat["accepted_at"]), (&Value::from(people[6].id), &Value::from("2026-01-02T03:04:05.678901Z")));
    answers[8].refused(409, "own_order");
    answers[9].refused(409, "stale");
    for (lost, holder) in [(taken, Some(rival.id)), (frozen, None), (cancelled, None), (own_order, None), (foreign, None), (chosen, None)] {
        assert_eq!(executor_of(&app, lost).await, holder, "order {lost}");
    }
}

#[tokio::test]
async fn overlapping_batches_of_two_nodes_give_each_order_one_winner() {
    const ORDERS: usize = 40;
    let one = start_in_batches().await;
    let two = one.beside().await;
    let customer = one.customer(10_000_000).await;
    let takers = one.executors(2 * ORDERS as u64 + 2).await;
    let (here, there) = takers.split_at(ORDERS + 1);
    tokio::join!(gather(&one, here), gather(&two, there));
    let (mut won_here, mut won_there) = (0, 0);
    for _ in 0..6 {
        let orders = orders(&one, &customer, ORDERS + 2).await;
        let (decoys, orders) = orders.split_at(2);
        // The same orders, in opposite directions, and one more row that only one of them wants.
        let of_here: Vec<_> = here[1..].iter().zip(orders.iter().copied()).collect();
        let of_there: Vec<_> = there[1..].iter().zip(orders.iter().rev().copied()).collect();
        let barrier = tokio::sync::Barrier::new(2);
        let together = async || {
            barrier.wait().await;
        };
        let (first, second) = tokio::join!(
            in_one_batch(&one, (&here[0], decoys[0]), &of_here, together),
            in_one_batch(&two, (&there[0], decoys[1]), &of_there, together),
        );
        for (n, order) in orders.iter().enumerate() {
            let pair = [first[n].clone(), second[ORDERS - 1 - n].clone()];
            let winner = the_winner(&pair);
            assert_eq!(executor_of(&one, *order).await, winner["executor_id"].as_u64());
            if pair[0].status == 200 { won_here += 1 } else { won_there += 1 }
        }
    }
    println!("{won_here} won on one node, {won_there} on the other");
    one.assert_books_balance().await;
}

/// One row that somebody keeps locked, or that the database refuses to change, is nobody else's trouble.
#[tokio::test]
async fn a_row_that_cannot_be_changed_does_not_fail_its_neighbours() {
    let app = start_in_batches().await;
    let customer = app.customer(1_000_000).await;
    let takers = app.executors(10).await;
    gather(&app, &takers).await;
    let orders = orders(&app, &customer, 10).await;
    let tries: Vec<_> = takers[1..].iter().zip(orders[1..].iter().copied()).collect();
    let broken = orders[5];
    let answers = in_one_batch(&app, (&takers[0], orders[0]), &tries, async || {
        let mut connection = app.sql.acquire().await.unwrap();
        sqlx::query("set session check_constraint_checks = 0").execute(&mut *connection).await.unwrap();
        sqlx::query("update orders set price = price + 1 where id = ?").bind(broken).execute(&mut *connection).await.unwrap();
        sqlx::query("set session check_constraint_checks = 1").execute(&mut *connection).await.unwrap();
    })
    .await;
    for ((taker, order), answer) in tries.iter().zip(&answers) {
        if *order == broken {
            assert!(answer.status >= 500, "{}", answer.text());
            assert_eq!(executor_of(&app, *order).await, None);
        } else {
            assert_eq!(answer.expect(200)["executor_id"], taker.id);
        }
    }
}
