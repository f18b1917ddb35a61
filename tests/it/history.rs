//! The history of an account: every line of it, whatever is filtered and however it is paged; what was there at any
//! moment; and the whole of it as a file.

use std::time::Duration;

use futures_util::future::join_all;
use orderboard::flow::Scope;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{DEADLINE, OwnMariaDb, TestApp, User, until_within};

const WALLET: &str = "/api/accounts/wallet";

/// All pages of a list.
async fn pages(app: &TestApp, user: &User, path: &str, limit: usize) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = app.get(&format!("{path}{sign}limit={limit}{cursor}"), user).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        found.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn seqs(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

fn of_kind<'a>(entries: &'a [Value], kinds: &[&str]) -> Vec<&'a Value> {
    entries.iter().filter(|entry| kinds.contains(&entry["kind"].as_str().unwrap())).collect()
}

fn at(entry: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(entry["created_at"].as_str().unwrap(), &Rfc3339).unwrap()
}

fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

fn records(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// So many credits of one kopeck onto a fresh wallet, one a second from 2024 on, as the books would have them.
async fn many(app: &TestApp, user: &User, count: u32) {
    let account: u64 = sqlx::query_scalar("select id from accounts where user_id = ? and kind = 'wallet' and currency = 'RUB'")
        .bind(user.id)
        .fetch_one(&app.sql)
        .await
        .unwrap();
    let mut connection = app.sql.acquire().await.unwrap();
    let numbers = "(with recursive n as (select 1 n union all select n + 1 from n where n < 1000) \
         select (a.n - 1) * 1000 + b.n n from n a join n b) as numbers";
    for statement in [
        "insert into operations (id, kind, body_hash, outcome, result, created_at) \
         select concat('many:', ?, ':', n), 'credit', repeat('0', 32), 'done', '{}', '2024-01-01' + interval n second from NUMBERS where n <= ?",
        "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, created_at) \
         select ?, n, concat('many:', ACCOUNT, ':', n), 'credit', 1, 0, n, 0, '2024-01-01' + interval n second from NUMBERS where n <= ?",
        "insert into system_entries (operation_id, line, account, currency, amount, created_at) \
         select concat('many:', ?, ':', n), 0, 'gateway', 'RUB', -1, '2024-01-01' + interval n second from NUMBERS where n <= ?",
    ] {
        let statement = statement.replace("NUMBERS", numbers).replace("ACCOUNT", &account.to_string());
        sqlx::query(sqlx::AssertSqlSafe(statement)).bind(account).bind(count).execute(&mut *connection).await.unwrap();
    }
    sqlx::query("update accounts set available = ?, version = ? where id = ?")
        .bind(count)
        .bind(count)
        .bind(account)
        .execute(&mut *connection)
        .await
        .unwrap();
}

/// A customer whose wallet has seen everything: 3 top-ups, 3 orders held, one of them cancelled and one paid, a payout asked
/// for and cancelled, another approved.
async fn eventful(app: &TestApp) -> User {
    let (customer, executor, admin) = (app.customer(50_000).await, app.executor().await, app.admin().await);
    for amount in [1_000, 2_000, 3_000] {
        let topup = app.post("/api/topups", &customer, &json!({"amount": amount})).await.expect(201);
        app.post(&format!("/api/sandbox/topups/{}", topup["id"]), &customer, &json!({"result": "paid"})).await.expect(200);
    }
    let paid = app.create_order(&customer, 5_000, &json!({"title": "=Paint; \"fence\"", "acceptance": "auto"})).await;
    let cancelled = app.order(&customer, 6_000).await;
    app.order(&customer, 7_000).await;
    app.accept(&executor, paid["id"].as_u64().unwrap()).await.expect(200);
    app.act(&executor, paid["id"].as_u64().unwrap(), "submit").await.expect(200);
    app.act(&customer, cancelled, "cancel").await.expect(200);
    let wish = json!({"amount": 500, "account": "wallet", "method": "card", "destination": "2200 1234"});
    for act in ["cancel", "approve"] {
        let id = app.post("/api/payouts", &customer, &wish).await.expect(201)["id"].clone();
        match act {
            "cancel" => app.post(&format!("/api/payouts/{id}/cancel"), &customer, &Value::Null).await.expect(200),
            _ => app.post(&format!("/api/admin/payouts/{id}/approve"), &admin, &Value::Null).await.expect(200),
        };
    }
    customer
}

#[tokio::test]
async fn each_line_says_what_it_was_for_and_what_was_there_afterwards() {
    let app = TestApp::start().await;
    let customer = eventful(&app).await;
    let lines = pages(&app, &customer, &format!("{WALLET}/entries"), 100).await;
    let kinds: Vec<&str> = lines.iter().rev().map(|line| line["kind"].as_str().unwrap()).collect();
    let happened =
        ["credit", "topup", "topup", "topup", "hold", "hold", "hold", "capture", "release", "hold", "release", "hold", "withdrawal"];
    assert_eq!(kinds, happened);
    assert_eq!(seqs(&lines), (1..=happened.len() as u64).rev().collect::<Vec<_>>());
    let (mut available, mut held) = (0, 0);
    for line in lines.iter().rev() {
        available += line["available_delta"].as_i64().unwrap();
        held += line["held_delta"].as_i64().unwrap();
        assert_eq!((&line["available_after"], &line["held_after"]), (&json!(available), &json!(held)), "{line}");
        let for_order = !line["order_id"].is_null();
        assert_eq!(for_order, line["order_title"].is_string(), "{line}");
        let causes = [for_order, !line["topup_id"].is_null(), !line["payout_id"].is_null()];
        let wanted = if line["kind"] == "credit" { 0 } else { 1 };
        assert_eq!(causes.iter().filter(|cause| **cause).count(), wanted, "{line}");
        assert!(line["operation_id"].is_string() && line["peer"].is_null());
    }
    let capture = of_kind(&lines, &["capture"])[0];
    assert_eq!(capture["order_title"], "=Paint; \"fence\"");
    assert_eq!(app.balance(&customer, "wallet").await, (available, held));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_transfer_names_the_other_side() {
    let app = TestApp::start().await;
    let (from, to) = (app.customer(1_000).await, app.customer(0).await);
    let order = json!({"operation_id": "gift", "type": "transfer", "user_id": from.id, "account": "wallet", "currency": "RUB",
        "amount": 300, "to_user_id": to.id});
    let request = orderboard::domain::billing::read(&order.to_string()).unwrap();
    let flow = app.app().flow.clone();
    let answers = app.run(async move { flow.carry_out(Scope::Services, &[request], false).await }).await.unwrap();
    assert!(answers[0].text.contains("\"status\":\"done\""), "{}", answers[0].text);
    for (user, other, delta) in [(&from, &to, -300), (&to, &from, 300)] {
        let line = app.get(&format!("{WALLET}/entries?kind=transfer"), user).await.expect(200)["items"][0].clone();
        assert_eq!((&line["peer"]["id"], &line["available_delta"]), (&json!(other.id), &json!(delta)));
        assert!(line["peer"]["name"].as_str().unwrap().starts_with("customer "));
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn filters_by_kind_and_date_find_exactly_what_they_name() {
    let app = TestApp::start().await;
    let customer = eventful(&app).await;
    let all = pages(&app, &customer, &format!("{WALLET}/entries"), 100).await;
    for kinds in [&["hold"][..], &["release", "topup"], &["withdrawal", "credit", "capture", "hold"], &["transfer"], &["nonesuch", "hold"]]
    {
        let wanted: Vec<u64> = of_kind(&all, kinds).iter().map(|line| line["seq"].as_u64().unwrap()).collect();
        for limit in [1, 2, 3, 100] {
            let found = pages(&app, &customer, &format!("{WALLET}/entries?kind={}", kinds.join(",")), limit).await;
            assert_eq!(seqs(&found), wanted, "{kinds:?} by {limit}");
        }
    }
    // From an entry's very time on, and before it.
    for line in &all {
        let moment = at(line);
        let (since, before): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|other| at(other) >= moment);
        for (name, wanted) in [("from", &since), ("to", &before)] {
            let found = pages(&app, &customer, &format!("{WALLET}/entries?{name}={}", text(moment)), 4).await;
            assert_eq!(seqs(&found), wanted.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), "{name} {moment}");
        }
        let holds = pages(&app, &customer, &format!("{WALLET}/entries?kind=hold&from={}", text(moment)), 2).await;
        assert_eq!(holds.len(), since.iter().filter(|line| line["kind"] == "hold").count());
    }
    let (first, last) = (at(all.last().unwrap()), at(&all[0]));
    let (day, next_day) = (first.date(), last.date());
    let whole = pages(&app, &customer, &format!("{WALLET}/entries?from={day}&to={next_day}"), 100).await;
    assert_eq!(whole.len(), all.len(), "a day is meant to its end");
    for nothing in ["from=2100-01-01".to_owned(), "to=2020-12-31".to_owned(), format!("from={}&to={}", text(first), text(first))] {
        assert!(pages(&app, &customer, &format!("{WALLET}/entries?{nothing}"), 100).await.is_empty(), "{nothing}");
    }
    for (wrong, field) in [
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-02-02&to=2026-01-31", "to"),
        ("to=9999-12-31T23:59:59-23:00", "to"),
        ("kind=hold'", "kind"),
        ("kind=a,b,c,d,e,f,g,h,i,j,k,l,m", "kind"),
        ("cursor=-1", "cursor"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
    ] {
        assert_eq!(app.get(&format!("{WALLET}/entries?{wrong}"), &customer).await.refused(422, "invalid")["field"], field, "{wrong}");
    }
    app.get("/api/accounts/pocket/entries", &customer).await.refused(404, "not_found");
    app.get(&format!("{WALLET}/entries?currency=RUR"), &customer).await.refused(422, "invalid");
    assert!(pages(&app, &customer, &format!("{WALLET}/entries?currency=USD"), 10).await.is_empty());
    app.call("GET", &format!("{WALLET}/entries"), None, &Value::Null).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing_while_entries_arrive() {
    let app = TestApp::start().await;
    let customer = app.customer(1_000_000).await;
    for _ in 0..30 {
        app.order(&customer, 100).await;
    }
    let before = seqs(&pages(&app, &customer, &format!("{WALLET}/entries"), 100).await);
    for filter in ["?", "?kind=hold,credit"] {
        let walk = async {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = app.get(&format!("{WALLET}/entries{filter}&limit=3{cursor}"), &customer).await.expect(200);
                found.extend(seqs(page["items"].as_array().unwrap()));
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return found,
                }
            }
        };
        let arrive = join_all((0..20).map(|_| app.order(&customer, 100)));
        let (found, _) = tokio::join!(walk, arrive);
        assert!(found.is_sorted_by(|newer, older| *newer == older + 1), "{found:?}");
        assert!(found.ends_with(&before), "{found:?}");
    }
    app.assert_books_balance().await;
}

#[tokio::test]
async fn the_balance_at_a_moment_is_what_its_last_entry_left() {
    let app = TestApp::start().await;
    let customer = eventful(&app).await;
    let all = pages(&app, &customer, &format!("{WALLET}/entries"), 100).await;
    let balance = async |moment: &str| app.get(&format!("{WALLET}/balance?at={moment}"), &customer).await.expect(200);
    let is = |told: &Value, line: Option<&Value>| {
        let wanted = line.map_or((json!(0), json!(0), json!(0)), |line| {
            (line["seq"].clone(), line["available_after"].clone(), line["held_after"].clone())
        });
        assert_eq!((told["seq"].clone(), told["available"].clone(), told["held"].clone()), wanted, "{told}");
    };
    let microsecond = time::Duration::microseconds(1);
    for line in &all {
        let moment = at(line);
        for asked in [moment - microsecond, moment, moment + microsecond, moment + time::Duration::nanoseconds(999)] {
            let last = all.iter().find(|other| at(other) <= asked);
            is(&balance(&text(asked)).await, last);
        }
    }
    is(&balance("1970-01-01T00:00:00Z").await, None);
    is(&balance("9998-01-01T00:00:00Z").await, Some(&all[0]));
    let now = app.get(&format!("{WALLET}/balance"), &customer).await.expect(200);
    is(&now, Some(&all[0]));
    assert_eq!((&now["account"], &now["currency"]), (&json!("wallet"), &json!("RUB")));
    is(&app.get(&format!("{WALLET}/balance?currency=USD"), &customer).await.expect(200), None);
    is(&app.get("/api/accounts/earnings/balance", &customer).await.expect(200), None);
    let before = app.fingerprint().await;
    for wrong in ["yesterday", "2026-01-01", "", "1969-12-31T00:00:00Z"] {
        assert_eq!(app.get(&format!("{WALLET}/balance?at={wrong}"), &customer).await.refused(422, "invalid")["field"], "at");
    }
    app.get("/api/accounts/pocket/balance", &customer).await.refused(404, "not_found");
    app.call("GET", &format!("{WALLET}/balance"), None, &Value::Null).await.refused(401, "unauthenticated");
    assert_eq!(app.fingerprint().await, before);
}

#[tokio::test]
async fn the_file_has_every_entry_of_the_list() {
    let app = TestApp::start().await;
    let customer = eventful(&app).await;
    let all = pages(&app, &customer, &format!("{WALLET}/entries"), 100).await;
    let file = app.get(&format!("{WALLET}/entries.csv"), &customer).await;
    assert!(file.header("content-type").unwrap().starts_with("text/csv; charset=utf-8"), "{}", file.text());
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"orderboard-wallet-RUB.csv\""));
    assert!(file.text().starts_with("\u{FEFF}Number,"), "without its mark Excel reads UTF-8 as something else");
    let rows = records(&file.text(), b',');
    assert_eq!(rows.len(), 1 + all.len());
    let decimal = |minor: &Value| {
        let minor = minor.as_i64().unwrap();
        format!("{}{}.{:02}", if minor < 0 { "-" } else { "" }, minor.abs() / 100, minor.abs() % 100)
    };
    for (row, line) in rows[1..].iter().zip(&all) {
        assert_eq!(row[0], line["seq"].to_string());
        assert_eq!(row[2], line["kind"].as_str().unwrap());
        for (cell, name) in [(3, "available_delta"), (4, "held_delta"), (5, "available_after"), (6, "held_after")] {
            assert_eq!(row[cell], decimal(&line[name]));
        }
        assert_eq!(row[7], "RUB");
        for (cell, name) in [(8, "order_id"), (10, "topup_id"), (11, "payout_id"), (13, "hold_id")] {
            assert_eq!(row[cell], line[name].as_u64().map_or(String::new(), |id| id.to_string()));
        }
        assert_eq!(row[14], line["operation_id"].as_str().unwrap());
    }
    assert!(rows.iter().any(|row| row[9] == "'=Paint; \"fence\""), "no title is a formula");
    let russian = records(&app.get(&format!("{WALLET}/entries.csv?lang=ru&kind=topup"), &customer).await.text(), b';');
    assert_eq!((russian.len(), russian[0][0].as_str(), russian[3][3].as_str()), (4, "Номер", "10,00"));
    let empty = app.get("/api/accounts/earnings/entries.csv?currency=USD", &customer).await;
    assert_eq!(records(&empty.text(), b',').len(), 1, "a heading");
    app.get(&format!("{WALLET}/entries.csv?kind=!"), &customer).await.refused(422, "invalid");
    app.get(&format!("{WALLET}/entries.csv?lang=de"), &customer).await.refused(422, "invalid");
    app.call("GET", &format!("{WALLET}/entries.csv"), None, &Value::Null).await.refused(401, "unauthenticated");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_long_file_is_whole_and_its_dates_are_places_in_it() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    let count = 4_321;
    many(&app, &customer, count).await;
    let numbers = |text: &str| records(text, b',')[1..].iter().map(|row| row[0].parse().unwrap()).collect::<Vec<u32>>();
    // What arrives meanwhile may be in it or not; what was there is.
    let path = format!("{WALLET}/entries.csv");
    let (file, _) = tokio::join!(app.get(&path, &customer), app.order(&customer, 100));
    let told = numbers(&file.text());
    assert!(told.ends_with(&(1..=count).rev().collect::<Vec<_>>()) && told.len() <= count as usize + 1, "{} lines", told.len());
    // One a second from 2024 on.
    let file = app.get(&format!("{WALLET}/entries.csv?kind=credit&from=2024-01-01T00:16:40Z&to=2024-01-01T00:50:00Z"), &customer).await;
    assert_eq!(numbers(&file.text()), (1_000..3_000).rev().collect::<Vec<_>>());
    let deep = app.get(&format!("{WALLET}/entries?limit=100&cursor=101"), &customer).await.expect(200);
    assert_eq!(seqs(deep["items"].as_array().unwrap()), (1..=100).rev().collect::<Vec<_>>());
    let then = app.get(&format!("{WALLET}/balance?at=2024-01-01T00:33:20.5Z"), &customer).await.expect(200);
    assert_eq!((&then["seq"], &then["available"]), (&json!(2_000), &json!(2_000)));
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_file_that_nobody_reads_holds_nobody_up() {
    let app = TestApp::start().await;
    let customer = app.customer(0).await;
    many(&app, &customer, 60_000).await;
    let path = format!("{WALLET}/entries.csv");
    let stuck = begin(&app, &customer, &path).await;
    let limit = app.get(&path, &customer).await.refused(429, "limit");
    assert!(limit["detail"].as_str().unwrap().contains("files"), "one at a time for each");
    assert_eq!(app.get(&path, &app.customer(0).await).await.status, 200, "others have their turns");
    // The pool of 8 is free for everybody else.
    let balance = format!("{WALLET}/balance");
    let others = join_all((0..50).map(|_| app.get(&balance, &customer)));
    for answer in tokio::time::timeout(Duration::from_secs(5), others).await.expect("nobody waits for them") {
        answer.expect(200);
    }
    drop(stuck);
    until_within("the turn is free again", DEADLINE, async || app.get(&path, &customer).await.status == 200).await;
    app.assert_books_balance().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_end_breaks_off_and_is_not_taken_for_whole() {
    let mut mariadb = OwnMariaDb::start().await;
    let app = TestApp::start_with(|config| config.database_url = mariadb.url().to_owned()).await;
    let customer = app.customer(0).await;
    let count = 60_000;
    many(&app, &customer, count).await;
    let mut reader = begin(&app, &customer, &format!("{WALLET}/entries.csv")).await;
    mariadb.kill().await;
    let mut rest = Vec::new();
    // How it breaks is the system's affair: what counts is that the last chunk, an empty one, never comes.
    let _ = tokio::time::timeout(DEADLINE, reader.read_to_end(&mut rest)).await.expect("an end");
    let lines = rest.split(|byte| *byte == b'\n').count();
    assert!(lines > 1 && lines < count as usize, "{lines} lines");
    assert!(!rest.ends_with(b"\r\n0\r\n\r\n"), "half a file ended as if it were whole");
}

/// Asks for a file and reads no more than how its answer begins.
async fn begin(app: &TestApp, user: &User, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(app.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n", app.address, user.token);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut head)).await.expect("a beginning").unwrap();
    assert_eq!(head, *b"HTTP/1.1 200");
    stream
}
