//! Several nodes share the sending, and one of them is killed with messages in its hands.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::node::Node;
use crate::support::telegram::{Telegram, node_with};
use crate::support::{TestApp, User, until};

async fn reject_some(app: &TestApp, customer: &User, executor: &User, count: usize) {
    for number in 0..count {
        let order = app.create_order(customer, 1_000, &json!({"title": format!("Work {number}")})).await["id"].as_u64().unwrap();
        app.accept(executor, order).await.expect(200);
        app.act(executor, order, "submit").await.expect(200);
        app.post(&format!("/api/orders/{order}/reject"), customer, &json!({"reason": "once more"})).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_the_messages_and_when_one_is_killed_none_is_lost_or_sent_twice() {
    let telegram = Telegram::open().await;
    // The first node keeps the messages, and the two beside it send them.
    let app = node_with(&telegram, 6_000).await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let given = app.post("/api/me/telegram", &executor, &Value::Null).await.expect(200);
    telegram.write(5, "en", &format!("/start {}", given["code"].as_str().unwrap()));
    telegram.nth_to(5, 1).await;
    let web = app.beside_with(|config| config.is_worker = false).await;
    app.stop().await;

    let mut settings = telegram.settings();
    settings.extend([
        ("ORDERBOARD_ROLES", "web,worker".to_owned()),
        ("ORDERBOARD_MAIL_RETRY_MS", "100".to_owned()),
        ("ORDERBOARD_MAIL_CLAIM_MS", "6000".to_owned()),
    ]);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    telegram.hold(true);
    let doomed = Node::beside(&web, &settings).await;
    reject_some(&web, &customer, &executor, 30).await;
    until("the first node has its hands full", async || telegram.held() >= 4).await;
    let survivor = Node::beside(&web, &settings).await;
    until("the second has as well", async || telegram.held() >= 8).await;
    let both = telegram.held();
    doomed.kill().await;
    until("what the dead node had in its hands is let go", async || telegram.held() + 4 <= both).await;
    telegram.hold(false);
    until("everything is sent", async || telegram.to(5).len() > 30).await;
    let waiting = async || {
        sqlx::query_scalar::<_, i64>("select count(*) from telegram_outbox where state <> 'sent'").fetch_one(&web.sql).await.unwrap()
    };
    until("and noted", async || waiting().await == 0).await;
    let texts = telegram.to(5).split_off(1);
    let works: BTreeSet<&str> = texts.iter().map(|text| text.lines().next().unwrap()).collect();
    assert_eq!((texts.len(), works.len()), (30, 30), "each once: {texts:#?}");
    drop(survivor);
}
