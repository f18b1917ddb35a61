//! By which ways people are told: what they choose of each event, letters, and the chat that they have linked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{events, told, unread, until_told};
use crate::support::post_office::PostOffice;
use crate::support::telegram::{Telegram, node_with};
use crate::support::{TestApp, User, until};

async fn choose(app: &TestApp, user: &User, events: &Value) -> Value {
    app.call("PUT", "/api/me/channels", Some(&user.token), &json!({"events": events})).await.expect(200)
}

/// Opens the link in a chat.
async fn link(app: &TestApp, telegram: &Telegram, user: &User, chat_id: i64) {
    let given = app.post("/api/me/telegram", user, &Value::Null).await.expect(200);
    let code = given["code"].as_str().unwrap();
    assert_eq!(given["link"], format!("https://t.me/board_test_bot?start={code}"));
    telegram.write(chat_id, "en", &format!("/start {code}"));
    until("linked", async || app.get("/api/me/channels", user).await.expect(200)["telegram"]["linked"] == true).await;
}

/// An order that is taken, and handed in.
async fn submitted(app: &TestApp, customer: &User, executor: &User) -> u64 {
    let order = app.create_order(customer, 10_000, &json!({"title": "Hang a lamp"})).await["id"].as_u64().unwrap();
    app.accept(executor, order).await.expect(200);
    app.act(executor, order, "submit").await.expect(200);
    order
}

#[tokio::test]
async fn choices_are_kept_for_each_event_and_the_app_follows_them() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let usual = app.get("/api/me/channels", &customer).await.expect(200);
    assert_eq!(usual["events"].as_object().unwrap().len(), 14);
    assert_eq!(usual["events"]["taken"], json!({"app": true, "mail": true, "telegram": true}));
    assert_eq!(usual["events"]["order_new"], json!({"app": true, "mail": false, "telegram": true}));
    assert_eq!((&usual["mail"], &usual["telegram"]), (&json!({"available": false}), &json!({"available": false, "linked": false})));
    let quiet = json!({"app": false, "mail": false, "telegram": false});
    let chosen = choose(&app, &customer, &json!({"work_submitted": quiet})).await;
    assert_eq!((&chosen["events"]["work_submitted"], &chosen["events"]["taken"]), (&quiet, &usual["events"]["taken"]));
    let order = submitted(&app, &customer, &executor).await;
    until_told(&app, &customer, &["taken"]).await;
    app.act(&customer, order, "confirm").await.expect(200);
    assert_eq!(events(&app, &customer).await, ["taken", "debited"]);
    assert_eq!(unread(&app, &customer).await, 2, "what is not shown does not count");
    let loud = json!({"app": true, "mail": false, "telegram": false});
    choose(&app, &customer, &json!({"work_submitted": loud, "debited": quiet})).await;
    let order = submitted(&app, &customer, &executor).await;
    app.act(&customer, order, "confirm").await.expect(200);
    until("the second taking", async || events(&app, &customer).await.iter().filter(|event| *event == "taken").count() == 2).await;
    assert_eq!(events(&app, &customer).await.iter().filter(|event| *event == "work_submitted").count(), 1);
    for body in [json!({"events": {"comet": loud}}), json!({"events": {"taken": {"app": true}}}), json!({})] {
        assert_eq!(app.call("PUT", "/api/me/channels", Some(&customer.token), &body).await.problem()["status"], 422, "{body}");
    }
    app.post("/api/me/telegram", &customer, &Value::Null).await.refused(403, "forbidden");
    for (method, path) in
        [("GET", "/api/me/channels"), ("PUT", "/api/me/channels"), ("POST", "/api/me/telegram"), ("DELETE", "/api/me/telegram")]
    {
        app.call(method, path, None, &json!({"events": {}})).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn letters_go_to_those_who_chose_them_once_and_in_their_language() {
    let office = PostOffice::open().await;
    let url = office.url();
    let app = TestApp::start_with(|config| {
        config.mail.smtp_url = Some(url);
        config.mail.mail_from = Some("Orderboard <board@example.org>".to_owned());
        config.mail.public_url = Some("http://board.example".to_owned());
    })
    .await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    sqlx::query("update users set email = 'ann@example.org', language = 'en' where id = ?")
        .bind(customer.id)
        .execute(&app.sql)
        .await
        .unwrap();
    assert_eq!(app.get("/api/me/channels", &customer).await.expect(200)["mail"]["available"], true);
    let order = submitted(&app, &customer, &executor).await;
    // The taking is told from its news, which may come after the work was handed in.
    let both = async || events(&app, &customer).await.into_iter().collect::<BTreeSet<_>>();
    until("both are told", async || both().await == BTreeSet::from(["taken".to_owned(), "work_submitted".to_owned()])).await;
    let letters = [office.nth_to("ann@example.org", 1).await, office.nth_to("ann@example.org", 2).await];
    let handed_in = letters.iter().find(|letter| letter.subject.contains("handed in")).unwrap();
    assert!(handed_in.text.contains("Hang a lamp"), "{}", handed_in.text);
    assert!(handed_in.text.contains(&format!("http://board.example/orders/{order}")), "{}", handed_in.text);
    choose(&app, &customer, &json!({"debited": {"app": true, "mail": true, "telegram": false}})).await;
    app.act(&customer, order, "confirm").await.expect(200);
    let paid = office.nth_to("ann@example.org", 3).await;
    assert!(paid.text.contains("100.00"), "{}", paid.text);
    assert_eq!(office.letters().len(), 3, "and none to an address that is nobody's: {:?}", office.letters());
    let admin = app.admin().await;
    let sent = app.get("/api/admin/deliveries?state=sent", &admin).await.expect(200);
    assert_eq!(sent["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_chat_is_linked_by_its_code_told_in_its_language_and_left() {
    let telegram = Telegram::open().await;
    let app = node_with(&telegram, 10_000).await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    sqlx::query("update users set language = 'en' where id = ?").bind(customer.id).execute(&app.sql).await.unwrap();
    telegram.write(7, "en", "/start nonsense");
    assert!(telegram.nth_to(7, 1).await.contains("no longer good"));
    let given = app.post("/api/me/telegram", &customer, &Value::Null).await.expect(200);
    link(&app, &telegram, &customer, 7).await;
    assert!(telegram.nth_to(7, 2).await.starts_with("Done"));
    // The code before it is worth nothing, and neither is one that was used.
    telegram.write(8, "ru", &format!("/start {}", given["code"].as_str().unwrap()));
    assert!(telegram.nth_to(8, 1).await.contains("больше не действует"));

    let order = submitted(&app, &customer, &executor).await;
    let messages = [telegram.nth_to(7, 3).await, telegram.nth_to(7, 4).await];
    assert!(messages.iter().all(|text| text.contains("Hang a lamp") && text.contains(&format!("http://board.example/orders/{order}"))));
    assert!(messages.iter().any(|text| text.contains("took your order")) && messages.iter().any(|text| text.contains("handed in")));

    telegram.write(7, "en", "/stop");
    assert!(telegram.nth_to(7, 5).await.starts_with("No more"));
    app.act(&customer, order, "confirm").await.expect(200);
    assert_eq!(told(&app, &customer).await[0]["event"], "debited");
    link(&app, &telegram, &customer, 9).await;
    assert_eq!(app.call("DELETE", "/api/me/telegram", Some(&customer.token), &Value::Null).await.status, 204);
    assert_eq!(app.get("/api/me/channels", &customer).await.expect(200)["telegram"], json!({"available": true, "linked": false}));
    submitted(&app, &customer, &executor).await;
    until("told in the app", async || unread(&app, &customer).await == 5).await;
    let waiting: i64 = sqlx::query_scalar("select count(*) from telegram_outbox where state <> 'sent'").fetch_one(&app.sql).await.unwrap();
    assert_eq!((waiting, telegram.to(7).len()), (0, 5));
}

#[tokio::test]
async fn messages_are_tried_again_given_up_shown_to_admins_and_tried_anew() {
    let telegram = Telegram::open().await;
    let app = node_with(&telegram, 10_000).await;
    let (customer, executor, admin) = (app.customer(1_000_000).await, app.executor().await, app.admin().await);
    link(&app, &telegram, &executor, 5).await;
    telegram.nth_to(5, 1).await;
    let reject = async || {
        let order = submitted(&app, &customer, &executor).await;
        app.post(&format!("/api/orders/{order}/reject"), &customer, &json!({"reason": "once more"})).await.expect(200);
    };
    let limited = json!({"ok": false, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 0}});
    telegram.refuse([json!({"ok": false, "error_code": 502, "description": "Bad Gateway"}), limited]);
    reject().await;
    assert!(telegram.nth_to(5, 2).await.contains("once more"));
    let attempts: u16 = sqlx::query_scalar("select attempts from telegram_outbox").fetch_one(&app.sql).await.unwrap();
    assert_eq!(attempts, 3);

    telegram.refuse([json!({"ok": false, "error_code": 400, "description": "Bad Request: message is odd"})]);
    reject().await;
    let dead = async || app.get("/api/admin/deliveries?channel=telegram", &admin).await.expect(200)["items"].as_array().unwrap().clone();
    until("a dead letter", async || dead().await.len() == 1).await;
    let item = dead().await.remove(0);
    assert_eq!((&item["state"], &item["what"], &item["user_id"]), (&json!("dead"), &json!("work_rejected"), &json!(executor.id)));
    assert!(item["error"].as_str().unwrap().contains("message is odd"));
    let path = format!("/api/admin/deliveries/{}/retry", item["id"].as_str().unwrap());
    for who in [&customer, &executor] {
        app.post(&path, who, &Value::Null).await.refused(403, "forbidden");
        app.get("/api/admin/deliveries", who).await.refused(403, "forbidden");
    }
    app.post(&path, &admin, &Value::Null).await.expect(200);
    telegram.nth_to(5, 3).await;
    until("none dead", async || dead().await.is_empty()).await;
    app.post(&path, &admin, &Value::Null).await.expect(200);
    for nothing in ["telegram-999", "mail-1", "comet-1", "7"] {
        app.post(&format!("/api/admin/deliveries/{nothing}/retry"), &admin, &Value::Null).await.refused(404, "not_found");
    }

    telegram.refuse([json!({"ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user"})]);
    reject().await;
    until("dead", async || dead().await.len() == 1).await;
    assert_eq!(app.get("/api/me/channels", &executor).await.expect(200)["telegram"]["linked"], false);
    assert_eq!(telegram.to(5).len(), 3, "each of them once");
}
