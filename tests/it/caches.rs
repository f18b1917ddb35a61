//! What nodes remember is told, never hides what somebody has just done, and is forgotten on an admin's word.

use serde_json::{Value, json};

use crate::support::{TestApp, until};

const CACHES: &str = "/api/admin/caches";

async fn clear(app: &TestApp, token: Option<&str>) -> crate::support::Answer {
    app.call("POST", "/api/admin/caches/clear", token, &Value::Null).await
}

#[tokio::test]
async fn an_admin_has_all_nodes_forget_what_they_remember() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (admin, customer) = (app.admin().await, app.customer(10_000).await);
    let order = app.order(&customer, 1_000).await;
    let name = async |node: &TestApp| {
        let order = node.get(&format!("/api/orders/{order}"), &customer).await.expect(200);
        order["customer"]["name"].as_str().unwrap().to_owned()
    };
    let before = name(&app).await;
    assert_eq!(name(&beside).await, before);
    // Nobody has told the nodes.
    sqlx::query("update users set name = 'Renamed by hand' where id = ?").bind(customer.id).execute(&app.sql).await.unwrap();
    assert_eq!((name(&app).await, name(&beside).await), (before.clone(), before));
    assert_eq!(clear(&app, Some(&admin.token)).await.status, 204);
    assert_eq!(name(&app).await, "Renamed by hand");
    until("the other node has forgotten, too", async || name(&beside).await == "Renamed by hand").await;
}

#[tokio::test]
async fn a_session_that_was_remembered_is_read_again() {
    let app = TestApp::start().await;
    let (admin, user) = (app.admin().await, app.executor().await);
    app.get("/api/me", &user).await.expect(200);
    sqlx::query("update sessions set ended_at = now(6) where user_id = ?").bind(user.id).execute(&app.sql).await.unwrap();
    clear(&app, Some(&admin.token)).await;
    app.get("/api/me", &user).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn only_admins_see_and_clear_what_a_node_remembers() {
    let app = TestApp::start().await;
    let user = app.executor().await;
    app.get(CACHES, &user).await.refused(403, "forbidden");
    clear(&app, Some(&user.token)).await.refused(403, "forbidden");
    clear(&app, None).await.refused(401, "unauthenticated");
    let told = app.get(CACHES, &app.admin().await).await.expect(200);
    let names: Vec<&str> = told["items"].as_array().unwrap().iter().map(|cache| cache["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["names", "accounts", "sessions", "categories", "open_orders"]);
    assert_eq!(told["items"][3]["entries"], 10);
}

#[tokio::test]
async fn an_answer_from_memory_says_so_and_how_old_it_is() {
    let app = TestApp::start().await;
    for path in ["/api/categories", "/api/quote?price=1000", "/api/board"] {
        let answer = app.call("GET", path, None, &Value::Null).await;
        let timing = answer.header("server-timing").unwrap();
        assert!(timing.starts_with("source;desc=\"memory\", age;dur="), "{path}: {timing}");
        assert!(answer.header("age").unwrap().parse::<u64>().unwrap() < 5, "{path}: {:?}", answer.headers);
    }
}

/// There is no memory of lists: whatever node is asked, what was just done is in them.
#[tokio::test]
async fn what_somebody_has_done_is_in_every_list_of_every_node_at_once() {
    let app = TestApp::start().await;
    let beside = app.beside().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let has = async |path: &str, user: &crate::support::User, id: u64| {
        let listed = beside.get(path, user).await.expect(200);
        listed["items"].as_array().unwrap().iter().any(|order| order["id"] == json!(id))
    };
    for _ in 0..20 {
        let order = app.order(&customer, 1_000).await;
        let profile = format!("/api/users/{}", customer.id);
        for path in ["/api/orders", "/api/orders?q=fence", "/api/orders?list=mine"] {
            assert!(has(path, &customer, order).await, "{path}");
        }
        let created = beside.get(&profile, &executor).await.expect(200)["customer"]["orders_created"].as_u64();
        app.accept(&executor, order).await.expect(200);
        assert!(has("/api/orders?list=contracts", &executor, order).await);
        assert!(!has("/api/orders", &executor, order).await);
        assert!(created.is_some_and(|created| created > 0));
    }
}
