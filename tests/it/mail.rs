//! The mail outbox: the most urgent first, tried again while there is a point in it, given up where there is none, and each
//! letter once, as far as SMTP allows.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::post_office::{Mood, PostOffice};
use crate::support::{TestApp, until};

async fn with_mail(office: &PostOffice, claim_ms: u64) -> TestApp {
    let url = office.url();
    TestApp::start_with(|config| {
        config.mail.smtp_url = Some(url);
        config.mail.mail_from = Some("Orderboard <board@example.org>".to_owned());
        config.mail.public_url = Some("http://board.example".to_owned());
        config.mail.mail_retry_ms = 100;
        config.mail.mail_claim_ms = claim_ms;
    })
    .await
}

/// Keeps letters straight in the table: (address, priority), each due now and wanted for `wanted_s`.
async fn keep(app: &TestApp, letters: impl IntoIterator<Item = (String, u8)>, wanted_s: i32) {
    let mut query = sqlx::QueryBuilder::new(
        "insert into mail_outbox (reason, user_id, address, language, letter, facts, priority, due_at, deadline, created_at) ",
    );
    query.push_values(letters, |mut row, (address, priority)| {
        row.push_bind(format!("test:{address}")).push("1").push_bind(address).push("'en', 'password_changed', '\"password_changed\"'");
        row.push_bind(priority).push("utc_timestamp(6), utc_timestamp(6) + interval ").push_bind_unseparated(wanted_s);
        row.push_unseparated(" second").push("utc_timestamp(6)");
    });
    query.build().execute(&app.sql).await.unwrap();
}

/// (state, attempts, last error) of the letter to this address.
async fn fate(app: &TestApp, address: &str) -> (String, u16, Option<String>) {
    sqlx::query_as("select state, attempts, last_error from mail_outbox where address = ?").bind(address).fetch_one(&app.sql).await.unwrap()
}

async fn until_is(app: &TestApp, address: &str, state: &str) -> (u16, String) {
    until(&format!("{address} is {state}"), async || fate(app, address).await.0 == state).await;
    let (_, attempts, error) = fate(app, address).await;
    (attempts, error.unwrap_or_default())
}

#[tokio::test]
async fn what_fails_for_now_is_tried_again_and_what_fails_for_good_is_given_up() {
    let office = PostOffice::open().await;
    let app = with_mail(&office, 60_000).await;
    office.then([Mood::Refuse("451 busy, come back"), Mood::Refuse("452 full, come back"), Mood::Take, Mood::Refuse("550 nobody here")]);
    keep(&app, [("patient@example.org".to_owned(), 1)], 600).await;
    let (attempts, error) = until_is(&app, "patient@example.org", "sent").await;
    assert_eq!((attempts, office.to("patient@example.org").len()), (3, 1));
    assert!(error.contains("452") || error.contains("full"), "the last error stays to be read: {error}");

    keep(&app, [("gone@example.org".to_owned(), 1)], 600).await;
    let (attempts, error) = until_is(&app, "gone@example.org", "dead").await;
    assert_eq!(attempts, 1);
    assert!(error.contains("nobody here"), "{error}");
    // An address that cannot even be written down.
    keep(&app, [("a..b@example.org".to_owned(), 1)], 600).await;
    until_is(&app, "a..b@example.org", "dead").await;
    assert_eq!(office.letters().len(), 1);
}

#[tokio::test]
async fn a_letter_that_nobody_wants_any_more_is_not_sent() {
    let office = PostOffice::open().await;
    let app = with_mail(&office, 60_000).await;
    keep(&app, [("late@example.org".to_owned(), 1)], -1).await;
    assert!(until_is(&app, "late@example.org", "dead").await.1.contains("deadline"));
    // Nor is it tried again when the next attempt would come too late.
    office.then(vec![Mood::Refuse("451 busy"); 12]);
    keep(&app, [("soon@example.org".to_owned(), 1)], 2).await;
    assert!(until_is(&app, "soon@example.org", "dead").await.1.contains("busy"));
    assert!(office.letters().is_empty());
}

#[tokio::test]
async fn the_most_urgent_letters_go_first() {
    let office = PostOffice::open().await;
    let app = with_mail(&office, 60_000).await;
    let address = |number: u8| format!("n{number}@example.org");
    keep(&app, (0..60).map(|number| (address(number), if number < 50 { 5 } else { 0 })), 600).await;
    until("all are sent", async || office.letters().len() == 60).await;
    let order: Vec<u8> = office.letters().iter().map(|letter| letter.to[1..].split('@').next().unwrap().parse::<u8>().unwrap()).collect();
    // Those who were kept last are urgent: at most the first handful was under way when they were seen.
    let last_urgent = order.iter().rposition(|number| *number >= 50).unwrap();
    assert!(last_urgent < 10 + 8, "{order:?}");
}

#[tokio::test]
async fn four_nodes_send_each_letter_once() {
    let office = PostOffice::open().await;
    let one = with_mail(&office, 60_000).await;
    let others = [one.beside().await, one.beside().await, one.beside().await];
    keep(&one, (0..300).map(|number| (format!("n{number}@example.org"), (number % 3) as u8)), 600).await;
    until("all are sent", async || {
        let left: i64 = sqlx::query_scalar("select count(*) from mail_outbox where state <> 'sent'").fetch_one(&one.sql).await.unwrap();
        left == 0
    })
    .await;
    let letters = office.letters();
    let addresses: BTreeSet<&str> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert_eq!((letters.len(), addresses.len()), (300, 300));
    drop(others);
}

#[tokio::test]
async fn a_letter_whose_worker_died_is_sent_by_another() {
    let office = PostOffice::open().await;
    let one = with_mail(&office, 2_000).await;
    office.then([Mood::Silence]);
    keep(&one, [("left@example.org".to_owned(), 1)], 600).await;
    until("the first node is at it", async || office.read() == 1).await;
    let two = one.beside().await;
    let database = two.sql.clone();
    one.kill();
    let letter = office.nth_to("left@example.org", 1).await;
    until_is(&two, "left@example.org", "sent").await;
    assert_eq!(office.letters().len(), 1);
    assert!(letter.headers.contains_key("message-id"));
    drop(database);
}

#[tokio::test]
async fn a_letter_that_the_server_took_without_saying_so_comes_again_under_the_same_message_id() {
    let office = PostOffice::open().await;
    let app = with_mail(&office, 60_000).await;
    office.then([Mood::TakeAndCut]);
    keep(&app, [("double@example.org".to_owned(), 1)], 600).await;
    assert_eq!(until_is(&app, "double@example.org", "sent").await.0, 2);
    let letters = office.to("double@example.org");
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0].headers["message-id"], letters[1].headers["message-id"]);
    assert_eq!((letters[0].subject.as_str(), &letters[0].text), ("Your password was changed", &letters[1].text));
}

#[tokio::test]
async fn letters_wait_for_a_mail_server_that_is_away() {
    let office = PostOffice::open().await;
    let url = office.url();
    drop(office);
    let app = TestApp::start_with(|config| {
        config.mail.smtp_url = Some(url);
        config.mail.mail_from = Some("board@example.org".to_owned());
        config.mail.public_url = Some("http://board.example".to_owned());
        config.mail.mail_retry_ms = 100;
    })
    .await;
    keep(&app, [("waits@example.org".to_owned(), 1)], 600).await;
    until("it was tried", async || fate(&app, "waits@example.org").await.1 >= 2).await;
    let (state, _, error) = fate(&app, "waits@example.org").await;
    assert_eq!(state, "waiting");
    assert!(error.is_some());
    // The node is well all the same, and stops at once.
    app.call("GET", "/readyz", None, &json!(null)).await.expect(200);
    app.stop().await;
}
