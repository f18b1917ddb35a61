//! What operations do, by HTTP and at once on two nodes.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Door, op, with, with_workers};
use crate::support::stream::Stream;
use crate::support::{Request, User, until};

#[tokio::test]
async fn each_kind_of_operation_moves_money_and_tells_the_balances_after_it() {
    let app = with_workers(0).await;
    let door = Door::open(&app).await;
    let (one, other) = (app.customer(10_000).await, app.customer(0).await);
    let accounts = |result: &Value| -> Vec<(u64, i64, i64)> {
        let accounts = result["accounts"].as_array().unwrap();
        accounts.iter().map(|a| (a["user_id"].as_u64().unwrap(), a["available"].as_i64().unwrap(), a["held"].as_i64().unwrap())).collect()
    };
    assert_eq!(accounts(&door.done(&op("1", "credit", &one, 500)).await), [(one.id, 10_500, 0)]);
    assert_eq!(accounts(&door.done(&op("2", "debit", &one, 300)).await), [(one.id, 10_200, 0)]);
    let transfer = with(op("3", "transfer", &one, 200), &json!({"to_user_id": other.id}));
    assert_eq!(accounts(&door.done(&transfer).await), [(one.id, 10_000, 0), (other.id, 200, 0)]);
    let (first, second) = (door.hold("4", &one, 4_000, &json!({})).await, door.hold("5", &one, 6_000, &json!({})).await);
    door.command(&op("6", "hold", &one, 1)).await.refused(409, "insufficient_funds");
    let captured = json!({"operation_id": "7", "type": "capture", "hold_id": first, "amount": 4_000});
    assert_eq!(accounts(&door.done(&captured).await), [(one.id, 0, 6_000)]);
    let paid = json!({"operation_id": "8", "type": "capture", "hold_id": second, "to_user_id": other.id});
    assert_eq!(accounts(&door.done(&paid).await), [(one.id, 0, 0), (other.id, 6_200, 0)]);
    let earned = with(op("9", "credit", &other, 70), &json!({"account": "earnings", "currency": "USD"}));
    assert_eq!(door.done(&earned).await["accounts"][0]["currency"], "USD");
    let third = door.hold("10", &other, 200, &json!({})).await;
    let release = json!({"operation_id": "11", "type": "release", "hold_id": third});
    assert_eq!(accounts(&door.done(&release).await), [(other.id, 6_200, 0)]);
    app.assert_books_balance().await;
    let kept: i64 = sqlx::query_scalar("select cast(sum(amount) as signed) from system_entries where account = 'commission'")
        .fetch_one(&app.sql)
        .await
        .unwrap();
    assert_eq!(kept, 4_000, "a capture without a payee is the house's");
}

#[tokio::test]
async fn refusals_are_named_and_change_nothing() {
    let app = with_workers(0).await;
    let door = Door::open(&app).await;
    let (one, other, closed) = (app.customer(1_000).await, app.customer(0).await, app.customer(500).await);
    let hold = door.hold("h", &one, 100, &json!({})).await;
    let released = door.hold("r", &one, 100, &json!({})).await;
    door.done(&json!({"operation_id": "r2", "type": "release", "hold_id": released})).await;
    let of_closed = door.hold("c", &closed, 100, &json!({})).await;
    let flow = app.app().flow.clone();
    let closed_id = closed.id;
    app.run(async move { flow.close_user(closed_id).await.unwrap() }).await;
    app.get("/api/me", &closed).await.refused(401, "unauthenticated");
    let order = app.order(&one, 300).await;
    let order_hold: u64 = sqlx::query_scalar("select id from holds where order_id = ?").bind(order).fetch_one(&app.sql).await.unwrap();
    let capture = |more: Value| with(json!({"type": "capture", "hold_id": hold}), &more);
    let nobody = User { id: 999_999, token: String::new() };
    let max = 1_000_000_000_000_i64;
    let cases = [
        (op("", "debit", &one, 10_000), 409, "insufficient_funds"),
        (with(op("", "debit", &one, 1), &json!({"currency": "USD"})), 409, "insufficient_funds"),
        (op("", "credit", &one, 0), 422, "invalid"),
        (op("", "credit", &one, -5), 422, "invalid"),
        (op("", "credit", &one, max + 1), 422, "invalid"),
        (with(op("", "credit", &one, 1), &json!({"amount": 1.5})), 422, "invalid"),
        (with(op("", "credit", &one, 1), &json!({"amount": 18_446_744_073_709_551_615_u64})), 422, "invalid"),
        (with(op("", "credit", &one, 1), &json!({"currency": "rubles"})), 422, "invalid"),
        (with(op("", "credit", &one, 1), &json!({"account": "sock"})), 422, "invalid"),
        (with(op("", "hold", &one, 1), &json!({"expires_s": 0})), 422, "invalid"),
        (op("", "steal", &one, 1), 422, "unknown_type"),
        (with(op("", "transfer", &one, 1), &json!({"to_user_id": one.id})), 422, "self_transfer"),
        (capture(json!({"to_user_id": one.id})), 422, "self_transfer"),
        (op("", "transfer", &one, 1), 422, "invalid"),
        (op("", "credit", &nobody, 1), 404, "unknown_user"),
        (with(op("", "transfer", &one, 1), &json!({"to_user_id": nobody.id})), 404, "unknown_user"),
        (op("", "credit", &closed, 1), 409, "user_closed"),
        (op("", "debit", &closed, 1), 409, "user_closed"),
        (with(op("", "transfer", &one, 1), &json!({"to_user_id": closed.id})), 409, "user_closed"),
        (with(op("", "credit", &closed, 1), &json!({"currency": "EUR"})), 409, "user_closed"),
        (json!({"type": "capture", "hold_id": 999_999}), 404, "unknown_hold"),
        (json!({"type": "capture", "hold_id": order_hold}), 404, "unknown_hold"),
        (json!({"type": "release", "hold_id": order_hold}), 404, "unknown_hold"),
        (capture(json!({"user_id": other.id})), 404, "unknown_hold"),
        (capture(json!({"account": "earnings"})), 404, "unknown_hold"),
        (capture(json!({"currency": "USD"})), 409, "currency_mismatch"),
        (capture(json!({"amount": 99})), 409, "amount_mismatch"),
        (json!({"type": "capture", "hold_id": released}), 409, "hold_resolved"),
        (json!({"type": "release", "hold_id": released}), 409, "hold_resolved"),
        (capture(json!({"hold_id": null})), 422, "invalid"),
    ];
    let before = app.fingerprint().await;
    for (number, (case, status, code)) in cases.iter().enumerate() {
        let case = with(case.clone(), &json!({"operation_id": format!("case-{number}")}));
        let first = door.command(&case).await;
        let problem = first.refused(*status, code);
        assert_eq!(problem["answer"]["status"], "refused", "{case}");
        assert_eq!(door.command(&case).await.body, first.body, "the same bytes again: {case}");
        let stored = app.call("GET", &format!("/api/billing/operations/case-{number}"), Some(&door.token), &Value::Null).await.expect(200);
        assert_eq!(stored, problem["answer"], "a refusal is a committed result");
    }
    assert_eq!(app.fingerprint().await, before);
    door.done(&json!({"operation_id": "c2", "type": "capture", "hold_id": of_closed})).await;
    for text in ["[]", "{}", r#"{"operation_id":"","type":"credit"}"#, r#"{"operation_id":"ж"}"#] {
        let request = Request::new("POST", "/api/billing/operations?wait=1").bearer(Some(&door.token));
        app.send(&request.bytes("application/json", text.as_bytes())).await.refused(422, "invalid");
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_balance_has_an_upper_end() {
    let app = with_workers(0).await;
    let door = Door::open(&app).await;
    let rich = app.customer(1).await;
    // 9·10^15 less a little, as after nine thousand of the largest credits.
    let near = 8_999_999_999_999_999_i64;
    for sql in [
        format!("update accounts set available = {near}, version = version + 1 where user_id = {} and kind = 'wallet'", rich.id),
        format!(
            "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, created_at) \
             select id, 2, 'x', 'credit', {near} - 1, 0, {near}, 0, utc_timestamp(6) from accounts where user_id = {} and kind = 'wallet'",
            rich.id
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&app.sql).await.unwrap();
    }
    door.done(&op("1", "credit", &rich, 1)).await;
    door.command(&op("2", "credit", &rich, 1)).await.refused(409, "balance_limit");
}

#[tokio::test]
async fn an_id_with_another_body_is_a_mismatch_and_the_first_answer_stays() {
    let app = with_workers(1).await;
    let door = Door::open(&app).await;
    let mut stream = Stream::of(&app).await;
    let user = app.customer(0).await;
    let first = door.command(&op("a", "credit", &user, 10)).await;
    first.expect(200);
    door.command(&op("a", "credit", &user, 11)).await.refused(409, "mismatch");
    stream.send(&op("a", "credit", &user, 10)).await;
    stream.send(&op("a", "debit", &user, 10)).await;
    let answers = stream.answers(2).await;
    assert_eq!(answers[0].as_bytes(), first.body, "the same bytes by every door");
    let told: Value = serde_json::from_str(&answers[1]).unwrap();
    assert_eq!((&told["operation_id"], &told["status"], &told["code"]), (&json!("a"), &json!("refused"), &json!("mismatch")));
    assert_eq!(app.balance(&user, "wallet").await, (10, 0));
    // No id of another system can meet the board's own.
    let order = app.order(&user, 10).await;
    door.done(&op(&format!("release:{order}"), "credit", &user, 5)).await;
    app.act(&user, order, "cancel").await.expect(200);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn the_same_operation_fifty_times_at_once_over_two_nodes_happens_once() {
    let app = with_workers(0).await;
    let beside = app.beside().await;
    let door = Door::open(&app).await;
    let there = Door { app: &beside, token: door.token.clone() };
    let (rich, poor) = (app.customer(1_000).await, app.customer(5).await);
    let euros = with(op("new-account", "credit", &poor, 1), &json!({"currency": "EUR"}));
    let transfer = with(op("t", "transfer", &rich, 600), &json!({"to_user_id": poor.id}));
    for command in [op("c", "credit", &rich, 7), op("d", "debit", &poor, 6), transfer, euros, op("n", "hold", &rich, 100)] {
        let answers = join_all((0..50).map(|number| if number % 2 == 0 { door.command(&command) } else { there.command(&command) })).await;
        assert!(answers.iter().all(|answer| answer.status < 500), "{command}");
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{command}");
    }
    assert_eq!(app.balance(&rich, "wallet").await, (307, 100));
    assert_eq!(app.balance(&poor, "wallet").await, (605, 0));
    // Different bodies at once under one id: one wins, the others are told so.
    let bodies: Vec<Value> = (1..=20).map(|amount| op("fight", "credit", if amount % 2 == 0 { &rich } else { &poor }, amount)).collect();
    let answers = join_all(bodies.iter().map(|body| door.command(body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    answers.iter().filter(|answer| answer.status != 200).for_each(|answer| drop(answer.refused(409, "mismatch")));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn holds_expire_by_themselves_once_and_cannot_be_captured_late() {
    let app = with_workers(0).await;
    let beside = app.beside().await;
    let door = Door::open(&app).await;
    let user = app.customer(100).await;
    let short = door.hold("short", &user, 60, &json!({"expires_s": 1})).await;
    let long = door.hold("long", &user, 30, &json!({"expires_s": 3600})).await;
    assert_eq!(app.balance(&user, "wallet").await, (10, 90));
    until("it expires", async || app.balance(&user, "wallet").await == (70, 30)).await;
    let late = json!({"operation_id": "late", "type": "capture", "hold_id": short});
    assert_eq!(door.command(&late).await.refused(409, "hold_resolved")["state"], "expired");
    let flow = (app.app().flow.clone(), beside.app().flow.clone());
    for _ in 0..20 {
        let (one, other) = (flow.0.clone(), flow.1.clone());
        let (one, other) = tokio::join!(
            app.run(async move { one.expire_holds(10).await.unwrap() }),
            beside.run(async move { other.expire_holds(10).await.unwrap() })
        );
        assert_eq!((one, other), (0, 0));
    }
    // Due at the same moment for both nodes' jobs and for a capture: exactly one has it.
    sqlx::query("update holds set expires_at = utc_timestamp(6) where id = ?").bind(long).execute(&app.sql).await.unwrap();
    door.command(&json!({"operation_id": "race", "type": "capture", "hold_id": long})).await.problem();
    until("it expires, too", async || app.balance(&user, "wallet").await == (100, 0)).await;
    app.assert_books_balance().await;
}

#[tokio::test]
async fn users_transfer_what_is_theirs_and_see_what_is_theirs() {
    let app = with_workers(0).await;
    let door = Door::open(&app).await;
    let (one, other, third, admin) = (app.customer(100).await, app.customer(0).await, app.customer(0).await, app.admin().await);
    let path = "/api/billing/operations";
    let send = |id: &str, to: &User| json!({"operation_id": id, "type": "transfer", "amount": 30, "to_user_id": to.id});
    let answer = app.post(path, &one, &send("gift", &other)).await;
    assert_eq!(answer.expect(200)["status"], "done");
    assert_eq!(app.post(path, &one, &send("gift", &other)).await.body, answer.body);
    // Another user's id of the same name is another id.
    app.post(path, &other, &send("gift", &third)).await.expect(200);
    app.post(path, &other, &send("gift", &one)).await.refused(409, "mismatch");
    app.post(path, &third, &with(send("steal", &third), &json!({"user_id": one.id}))).await.refused(403, "forbidden");
    for kind in ["credit", "debit", "hold", "capture", "release", "nonsense"] {
        app.post(path, &one, &with(op("x", kind, &one, 1), &json!({"hold_id": 1}))).await.refused(403, "forbidden");
        app.post(path, &admin, &with(op("x", kind, &one, 1), &json!({"hold_id": 1}))).await.refused(403, "forbidden");
    }
    app.call("POST", path, None, &send("guest", &one)).await.refused(401, "unauthenticated");
    app.call("POST", path, Some("no-such-token"), &send("guest", &one)).await.refused(401, "unauthenticated");
    door.done(&op("salary", "credit", &one, 5)).await;
    assert_eq!(app.get(&format!("{path}/salary"), &one).await.expect(200)["status"], "done");
    app.get(&format!("{path}/salary"), &other).await.refused(404, "not_found");
    app.get(&format!("{path}/gift"), &one).await.expect(200);
    app.get(&format!("{path}/salary"), &admin).await.expect(200);
    app.call("GET", &format!("{path}/nothing"), Some(&door.token), &Value::Null).await.refused(404, "not_found");
    app.call("POST", &format!("{path}?wait=soon"), Some(&door.token), &op("w", "credit", &one, 5)).await.refused(422, "invalid");
    let flow = app.app().flow.clone();
    app.run(async move { flow.end_service_tokens("shop").await.unwrap() }).await;
    door.command(&op("after", "credit", &one, 5)).await.refused(401, "unauthenticated");
    app.assert_books_balance().await;
}
