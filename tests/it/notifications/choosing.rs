//! Applying, choosing and deciding are told to those whom they concern.

use serde_json::json;

use super::{events, told, until_told};
use crate::support::{TestApp, User};

async fn apply(app: &TestApp, executor: &User, order: u64, price: i64) {
    app.post(&format!("/api/orders/{order}/apply"), executor, &json!({"message": "Tomorrow?", "price": price})).await.expect(200);
}

#[tokio::test]
async fn applicants_are_told_to_the_customer_and_the_choice_to_them() {
    let app = TestApp::start().await;
    let (customer, one, other, gone) = (app.customer(100_000).await, app.executor().await, app.executor().await, app.executor().await);
    let order = app.create_order(&customer, 10_000, &json!({"assignment": "chosen"})).await["id"].as_u64().unwrap();
    apply(&app, &one, order, 9_000).await;
    apply(&app, &other, order, 11_000).await;
    apply(&app, &one, order, 8_000).await;
    apply(&app, &gone, order, 10_000).await;
    app.act(&gone, order, "withdraw").await.expect(200);
    assert_eq!(events(&app, &customer).await, ["applicant"; 3], "once of each");
    let first = told(&app, &customer).await.pop().unwrap()["facts"].clone();
    assert_eq!((&first["by"]["id"], &first["price"], &first["comment"]), (&json!(one.id), &json!(9_000), &json!("Tomorrow?")));

    app.post(&format!("/api/orders/{order}/choose"), &customer, &json!({"executor_id": one.id})).await.expect(200);
    assert_eq!(told(&app, &one).await[0]["facts"]["price"], 8_000);
    assert_eq!(
        (events(&app, &one).await, events(&app, &other).await, events(&app, &gone).await.len()),
        (vec!["chosen".to_owned()], vec!["declined".to_owned()], 0)
    );
    // A taking that is told proves that none is on its way for the order that its customer gave away.
    let plain = app.order(&customer, 1_000).await;
    app.accept(&other, plain).await.expect(200);
    until_told(&app, &customer, &["applicant", "applicant", "applicant", "taken"]).await;
    assert_eq!(told(&app, &customer).await[0]["facts"]["order_id"], plain);
}

#[tokio::test]
async fn a_verdict_is_told_to_both_sides() {
    let app = TestApp::start().await;
    let (customer, executor, admin) = (app.customer(100_000).await, app.executor().await, app.admin().await);
    for (verdict, of_customer) in [("pay", vec!["taken", "arbitrated", "debited"]), ("refund", vec!["taken", "arbitrated"])] {
        let before = events(&app, &customer).await.len();
        let order = app.order(&customer, 1_000).await;
        app.accept(&executor, order).await.expect(200);
        crate::support::until("told", async || events(&app, &customer).await.len() == before + 1).await;
        app.post(&format!("/api/orders/{order}/dispute"), &executor, &json!({"reason": "no answer"})).await.expect(200);
        for _ in 0..2 {
            let body = json!({"verdict": verdict, "comment": "The photographs show it"});
            app.post(&format!("/api/admin/orders/{order}/arbitrate"), &admin, &body).await.expect(200);
        }
        let mut told_now = events(&app, &customer).await.split_off(before);
        told_now.sort_unstable_by_key(|event| (event != "taken", event.clone()));
        assert_eq!(told_now, of_customer, "{verdict}");
        let facts = told(&app, &executor).await[0]["facts"].clone();
        assert_eq!((&facts["verdict"], &facts["comment"]), (&json!(verdict), &json!("The photographs show it")));
    }
    assert_eq!(events(&app, &executor).await, ["arbitrated"; 2]);
}
