//! What one gets to see of orders: lists, page by page, and contracts, which are nobody else's business.

use serde_json::{Value, json};

use crate::support::{Scene, TestApp, User};

/// All pages of a list, as ids.
async fn pages(app: &TestApp, user: Option<&User>, query: &str, limit: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/orders?{query}&limit={limit}{cursor}");
        let page = app.call("GET", &path, user.map(|user| user.token.as_str()), &Value::Null).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        ids.extend(items.iter().map(|order| order["id"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first_without_gaps_or_repeats() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
    let stranger = app.customer(100_000).await;
    let mut mine = Vec::new();
    for number in 0..25 {
        let category = if number % 2 == 0 { "repair" } else { "it" };
        mine.push(app.create_order(&customer, 1_000, &json!({"category": category})).await["id"].as_u64().unwrap());
        app.order(&stranger, 1_000).await;
    }
    let taken: Vec<u64> = mine.iter().copied().step_by(5).collect();
    for id in &taken {
        app.accept(&executor, *id).await.expect(200);
    }
    let newest_first = |mut ids: Vec<u64>| {
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
    };
    let all_mine = pages(&app, Some(&customer), "list=mine", 10).await;
    assert_eq!(all_mine, newest_first(mine.clone()));
    assert_eq!(pages(&app, Some(&customer), "list=mine", 25).await, all_mine, "a last page that is full");
    assert_eq!(pages(&app, Some(&customer), "list=mine&status=in_work", 2).await, newest_first(taken.clone()));
    assert_eq!(pages(&app, Some(&executor), "list=contracts", 2).await, newest_first(taken.clone()));
    assert!(pages(&app, Some(&stranger), "list=contracts", 10).await.is_empty());
    let open = pages(&app, None, "list=open", 7).await;
    assert_eq!(open.len(), 50 - taken.len());
    assert!(open.is_sorted_by(|newer, older| newer > older) && !taken.iter().any(|id| open.contains(id)));
    let repairs: Vec<u64> = mine.iter().copied().step_by(2).filter(|id| !taken.contains(id)).collect();
    assert_eq!(pages(&app, None, "list=open&category=repair", 3).await, newest_first(repairs));

    // What comes in while somebody pages does not shift the pages.
    let first = app.get("/api/orders?list=mine&limit=10", &customer).await.expect(200);
    app.order(&customer, 1_000).await;
    let path = format!("/api/orders?list=mine&limit=100&cursor={}", first["next"].as_str().unwrap());
    let rest = app.get(&path, &customer).await.expect(200);
    assert_eq!(rest["items"].as_array().unwrap().len(), 15);

    for list in ["mine", "contracts"] {
        app.call("GET", &format!("/api/orders?list={list}"), None, &Value::Null).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_contract_is_seen_by_its_two_sides_and_admins_only() {
    let app = TestApp::start().await;
    let scene = Scene::set(&app).await;
    for (state, id) in &scene.orders {
        let path = format!("/api/orders/{id}");
        let guest = app.call("GET", &path, None, &Value::Null).await;
        if *state == "open" {
            guest.expect(200);
        } else {
            guest.refused(404, "not_found");
        }
        for (who, user) in &scene.people {
            let has_executor = ["in_work", "submitted", "done"].contains(state);
            let may = *state == "open"
                || *who == "an admin"
                || who.starts_with("the customer")
                || (has_executor && who.starts_with("the executor"));
            let answer = app.get(&path, user).await;
            if may {
                assert_eq!(answer.expect(200)["status"], *state);
            } else {
                answer.refused(404, "not_found");
            }
            let listed = pages(&app, Some(user), "list=open", 100).await;
            assert_eq!(listed.contains(id), *state == "open", "{state} in the open list");
        }
    }
    let strangers = ["another customer", "another executor", "an admin"];
    for who in strangers {
        for list in ["mine", "contracts"] {
            assert!(pages(&app, Some(&scene.people[who]), &format!("list={list}"), 100).await.is_empty(), "{who}: {list}");
        }
    }
}
