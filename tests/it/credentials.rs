//! What one signs in with: a new password, a new address, and the way back in by mail. Each ends the other sessions, and their
//! sockets on every node.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::post_office::PostOffice;
use crate::support::{Answer, TestApp, User, until, until_within};

const OLD: &str = "correct horse";
const NEW: &str = "battery staple";
const SECOND: Duration = Duration::from_secs(1);

/// A node that sends its mail to this post office.
async fn with_mail(office: &PostOffice) -> TestApp {
    let url = office.url();
    TestApp::start_with(|config| {
        config.mail.smtp_url = Some(url);
        config.mail.mail_from = Some("Orderboard <board@example.org>".to_owned());
        config.mail.public_url = Some("http://board.example".to_owned());
        config.mail.mail_retry_ms = 100;
    })
    .await
}

async fn register(app: &TestApp, email: &str) -> u64 {
    let body = json!({"email": email, "password": OLD, "name": "Анна"});
    app.call("POST", "/api/register", None, &body).await.expect(201)["user"]["id"].as_u64().unwrap()
}

async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    app.call("POST", "/api/login", None, &json!({"email": email, "password": password, "role": "customer"})).await
}

async fn session(app: &TestApp, email: &str) -> User {
    let answer = login(app, email, OLD).await.expect(200);
    User { id: answer["user"]["id"].as_u64().unwrap(), token: answer["token"].as_str().unwrap().to_owned() }
}

async fn forgot(app: &TestApp, email: &str) -> Answer {
    app.call("POST", "/api/password/forgot", None, &json!({"email": email})).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    app.call("POST", "/api/password/reset", None, &json!({"token": token, "password": password})).await
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_their_sockets_on_every_node() {
    let office = PostOffice::open().await;
    let one = with_mail(&office).await;
    let two = one.beside().await;
    register(&one, "ann@example.org").await;
    let (keeper, other) = (session(&one, "ann@example.org").await, session(&two, "ann@example.org").await);
    two.get("/api/me", &other).await.expect(200);
    let (mut here, mut there) = (one.watcher(Some(&other.token)).await, two.watcher(Some(&other.token)).await);
    let mut kept = two.watcher(Some(&keeper.token)).await;

    let change = |current: &str, new: &str| json!({"current": current, "new": new});
    one.post("/api/me/password", &keeper, &change("wrong horse", NEW)).await.refused(403, "wrong_password");
    let short = one.post("/api/me/password", &keeper, &change(OLD, "short")).await;
    short.refused(422, "invalid");
    assert_eq!(short.json()["field"], "new");
    two.get("/api/me", &other).await.expect(200);

    assert_eq!(one.post("/api/me/password", &keeper, &change(OLD, NEW)).await.status, 204);
    one.get("/api/me", &other).await.refused(401, "unauthenticated");
    let elsewhere = until_within("the other node knows", SECOND, async || two.get("/api/me", &other).await.status == 401);
    let (here, there, ()) = tokio::join!(here.closed_within(SECOND), there.closed_within(SECOND), elsewhere);
    assert_eq!((here, there), (4401, 4401));
    kept.send(&json!({"type": "ping", "t": 1})).await;
    kept.until("an answer", |state| !state.pongs.is_empty()).await;

    login(&one, "ann@example.org", OLD).await.refused(401, "wrong_credentials");
    login(&two, "ann@example.org", NEW).await.expect(200);
    let letter = office.nth_to("ann@example.org", 1).await;
    assert_eq!((letter.subject.as_str(), letter.from.as_str()), ("Пароль изменён", "board@example.org"));
    assert_eq!(letter.headers["auto-submitted"], "auto-generated");
}

#[tokio::test]
async fn a_new_address_ends_the_other_sessions_and_the_old_address_is_told() {
    let office = PostOffice::open().await;
    let app = with_mail(&office).await;
    register(&app, "taken@example.org").await;
    register(&app, "old@example.org").await;
    let (keeper, other) = (session(&app, "old@example.org").await, session(&app, "old@example.org").await);
    app.call("PATCH", "/api/me", Some(&keeper.token), &json!({"language": "en"})).await.expect(200);
    let mut socket = app.watcher(Some(&other.token)).await;
    let change = |password: &str, email: &str| json!({"password": password, "email": email});
    app.post("/api/me/email", &keeper, &change("wrong horse", "new@example.org")).await.refused(403, "wrong_password");
    app.post("/api/me/email", &keeper, &change(OLD, "taken@example.org")).await.refused(409, "email_taken");
    app.post("/api/me/email", &keeper, &change(OLD, "nonsense")).await.refused(422, "invalid");
    app.get("/api/me", &other).await.expect(200);

    assert_eq!(app.post("/api/me/email", &keeper, &change(OLD, " New@Example.org ")).await.status, 204);
    assert_eq!(socket.closed_within(SECOND).await, 4401);
    app.get("/api/me", &other).await.refused(401, "unauthenticated");
    assert_eq!(app.get("/api/me", &keeper).await.expect(200)["user"]["email"], "new@example.org");
    login(&app, "old@example.org", OLD).await.refused(401, "wrong_credentials");
    login(&app, "new@example.org", OLD).await.expect(200);
    let letter = office.nth_to("old@example.org", 1).await;
    assert_eq!(letter.subject, "Your e-mail address was changed");
    assert!(letter.text.contains("new@example.org"), "{}", letter.text);
    assert!(office.to("new@example.org").is_empty());
}

#[tokio::test]
async fn whoever_has_forgotten_the_password_comes_back_in_by_mail() {
    let office = PostOffice::open().await;
    let one = with_mail(&office).await;
    let two = one.beside().await;
    register(&one, "lost@example.org").await;
    let open = session(&one, "lost@example.org").await;
    let mut socket = two.watcher(Some(&open.token)).await;

    let known = forgot(&one, " Lost@Example.org").await;
    let unknown = forgot(&one, "nobody@example.org").await;
    assert_eq!((known.status, known.text()), (202, unknown.text()));
    assert_eq!(unknown.status, 202);
    forgot(&one, "nonsense").await.refused(422, "invalid");
    let token = office.nth_to("lost@example.org", 1).await.token();

    reset(&one, "invented", NEW).await.refused(410, "link_over");
    reset(&one, &token, "short").await.refused(422, "invalid");
    assert_eq!(reset(&two, &token, NEW).await.status, 204);
    assert_eq!(socket.closed_within(SECOND).await, 4401);
    until_within("the first node knows", SECOND, async || one.get("/api/me", &open).await.status == 401).await;
    login(&one, "lost@example.org", OLD).await.refused(401, "wrong_credentials");
    login(&one, "lost@example.org", NEW).await.expect(200);
    // A link works once.
    reset(&one, &token, "third password").await.refused(410, "link_over");
    assert_eq!(office.nth_to("lost@example.org", 2).await.subject, "Пароль изменён");
    assert!(office.to("nobody@example.org").is_empty());
}

#[tokio::test]
async fn a_link_is_over_with_its_time_and_with_any_other_change() {
    let office = PostOffice::open().await;
    let app = with_mail(&office).await;
    let id = register(&app, "links@example.org").await;
    let keeper = session(&app, "links@example.org").await;
    // The letters of the hour before are no reason to wait.
    let age = async || {
        sqlx::query("update mail_outbox set created_at = created_at - interval 1 hour where user_id = ?")
            .bind(id)
            .execute(&app.sql)
            .await
            .unwrap();
    };
    let link = async |address: &str, count: usize| {
        age().await;
        forgot(&app, address).await.expect(202);
        office.nth_to(address, count).await.token()
    };
    let old = link("links@example.org", 1).await;
    sqlx::query("update password_resets set expires_at = utc_timestamp(6)").execute(&app.sql).await.unwrap();
    reset(&app, &old, NEW).await.refused(410, "link_over");

    let overtaken = link("links@example.org", 2).await;
    assert_eq!(app.post("/api/me/password", &keeper, &json!({"current": OLD, "new": OLD})).await.status, 204);
    reset(&app, &overtaken, NEW).await.refused(410, "link_over");
    office.nth_to("links@example.org", 3).await;

    let of_the_old_address = link("links@example.org", 4).await;
    assert_eq!(app.post("/api/me/email", &keeper, &json!({"password": OLD, "email": "moved@example.org"})).await.status, 204);
    reset(&app, &of_the_old_address, NEW).await.refused(410, "link_over");
    login(&app, "moved@example.org", OLD).await.expect(200);
}

#[tokio::test]
async fn twenty_who_ask_at_the_same_moment_get_one_letter() {
    let office = PostOffice::open().await;
    let one = with_mail(&office).await;
    let two = one.beside().await;
    register(&one, "once@example.org").await;
    let nodes = [&one, &two];
    let answers = join_all((0..20).map(|number| forgot(nodes[number % 2], "once@example.org"))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    office.nth_to("once@example.org", 1).await;
    // What was asked for before is worked on before what is asked for now.
    register(&one, "later@example.org").await;
    forgot(&one, "later@example.org").await.expect(202);
    forgot(&two, "later@example.org").await.expect(202);
    office.nth_to("later@example.org", 1).await;
    let waiting = async || -> i64 {
        sqlx::query_scalar("select count(*) from mail_outbox where state = 'waiting'").fetch_one(&one.sql).await.unwrap()
    };
    until("nothing waits to be sent", async || waiting().await == 0).await;
    assert_eq!((office.to("once@example.org").len(), office.to("later@example.org").len()), (1, 1));
}

#[tokio::test]
async fn no_session_survives_a_change_that_signing_in_was_overtaken_by() {
    let app = TestApp::start().await;
    register(&app, "race@example.org").await;
    let keeper = session(&app, "race@example.org").await;
    let change = json!({"current": OLD, "new": NEW});
    let racing = join_all((0..12).map(|_| login(&app, "race@example.org", OLD)));
    let (answers, changed) = tokio::join!(racing, app.post("/api/me/password", &keeper, &change));
    assert_eq!(changed.status, 204);
    for answer in answers {
        match answer.status {
            200 => {
                let token = answer.json()["token"].as_str().unwrap().to_owned();
                drop(app.get("/api/me", &User { id: 0, token }).await.refused(401, "unauthenticated"));
            }
            _ => drop(answer.refused(401, "wrong_credentials")),
        }
    }
    app.get("/api/me", &keeper).await.expect(200);
}

#[tokio::test]
async fn where_no_mail_is_sent_a_link_is_refused_and_a_password_can_still_be_changed() {
    let app = TestApp::start().await;
    register(&app, "quiet@example.org").await;
    let user = session(&app, "quiet@example.org").await;
    forgot(&app, "quiet@example.org").await.refused(409, "no_mail");
    assert_eq!(app.post("/api/me/password", &user, &json!({"current": OLD, "new": NEW})).await.status, 204);
    let kept: i64 = sqlx::query_scalar("select count(*) from mail_outbox").fetch_one(&app.sql).await.unwrap();
    assert_eq!(kept, 0);
    // Who came by a token made on the command line has no password to prove.
    let granted = app.customer(0).await;
    app.post("/api/me/password", &granted, &json!({"current": "", "new": NEW})).await.refused(403, "wrong_password");
}

#[tokio::test]
async fn neither_links_nor_passwords_lie_in_the_database() {
    let office = PostOffice::open().await;
    let app = with_mail(&office).await;
    register(&app, "secret@example.org").await;
    forgot(&app, "secret@example.org").await.expect(202);
    let token = office.nth_to("secret@example.org", 1).await.token();
    for table in ["mail_outbox", "password_resets"] {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("select * from {table}"))).fetch_all(&app.sql).await.unwrap();
        assert!(!rows.is_empty() && !format!("{rows:?}").contains(&token), "{table}");
    }
}

#[tokio::test]
async fn a_profile_is_changed_by_what_is_named() {
    let app = TestApp::start().await;
    register(&app, "profile@example.org").await;
    let user = session(&app, "profile@example.org").await;
    let patch = async |body: &Value| app.call("PATCH", "/api/me", Some(&user.token), body).await;
    let me = patch(&json!({"name": " Анна К. ", "about": "Крашу\r\nзаборы."})).await.expect(200);
    assert_eq!((&me["user"]["name"], &me["about"], &me["language"]), (&json!("Анна К."), &json!("Крашу\nзаборы."), &json!("ru")));
    let me = patch(&json!({"language": "en", "sweeps_earnings": true})).await.expect(200);
    assert_eq!((&me["user"]["name"], &me["language"], &me["sweeps_earnings"]), (&json!("Анна К."), &json!("en"), &json!(true)));
    assert_eq!(patch(&json!({})).await.expect(200), me);
    for (field, wrong) in [("name", json!("")), ("name", json!("a\nb")), ("about", json!("x".repeat(2_001))), ("language", json!("de"))] {
        let refused = patch(&json!({ field: wrong })).await;
        refused.refused(422, "invalid");
        assert_eq!(refused.json()["field"], field);
    }
    assert_eq!(app.get("/api/me", &user).await.expect(200), me);
}
