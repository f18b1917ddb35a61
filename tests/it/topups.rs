//! Top-ups through the payment gateway: what is believed, what is not, and that money is credited exactly once.

use md5::{Digest as _, Md5};
use orderboard::config::Gateway;
use orderboard::domain::robokassa::{Hash, Password};
use orderboard::http::Mode;
use serde_json::{Value, json};

use crate::support::node::run;
use crate::support::{Answer, OwnDirectory, Request, TestApp, User, until};

/// A shop at the real gateway.
fn shop() -> Gateway {
    Gateway {
        robokassa_login: Some("shop".into()),
        robokassa_password1: Some(Password::new("live-1")),
        robokassa_password2: Some(Password::new("live-2")),
        robokassa_test_password1: Some(Password::new("test-1")),
        robokassa_test_password2: Some(Password::new("test-2")),
        ..Gateway::default()
    }
}

async fn with_shop() -> TestApp {
    TestApp::start_with(|config| {
        config.gateway = shop();
        config.mode = Mode::Production;
    })
    .await
}

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the gateway sends, signed by hand.
fn told(out_sum: &str, inv_id: &str) -> String {
    signed(out_sum, inv_id, "live-2")
}

fn signed(out_sum: &str, inv_id: &str, password: &str) -> String {
    let signature = md5(&format!("{out_sum}:{inv_id}:{password}"));
    let out_sum = out_sum.replace('+', "%2B").replace(' ', "%20");
    format!("OutSum={out_sum}&InvId={inv_id}&SignatureValue={signature}&Fee=1.5&EMail=&PaymentMethod=BankCard&IncCurrLabel=")
}

async fn notify(app: &TestApp, form: &str) -> Answer {
    let request = Request::new("POST", "/api/robokassa/result").bytes("application/x-www-form-urlencoded", form.as_bytes());
    app.send(&request).await
}

#[track_caller]
fn assert_heard(answer: &Answer, id: u64) {
    assert_eq!((answer.status, answer.text()), (200, format!("OK{id}")));
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
}

#[track_caller]
fn assert_not_believed(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, text.to_owned()));
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
}

async fn topup(app: &TestApp, user: &User, amount: i64) -> u64 {
    app.post("/api/topups", user, &json!({"amount": amount})).await.expect(201)["id"].as_u64().unwrap()
}

async fn status(app: &TestApp, user: &User, id: u64) -> String {
    app.get(&format!("/api/topups/{id}"), user).await.expect(200)["status"].as_str().unwrap().to_owned()
}

async fn credits(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from entries where kind = 'topup'").fetch_one(&app.sql).await.unwrap()
}

#[tokio::test]
async fn the_payment_link_is_signed_and_a_key_used_again_gives_the_same_link() {
    let app = with_shop().await;
    let customer = app.customer(0).await;
    let ask = async |key: &str| {
        let request = Request::new("POST", "/api/topups").bearer(Some(&customer.token)).header("idempotency-key", key);
        app.send(&request.header("cookie", "lang=ru").json(&json!({"amount": 12_345}))).await
    };
    let first = ask("one").await;
    let asked = first.expect(201);
    let (id, link) = (asked["id"].as_u64().unwrap(), asked["pay_url"].as_str().unwrap());
    let signature = md5(&format!("shop:123.45:{id}:live-1:Shp_user={}", customer.id));
    assert!(link.starts_with("https://auth.robokassa.ru/Merchant/Index.aspx?MerchantLogin=shop&OutSum=123.45&"), "{link}");
    for part in [format!("&InvId={id}&"), format!("&SignatureValue={signature}&"), "&Culture=ru&Encoding=utf-8&ExpirationDate=".into()] {
        assert!(link.contains(&part), "{part} in {link}");
    }
    assert!(link.ends_with(&format!("&Shp_user={}", customer.id)) && !link.contains("IsTest"), "{link}");
    assert_eq!(ask("one").await.body, first.body);
    assert_ne!(ask("two").await.expect(201)["id"], id);
}

#[tokio::test]
async fn a_signed_notification_credits_once_by_get_and_by_post() {
    let app = with_shop().await;
    let customer = app.customer(0).await;
    let mut balance = 0;
    for (number, out_sum) in ["70", "70.0", "70.00", "70.000000", "0070.00"].into_iter().enumerate() {
        let id = topup(&app, &customer, 7_000).await;
        let form = told(out_sum, &id.to_string());
        // The gateway writes its signatures in capitals; our own tools need not.
        let upper = form.replace(&md5(&format!("{out_sum}:{id}:live-2")), &md5(&format!("{out_sum}:{id}:live-2")).to_uppercase());
        let by_get = async |form: &str| app.send(&Request::new("GET", &format!("/api/robokassa/result?{form}"))).await;
        match number % 2 {
            0 => assert_heard(&notify(&app, &upper).await, id),
            _ => assert_heard(&by_get(&upper).await, id),
        }
        balance += 7_000;
        assert_eq!(app.balance(&customer, "wallet").await, (balance, 0), "{out_sum}");
        assert_heard(&notify(&app, &form).await, id);
        assert_heard(&by_get(&form).await, id);
        assert_eq!(status(&app, &customer, id).await, "received");
    }
    assert_eq!(app.balance(&customer, "wallet").await, (balance, 0));
    let entry = app.get("/api/accounts/wallet/entries", &customer).await.expect(200)["items"][0].clone();
    assert_eq!((&entry["kind"], &entry["operation_id"]), (&json!("topup"), &json!(format!("topup:{}", entry["topup_id"]))));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_notification_told_fifty_times_at_once_to_two_nodes_is_one_credit() {
    let app = with_shop().await;
    let beside = app.beside().await;
    let customer = app.customer(0).await;
    let mut watcher = beside.watcher(Some(&customer.token)).await;
    for round in 1..=3 {
        let id = topup(&app, &customer, 7_000).await;
        let form = told("70.000000", &id.to_string());
        let answers = futures_util::future::join_all((0..50).map(|number| notify(if number % 2 == 0 { &app } else { &beside }, &form)));
        for answer in answers.await {
            assert_heard(&answer, id);
        }
        assert_eq!(app.balance(&customer, "wallet").await, (round * 7_000, 0));
        watcher
            .until("the balance on the screen", |state| {
                state.balances.values().any(|account| account["account"] == "wallet" && account["available"] == round * 7_000)
            })
            .await;
    }
    assert_eq!(credits(&app).await, 3);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn what_is_not_signed_or_not_what_was_asked_for_changes_nothing() {
    let app = with_shop().await;
    let customer = app.customer(0).await;
    let id = topup(&app, &customer, 7_000).await;
    let inv_id = id.to_string();
    let before = app.fingerprint().await;
    let good = told("70.00", &inv_id);
    let signature = md5(&format!("70.00:{id}:live-2"));

    let unsigned = [
        good.replace(&signature, &md5(&format!("70.00:{id}:live-1"))),
        good.replace(&signature, &md5(&format!("70.00:{id}:test-2"))),
        good.replace(&signature, &md5(&format!("70.00:{id}:"))),
        good.replace(&signature, &signature[..31]),
        good.replace(&signature, "0"),
        good.replace("OutSum=70.00", "OutSum=70.000000"),
        good.replace(&format!("InvId={id}"), "InvId=0"),
        format!("{good}&Shp_user={}", customer.id),
        format!("{good}&shp_x="),
    ];
    for form in unsigned {
        assert_not_believed(&notify(&app, &form).await, 403, "bad sign");
    }
    for sum in [
        "70.01",
        "69.99",
        "7000",
        "0.70",
        "0",
        "70,00",
        "-70.00",
        "+70.00",
        "70.001",
        "7e1",
        "NaN",
        "Infinity",
        "inf",
        " 70.00",
        "70.00 ",
        "٧٠",
        "99999999999999999999999999",
        "92233720368547758.07",
        "184467440737095516.86",
        "70.",
        ".70",
        "0x46",
    ] {
        assert_not_believed(&notify(&app, &told(sum, &inv_id)).await, 422, "wrong sum");
    }
    for unknown in ["0", "999999999", "18446744073709551615", "18446744073709551616", "-1", "1e0", "abc", &format!("+{id}")] {
        let form = told("70.00", unknown).replace("InvId=+", "InvId=%2B");
        assert_not_believed(&notify(&app, &form).await, 404, "unknown InvId");
    }
    for name in ["OutSum", "InvId", "SignatureValue"] {
        assert_not_believed(&notify(&app, &good.replace(name, "x")).await, 400, &format!("bad request: `{name}` is missing"));
        let twice = format!("bad request: `{name}` is there more than once");
        assert_not_believed(&notify(&app, &format!("{good}&{name}=1")).await, 400, &twice);
    }
    assert_not_believed(&notify(&app, "").await, 400, "bad request: `OutSum` is missing");
    assert_not_believed(
        &notify(&app, &format!("{good}{}", "&a=b".repeat(100))).await,
        400,
        "bad request: there are more than 64 parameters",
    );
    // A query beside a form counts for nothing.
    let beside = Request::new("POST", &format!("/api/robokassa/result?{good}")).bytes("application/x-www-form-urlencoded", b"a=b");
    assert_not_believed(&app.send(&beside).await, 400, "bad request: `OutSum` is missing");
    let binary = Request::new("POST", "/api/robokassa/result").bytes("application/octet-stream", &[0xff, 0, b'&', 0xfe]);
    assert_eq!(app.send(&binary).await.status, 400);
    let huge = Request::new("POST", "/api/robokassa/result").bytes("text/plain", &vec![b'a'; 200_000]);
    app.send(&huge).await.refused(413, "invalid");

    assert_eq!(app.fingerprint().await, before);
    let metrics = app.call("GET", "/metrics", None, &Value::Null).await.text();
    for result in ["wrong_sum", "bad_sign", "unknown", "unreadable"] {
        assert!(metrics.contains(&format!("orderboard_payment_notifications_total{{result=\"{result}\"}}")), "{result} is counted");
    }
    assert_heard(&notify(&app, &good).await, id);
    assert_not_believed(&notify(&app, &told("70.01", &inv_id)).await, 422, "wrong sum");
    assert_eq!(app.balance(&customer, "wallet").await, (7_000, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn test_payments_count_only_in_test_mode() {
    let live = with_shop().await;
    let customer = live.customer(0).await;
    let id = topup(&live, &customer, 7_000).await;
    let before = live.fingerprint().await;
    let by_test_password = signed("70.00", &id.to_string(), "test-2");
    let test = "bad sign: test payments are not taken here";
    assert_not_believed(&notify(&live, &by_test_password).await, 403, "bad sign");
    assert_not_believed(&notify(&live, &format!("{by_test_password}&IsTest=1")).await, 403, test);
    assert_not_believed(&notify(&live, &format!("{}&IsTest=1", told("70.00", &id.to_string()))).await, 403, test);
    assert_eq!(live.fingerprint().await, before);
    assert_heard(&notify(&live, &format!("{}&IsTest=0", told("70.00", &id.to_string()))).await, id);

    let testing = TestApp::start_with(|config| config.gateway = Gateway { robokassa_test: true, ..shop() }).await;
    let customer = testing.customer(0).await;
    let asked = testing.post("/api/topups", &customer, &json!({"amount": 7_000})).await.expect(201);
    let id = asked["id"].as_u64().unwrap();
    let link = asked["pay_url"].as_str().unwrap();
    let signature = md5(&format!("shop:70.00:{id}:test-1:Shp_user={}", customer.id));
    assert!(link.contains("&IsTest=1&") && link.contains(&signature), "{link}");
    assert_not_believed(&notify(&testing, &told("70.00", &id.to_string())).await, 403, "bad sign");
    let form = format!("{}&IsTest=1", signed("70.00", &id.to_string(), "test-2"));
    assert_heard(&notify(&testing, &form).await, id);
    assert_eq!(testing.balance(&customer, "wallet").await, (7_000, 0));
    // The real gateway, in development or not, leaves no way round it.
    let path = format!("/api/sandbox/topups/{id}");
    testing.post(&path, &customer, &json!({"result": "paid"})).await.refused(404, "not_found");
    testing.post("/api/sandbox/robokassa/pay", &customer, &json!({"link": ""})).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_shops_own_parameters_come_back_and_are_signed_in_the_order_of_their_names() {
    let app = with_shop().await;
    let customer = app.customer(0).await;
    let id = topup(&app, &customer, 7_000).await;
    let base = format!("70.000000:{id}:live-2:Shp_a=1 & 2:Shp_user={}:shp_z=ё", customer.id);
    let form = format!(
        "shp_z=%D1%91&Shp_user={}&OutSum=70.000000&InvId={id}&SignatureValue={}&Shp_a=1+%26+2",
        customer.id,
        md5(&base).to_uppercase()
    );
    for damaged in [form.replace("Shp_a=1", "Shp_a=2"), form.replace("&Shp_a=1+%26+2", ""), format!("{form}&Shp_b=")] {
        assert_not_believed(&notify(&app, &damaged).await, 403, "bad sign");
    }
    assert_not_believed(&notify(&app, &format!("{form}&Shp_a=1")).await, 400, "bad request: `Shp_` is there more than once");
    assert_heard(&notify(&app, &form).await, id);
    assert_eq!(app.balance(&customer, "wallet").await, (7_000, 0));
}

#[tokio::test]
async fn every_algorithm_of_the_shops_settings_works() {
    for hash in Hash::ALL {
        let app = TestApp::start_with(|config| config.gateway = Gateway { robokassa_hash: hash, ..shop() }).await;
        let customer = app.customer(0).await;
        let id = topup(&app, &customer, 7_000).await;
        let signature = hash.hex(&format!("70.00:{id}:live-2"));
        let form = format!("OutSum=70.00&InvId={id}&SignatureValue={signature}");
        if hash != Hash::Md5 {
            assert_not_believed(&notify(&app, &told("70.00", &id.to_string())).await, 403, "bad sign");
        }
        assert_heard(&notify(&app, &form).await, id);
        assert_eq!(app.balance(&customer, "wallet").await, (7_000, 0), "{hash:?}");
    }
}

#[tokio::test]
async fn money_that_comes_late_or_after_a_refusal_is_the_payers() {
    let app = with_shop().await;
    let beside = app.beside().await;
    let customer = app.customer(0).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(topup(&app, &customer, 100).await);
    }
    let age = |minutes: i64, below: u64| {
        sqlx::query("update topups set created_at = created_at - interval ? minute where id < ?")
            .bind(minutes)
            .bind(below)
            .execute(&app.sql)
    };
    age(479, ids[25]).await.unwrap();
    let outdate = async |node: &TestApp| {
        let flow = node.app().flow.clone();
        node.run(async move { flow.outdate_topups(7).await.unwrap() }).await
    };
    assert_eq!(outdate(&app).await, 0, "eight hours are not over");
    age(2, ids[25]).await.unwrap();
    // Both nodes at once, in small batches, with their own jobs at it, too.
    for _ in 0..4 {
        tokio::join!(outdate(&app), outdate(&beside));
    }
    let told_by = async |status: &str| -> i64 {
        sqlx::query_scalar("select count(*) from topups where status = ?").bind(status).fetch_one(&app.sql).await.unwrap()
    };
    assert_eq!((told_by("outdated").await, told_by("created").await), (25, 5));
    assert_eq!(status(&app, &customer, ids[0]).await, "outdated");

    for _ in 0..2 {
        assert_heard(&notify(&app, &told("1.00", &ids[0].to_string())).await, ids[0]);
    }
    assert_eq!(status(&app, &customer, ids[0]).await, "received");
    sqlx::query("update topups set status = 'rejected' where id = ?").bind(ids[1]).execute(&app.sql).await.unwrap();
    assert_heard(&notify(&beside, &told("1.00", &ids[1].to_string())).await, ids[1]);
    assert_eq!(app.balance(&customer, "wallet").await, (200, 0));

    // Payments that arrive in the moment in which they are outdated.
    age(600, u64::MAX).await.unwrap();
    let late = ids[25..].iter().map(|id| {
        let form = told("1.00", &id.to_string());
        let app = &app;
        async move { notify(app, &form).await }
    });
    let (answers, ..) = tokio::join!(futures_util::future::join_all(late), outdate(&app), outdate(&beside));
    for (answer, id) in answers.iter().zip(&ids[25..]) {
        assert_heard(answer, *id);
        assert_eq!(status(&app, &customer, *id).await, "received");
    }
    assert_eq!(app.balance(&customer, "wallet").await, (700, 0));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_payment_that_nobody_makes_is_outdated_by_itself() {
    let app = TestApp::start_with(|config| config.gateway.topup_outdated_s = 1).await;
    let customer = app.customer(0).await;
    let asked = app.post("/api/topups", &customer, &json!({"amount": 7_000})).await.expect(201);
    let id = asked["id"].as_u64().unwrap();
    until("it is outdated", async || status(&app, &customer, id).await == "outdated").await;
    // The gateway takes no money for it any more, and the sandbox does as the gateway does.
    let link = asked["pay_url"].as_str().unwrap().split_once('?').unwrap().1;
    let shown = app.call("GET", &format!("/api/sandbox/robokassa?{link}"), None, &Value::Null).await.expect(200);
    assert_eq!(shown["expired"], true);
    app.call("POST", "/api/sandbox/robokassa/pay", None, &json!({"link": link})).await.refused(422, "invalid");
    assert_eq!(app.balance(&customer, "wallet").await, (0, 0));
}

#[tokio::test]
async fn a_browser_that_comes_back_moves_no_money() {
    let app = with_shop().await;
    let customer = app.customer(0).await;
    let id = topup(&app, &customer, 7_000).await;
    let before = app.fingerprint().await;
    let returned = format!("{}&Culture=ru", signed("70.00", &id.to_string(), "live-1"));
    let success = format!("/balance?account=wallet&topup={id}&payment=success");
    let fail = format!("/balance?account=wallet&topup={id}&payment=fail");
    let unknown = "/balance?account=wallet&payment=unknown".to_owned();
    let forged = returned.replace("SignatureValue=", "SignatureValue=0");
    let by_notifications_password = told("70.00", &id.to_string());
    for (way, query, place) in [
        ("success", &returned, &success),
        ("success", &forged, &unknown),
        ("success", &by_notifications_password, &unknown),
        ("success", &String::new(), &unknown),
        ("fail", &format!("OutSum=70.00&InvId={id}&Culture=ru"), &fail),
        ("fail", &"InvId=%2F%2Fevil.example".to_owned(), &"/balance?account=wallet&payment=fail".to_owned()),
    ] {
        let path = format!("/api/robokassa/{way}");
        let by_get = app.send(&Request::new("GET", &format!("{path}?{query}"))).await;
        // A form on the gateway's page brings the browser back with that page's origin, and ours sees no proof of our own.
        let by_post = Request::new("POST", &path)
            .header("origin", "https://auth.robokassa.ru")
            .header("sec-fetch-site", "cross-site")
            .header("cookie", &format!("__Host-sid={}", customer.token))
            .bytes("application/x-www-form-urlencoded", query.as_bytes());
        for answer in [by_get, app.send(&by_post).await] {
            assert_eq!((answer.status, answer.header("location")), (303, Some(place.as_str())), "{way} {query}");
        }
    }
    // The signature that a browser gets to see is worth nothing as a notification.
    assert_not_believed(&notify(&app, &returned).await, 403, "bad sign");
    assert_eq!(app.fingerprint().await, before);
    assert_eq!(status(&app, &customer, id).await, "created", "it may still be paid");
}

/// The link's query, and where it leads after `pay` or `decline`.
async fn follow(app: &TestApp, link: &str, act: &str) -> Answer {
    let to = app.call("POST", &format!("/api/sandbox/robokassa/{act}"), None, &json!({"link": link})).await.expect(200);
    app.send(&Request::new("GET", to["url"].as_str().unwrap())).await
}

#[tokio::test]
async fn the_sandbox_goes_the_whole_way_of_the_real_gateway() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let mut watcher = app.watcher(Some(&customer.token)).await;
    let asked = app.post("/api/topups", &customer, &json!({"amount": 123_450})).await.expect(201);
    let id = asked["id"].as_u64().unwrap();
    let (page, link) = asked["pay_url"].as_str().unwrap().split_once('?').unwrap();
    assert_eq!(page, "/sandbox/robokassa");
    let shown = app.call("GET", &format!("/api/sandbox/robokassa?{link}"), None, &Value::Null).await.expect(200);
    assert_eq!(
        shown,
        json!({"merchant": "orderboard-sandbox", "inv_id": id.to_string(), "amount": 123_450, "currency": "RUB",
            "description": format!("Wallet top-up, invoice {id}"), "expired": false})
    );

    let declined = follow(&app, link, "decline").await;
    let place = |state: &str| format!("/balance?account=wallet&topup={id}&payment={state}");
    assert_eq!((declined.status, declined.header("location")), (303, Some(place("fail").as_str())));
    assert_eq!(status(&app, &customer, id).await, "created");

    for _ in 0..2 {
        let paid = follow(&app, link, "pay").await;
        assert_eq!((paid.status, paid.header("location")), (303, Some(place("success").as_str())));
        until("the notification has come", async || status(&app, &customer, id).await == "received").await;
    }
    watcher
        .until("the balance on the screen", |state| {
            state.balances.values().any(|account| account["account"] == "wallet" && account["available"] == 123_450)
        })
        .await;
    assert_eq!(app.balance(&customer, "wallet").await, (123_450, 0));
    assert_eq!(credits(&app).await, 1);

    // A link that somebody has touched is not the shop's.
    let before = app.fingerprint().await;
    for damaged in [
        link.replace("1234.50", "1.00"),
        link.replace(&format!("InvId={id}"), "InvId=7"),
        link.replace("MerchantLogin=orderboard-sandbox", "MerchantLogin=other"),
        format!("{link}&OutSumCurrency=KZT"),
        link.replace("OutSum=", "x="),
        format!("{link}&OutSum=1.00"),
        String::new(),
        "%ff=%fe".to_owned(),
    ] {
        assert_ne!(damaged, link);
        app.call("GET", &format!("/api/sandbox/robokassa?{damaged}"), None, &Value::Null).await.refused(422, "invalid");
        for act in ["pay", "decline"] {
            app.call("POST", &format!("/api/sandbox/robokassa/{act}"), None, &json!({"link": damaged})).await.refused(422, "invalid");
        }
    }
    assert_eq!(app.fingerprint().await, before);
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_gateway_is_asked_only_for_what_it_takes() {
    let live = with_shop().await;
    let customer = live.customer(0).await;
    for currency in ["USD", "EUR", "KZT", "JPY"] {
        let refused = live.post("/api/topups", &customer, &json!({"amount": 100, "currency": currency})).await.refused(422, "invalid");
        assert_eq!((&refused["field"], &refused["reason"]), (&json!("currency"), &json!("currency")));
    }
    let sandbox = TestApp::start().await;
    let customer = sandbox.customer(0).await;
    sandbox.post("/api/topups", &customer, &json!({"amount": 100, "currency": "JPY"})).await.refused(422, "invalid");
    let dollars = sandbox.post("/api/topups", &customer, &json!({"amount": 100, "currency": "USD"})).await.expect(201);
    let link = dollars["pay_url"].as_str().unwrap().split_once('?').unwrap().1;
    assert!(link.contains("OutSum=1.00&OutSumCurrency=USD&"), "{link}");
    assert_eq!(follow(&sandbox, link, "pay").await.status, 303);
    until("the dollars are there", async || status(&sandbox, &customer, dollars["id"].as_u64().unwrap()).await == "received").await;
    assert_eq!(sandbox.balance(&customer, "wallet").await, (0, 0), "no rouble among them");
    sandbox.assert_books_balance().await;
}

#[tokio::test]
async fn production_has_no_sandbox() {
    let app = TestApp::start_with(|config| config.mode = Mode::Production).await;
    let customer = app.customer(0).await;
    let refused = app.post("/api/topups", &customer, &json!({"amount": 100})).await.refused(403, "forbidden");
    assert!(refused["detail"].as_str().unwrap().contains("no payment gateway"));
    for path in ["/api/sandbox/topups/1", "/api/sandbox/robokassa/pay", "/api/sandbox/robokassa/decline"] {
        app.post(path, &customer, &json!({"result": "paid"})).await.refused(404, "not_found");
    }
    app.get("/api/sandbox/robokassa", &customer).await.refused(404, "not_found");
    let sandbox = signed("1.00", "1", "sandbox-password-2");
    assert_not_believed(&notify(&app, &sandbox).await, 404, "no gateway is set up here");
}

#[tokio::test]
async fn a_gateway_that_cannot_be_meant_is_refused_at_the_start_in_one_line() {
    let data = OwnDirectory::new("gateway");
    let login = ("ORDERBOARD_ROBOKASSA_LOGIN", "shop");
    let passwords = [("ORDERBOARD_ROBOKASSA_PASSWORD1", "geheim-1"), ("ORDERBOARD_ROBOKASSA_PASSWORD2", "geheim-2")];
    let place = [("ORDERBOARD_DATA", data.path()), ("ORDERBOARD_LISTEN", "127.0.0.1:0"), ("ORDERBOARD_MODE", "production")];
    for (settings, why) in [
        (vec![("ORDERBOARD_ROBOKASSA_SANDBOX", "true")], "production refuses it"),
        (vec![login], "are both needed"),
        (passwords.to_vec(), "ORDERBOARD_ROBOKASSA_LOGIN is missing"),
        (vec![login, passwords[0], ("ORDERBOARD_ROBOKASSA_PASSWORD2", "geheim-1")], "must all differ"),
        (vec![login, passwords[0], passwords[1], ("ORDERBOARD_ROBOKASSA_HASH", "crc32")], "must be one of md5, ripemd160"),
    ] {
        let settings = [&place[..], &settings[..]].concat();
        let ended = run(&["serve"], &settings).await;
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && told.contains(why) && !told.contains("geheim"), "{told}");
    }
    let settings = [&place[..], &[login], &passwords[..]].concat();
    let config = run(&["config"], &settings).await;
    let printed = String::from_utf8(config.stdout).unwrap();
    assert!(!printed.contains("geheim"), "{printed}");
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&printed["robokassa"], &printed["robokassa_login"]), (&json!("live"), &json!("shop")));
    assert_eq!((&printed["robokassa_hash"], &printed["topup_outdated_s"]), (&json!("md5"), &json!(28_800)));
}
