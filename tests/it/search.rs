//! Searching, filtering and sorting open orders, page by page; a customer's public list; all orders for admins.

use serde_json::{Value, json};

use crate::support::truth::insert_orders;
use crate::support::{Dice, TestApp, User, until};

/// All pages of what is found, as ids.
async fn found(app: &TestApp, query: &str, limit: usize) -> Vec<u64> {
    pages(app, &format!("/api/orders?{query}&limit={limit}"), None).await
}

async fn pages(app: &TestApp, path: &str, user: Option<&User>) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.call("GET", &format!("{path}{cursor}"), user.map(|user| user.token.as_str()), &Value::Null).await.expect(200);
        ids.extend(page["items"].as_array().unwrap().iter().map(|order| order["id"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn words_are_found_in_titles_and_descriptions_whatever_their_endings() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let make = async |title: &str, description: &str| {
        let order = json!({"title": title, "description": description});
        app.create_order(&customer, 1_000, &order).await["id"].as_u64().unwrap()
    };
    let sofa = make("Перевезти диван", "С третьего этажа, лифта нет").await;
    let sofas = make("Собрать мебель", "Два дивана и ёлка").await;
    let lamp = make("Hang a lamp", "").await;
    let query = |text: &str| format!("q={}", text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>());
    for (text, due) in [
        ("диваны", vec![sofas, sofa]),
        ("ДИВАН этаж", vec![sofa]),
        ("елку", vec![sofas]),
        ("lamps", vec![lamp]),
        ("диван lamp", vec![]),
        ("иван", vec![]),
        ("!?", vec![lamp, sofas, sofa]),
    ] {
        assert_eq!(found(&app, &query(text), 1).await, due, "{text}, at once where it was made");
    }
    until("the other node has read them", async || found(&beside, &query("диван"), 10).await.len() == 2).await;
    let path = format!("/api/orders/{sofa}");
    app.call("PATCH", &path, Some(&customer.token), &json!({"version": 1, "description": "Шкаф"})).await.expect(200);
    app.accept(&executor, sofas).await.expect(200);
    for node in [&app, &beside] {
        until("the edit is found", async || found(node, &query("шкафы"), 10).await == [sofa]).await;
        assert_eq!(found(node, &query("диваны"), 10).await, [sofa], "what is taken is never shown");
        assert!(found(node, &query("этаж"), 10).await.is_empty());
    }
    app.act(&executor, sofas, "abandon").await.expect(200);
    until("it is back", async || found(&app, &query("елка"), 10).await == [sofas]).await;
}

#[tokio::test]
async fn filters_and_orders_agree_with_what_the_table_says_at_any_depth() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000_000).await, app.executor().await);
    let mut dice = Dice::new(7);
    for _ in 0..120 {
        let draft = json!({"category": *dice.pick(&["it", "repair", "design"]), "assignment": *dice.pick(&["first", "chosen"])});
        let id = app.create_order(&customer, 1_000 + 500 * dice.below(40) as i64, &draft).await["id"].as_u64().unwrap();
        if dice.below(6) == 0 {
            app.act(&customer, id, ["freeze", "cancel"][dice.below(2)]).await.expect(200);
        } else if draft["assignment"] == "first" && dice.below(4) == 0 {
            app.accept(&executor, id).await.expect(200);
        }
    }
    for (query, condition) in [
        ("sort=price", "true order by price desc, id desc"),
        ("sort=payout&category=it", "category = 'it' order by payout desc, id desc"),
        ("price_min=5000&price_max=9000", "price between 5000 and 9000 order by id desc"),
        ("payout_min=9000&sort=price&assignment=chosen", "payout >= 9000 and assignment = 'chosen' order by price desc, id desc"),
        ("payout_max=4000&category=design", "payout <= 4000 and category = 'design' order by id desc"),
        ("category=nothing", "false"),
    ] {
        let due: Vec<u64> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select id from orders where status = 'open' and {condition}")))
            .fetch_all(&app.sql)
            .await
            .unwrap();
        for limit in [1, 7, 100] {
            assert_eq!(found(&app, query, limit).await, due, "{query} by {limit}");
        }
    }
    for wrong in ["sort=cheapest", "price_min=x", "sort=price&cursor=7", "cursor=1-7&category=it", "list=mine&category=it"] {
        let answer = app.get(&format!("/api/orders?{wrong}"), &customer).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text());
    }
    let long = "x".repeat(201);
    app.call("GET", &format!("/api/orders?q={long}"), None, &Value::Null).await.refused(422, "invalid");
}

#[tokio::test]
async fn a_customers_open_orders_are_public_and_nothing_else_of_theirs() {
    let app = TestApp::start().await;
    let (customer, other, executor) = (app.customer(100_000).await, app.customer(100_000).await, app.executor().await);
    let (open, taken, frozen) = (app.order(&customer, 1_000).await, app.order(&customer, 1_000).await, app.order(&customer, 1_000).await);
    app.order(&other, 1_000).await;
    app.accept(&executor, taken).await.expect(200);
    app.act(&customer, frozen, "freeze").await.expect(200);
    assert_eq!(found(&app, &format!("customer={}", customer.id), 10).await, [open]);
    assert!(found(&app, "customer=999999", 10).await.is_empty());
}

#[tokio::test]
async fn orders_that_came_without_a_word_are_found_after_the_sweep() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let ids = insert_orders(&app.sql, customer.id, 2_500).await;
    until("all are found", async || found(&app, "sort=price", 100).await.len() == ids.len()).await;
    sqlx::query("update orders set status = 'frozen', version = version + 1 where id % 2 = 0").execute(&app.sql).await.unwrap();
    until("half of them are", async || found(&app, "q=hand", 100).await.len() == ids.len() / 2).await;
}

#[tokio::test]
async fn admins_look_through_all_orders_and_nobody_else_does() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(100_000).await, app.executor().await, app.admin().await);
    let mut ids = Vec::new();
    for title in ["Paint a fence", "Move a piano", "Move a sofa"] {
        ids.push(app.create_order(&customer, 1_000, &json!({"title": title})).await["id"].as_u64().unwrap());
    }
    app.accept(&executor, ids[1]).await.expect(200);
    app.post(&format!("/api/orders/{}/dispute", ids[1]), &customer, &json!({"reason": "No"})).await.expect(200);
    app.act(&customer, ids[0], "cancel").await.expect(200);
    let list = async |query: &str| pages(&app, &format!("/api/admin/orders?limit=1&{query}"), Some(&admin)).await;
    assert_eq!(list("").await, [ids[2], ids[1], ids[0]]);
    assert_eq!(list("status=cancelled").await, [ids[0]]);
    assert_eq!(list("disputed=true").await, [ids[1]]);
    assert_eq!(list(&format!("executor={}", executor.id)).await, [ids[1]]);
    assert_eq!(list(&format!("customer={}&q=MOVE", customer.id)).await, [ids[2], ids[1]]);
    assert_eq!(list(&format!("q={}", ids[0])).await, [ids[0]]);
    for other in [&customer, &executor] {
        app.get("/api/admin/orders", other).await.refused(403, "forbidden");
    }
    app.call("GET", "/api/admin/orders", None, &Value::Null).await.refused(401, "unauthenticated");
}
