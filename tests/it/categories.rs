//! Categories: managed while nodes run, each with a live board on every node.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::truth::truth;
use crate::support::{Answer, OwnRedis, Request, TestApp, User, random_name, until_within};

/// What a new category is promised.
const EVERYWHERE_WITHIN: Duration = Duration::from_secs(2);

async fn make(app: &TestApp, admin: &User, slug: &str) -> Answer {
    app.post("/api/admin/categories", admin, &json!({"slug": slug, "name_ru": "Сад", "name_en": "Garden"})).await
}

async fn change(app: &TestApp, admin: &User, slug: &str, change: &Value) -> Answer {
    app.call("PATCH", &format!("/api/admin/categories/{slug}"), Some(&admin.token), change).await
}

async fn offered(app: &TestApp) -> Vec<String> {
    let list = app.call("GET", "/api/categories", None, &Value::Null).await.expect(200);
    list["items"].as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_new_category_has_its_live_board_on_every_node_within_two_seconds() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (admin, customer, executor) = (app.admin().await, app.customer(100_000).await, app.executor().await);
    let made = make(&app, &admin, "garden").await.expect(201);
    assert_eq!(made, json!({"slug": "garden", "name_ru": "Сад", "name_en": "Garden", "place": 11, "hidden": false}));
    // An order may be there before any node has the board.
    let early = app.create_order(&customer, 1_000, &json!({"category": "garden"})).await["id"].as_u64().unwrap();
    until_within("both nodes have the board", EVERYWHERE_WITHIN, async || {
        let mut have = true;
        for node in [&app, &beside] {
            have &= node.call("GET", "/api/board?board=category:garden", None, &Value::Null).await.status == 200;
        }
        have
    })
    .await;
    let (mut watcher, mut other) = (app.watcher(None).await, beside.watcher(None).await);
    for one in [&mut watcher, &mut other] {
        one.watch("category:garden").await;
    }
    assert_eq!(offered(&beside).await.last().unwrap(), "garden");

    let late = beside.create_order(&customer, 1_000, &json!({"category": "garden"})).await["id"].as_u64().unwrap();
    for one in [&mut watcher, &mut other] {
        one.until("both orders are there", |state| state.board("category:garden").ids() == [late, early]).await;
        one.until_proven("category:garden").await;
    }
    app.accept(&executor, early).await.expect(200);
    for one in [&mut watcher, &mut other] {
        one.until("the taken one has left", |state| state.board("category:garden").ids() == [late]).await;
        one.until_proven("category:garden").await;
        assert_eq!(one.state.board("category:garden").checksum(), truth(&app.sql, "category:garden").await);
    }
}

#[tokio::test]
async fn a_hidden_category_takes_no_new_orders_and_keeps_those_it_has() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (admin, customer) = (app.admin().await, app.customer(100_000).await);
    let draft = json!({"title": "Cut the hedge", "price": 1_000, "category": "repair"});
    let create = async |node: &TestApp, key: &str| {
        let request = Request::new("POST", "/api/orders").bearer(Some(&customer.token)).json(&draft);
        node.send(&request.header("idempotency-key", key)).await
    };
    let order = create(&app, "before").await.expect(201);
    let hidden = change(&app, &admin, "repair", &json!({"hidden": true})).await.expect(200);
    assert_eq!(hidden, json!({"slug": "repair", "name_ru": "Ремонт", "name_en": "Repair", "place": 3, "hidden": true}));
    assert!(!offered(&app).await.contains(&"repair".to_owned()));
    let problem = create(&app, "after").await.refused(422, "invalid");
    assert_eq!((&problem["field"], &problem["reason"]), (&json!("category"), &json!("unknown")));
    assert_eq!(create(&app, "before").await.expect(201), order, "what was answered once is answered again");
    until_within("the other node refuses it, too", EVERYWHERE_WITHIN, async || create(&beside, &random_name()).await.status == 422).await;

    let mut watcher = beside.watcher(None).await;
    watcher.watch("category:repair").await;
    assert!(watcher.state.board("category:repair").has(order["id"].as_u64().unwrap()));
    let listed = app.get("/api/admin/categories", &admin).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 10, "{listed}");
    change(&app, &admin, "repair", &json!({"hidden": false, "place": 0})).await.expect(200);
    assert_eq!(offered(&app).await[0], "repair");
    create(&app, "shown-again").await.expect(201);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn categories_are_an_admins_to_manage_and_each_has_a_slug_of_its_own() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for user in [app.customer(0).await, app.executor().await] {
        make(&app, &user, "garden").await.refused(403, "forbidden");
        change(&app, &user, "it", &json!({"hidden": true})).await.refused(403, "forbidden");
        app.get("/api/admin/categories", &user).await.refused(403, "forbidden");
    }
    app.call("GET", "/api/admin/categories", None, &Value::Null).await.refused(401, "unauthenticated");
    make(&app, &admin, "it").await.refused(409, "exists");
    for slug in ["", "all", "Garden", "сад", "a b", "a--b"] {
        assert_eq!(make(&app, &admin, slug).await.refused(422, "invalid")["field"], "slug");
    }
    change(&app, &admin, "nothing", &json!({"place": 1})).await.refused(404, "not_found");
    change(&app, &admin, "it", &json!({"place": -1})).await.refused(422, "invalid");
    change(&app, &admin, "it", &json!({"name_ru": " "})).await.refused(422, "invalid");
    change(&app, &admin, "it", &json!({"slug": "other"})).await.refused(422, "invalid");
    let same = change(&app, &admin, "it", &json!({})).await.expect(200);
    assert_eq!(same, change(&app, &admin, "it", &json!({"name_en": "Computers and IT"})).await.expect(200));
}

#[tokio::test]
async fn there_are_only_so_many_categories() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let slugs: Vec<String> = (11..=200).map(|number| format!("c{number}")).collect();
    let mut rows = sqlx::QueryBuilder::new("insert into categories (slug, name_ru, name_en, place) ");
    rows.push_values(&slugs, |mut row, slug| {
        row.push_bind(slug).push("'Ещё', 'More', 30000");
    });
    rows.build().execute(&app.sql).await.unwrap();
    let problem = make(&app, &admin, "garden").await.refused(422, "invalid");
    assert_eq!((&problem["field"], &problem["reason"]), (&json!("slug"), &json!("too_large")));
    // The node opens them all, as it does those that another node's admin has made.
    until_within("their boards", EVERYWHERE_WITHIN, async || {
        app.call("GET", "/api/board?board=category:c200", None, &Value::Null).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_category_made_while_redis_is_away_has_its_board_all_the_same() {
    let mut redis = OwnRedis::start().await;
    let url = redis.url().to_owned();
    let app = TestApp::start_with(|config| config.redis_url = url).await;
    let beside = app.beside().await;
    let (admin, customer) = (app.admin().await, app.customer(100_000).await);
    redis.kill().await;
    make(&app, &admin, "garden").await.expect(201);
    let id = app.create_order(&customer, 1_000, &json!({"category": "garden"})).await["id"].as_u64().unwrap();
    for node in [&app, &beside] {
        until_within("the order is on the board", EVERYWHERE_WITHIN * 2, async || {
            let board = node.call("GET", "/api/board?board=category:garden", None, &Value::Null).await;
            board.status == 200 && board.expect(200)["orders"].as_array().unwrap().iter().any(|order| order["id"] == id)
        })
        .await;
    }
}
