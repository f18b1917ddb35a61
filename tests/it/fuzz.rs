//! Chance as a tester: requests that are half right. A failing one is repeated by its seed.

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

use crate::bad_input::{Targets, assert_refused};
use crate::support::{Connection, DEADLINE, Dice, Request, TestApp};

const IDS: [&str; 5] = ["0", "7", "99", "x", "%00"];
const TYPES: [&str; 4] = ["application/json", "application/json", "application/json", "text/plain"];

#[tokio::test]
async fn two_thousand_random_requests_break_nothing() {
    let app = TestApp::start().await;
    let targets = Targets::set(&app).await;
    let routes = targets.with_body();
    let acts = targets.with_optional_body();
    let request = |seed: u64| {
        let mut dice = Dice::new(seed);
        let (mut method, mut path, user, body) = if dice.below(3) > 0 {
            let (method, path, user, body) = dice.pick(&routes);
            (*method, path.clone(), *user, body.clone())
        } else {
            let (path, user) = dice.pick(&acts);
            ("POST", path.clone(), *user, json!({"report": "x"}))
        };
        if dice.below(8) == 0 {
            method = *dice.pick(&["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]);
        }
        match dice.below(8) {
            0 => {
                path = dice
                    .pick(&["/api/orders", "/api/board", "/api/quote", "/api/topups", "/api/accounts/wallet/entries", "/ws", "/"])
                    .to_string()
            }
            1 => path.push_str(&garbage_query(&mut dice)),
            2 => {
                let id = dice.pick(&IDS);
                path = path.replace(|c: char| c.is_ascii_digit(), id);
            }
            _ => {}
        }
        let bytes = mutated(&mut dice, body.to_string().into_bytes());
        let content_type = dice.pick(&TYPES);
        let mut request = Request::new(method, &path).bytes(content_type, &bytes);
        if dice.below(5) > 0 {
            request = request.bearer(Some(&user.token));
        }
        if dice.below(3) == 0 {
            request = request.header("idempotency-key", &format!("k{}", dice.below(20)));
        }
        (path, request)
    };
    let calls = stream::iter(0..2_000).map(|seed| {
        let ((path, request), address) = (request(seed), app.address);
        async move {
            let mut connection = Connection::open(address).await.unwrap();
            let answer = tokio::time::timeout(DEADLINE, connection.call(&request)).await;
            let answer = answer.unwrap_or_else(|_| panic!("seed {seed}: no answer")).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            if answer.status >= 400 {
                assert_refused(&answer, &format!("seed {seed}, {path}"));
            }
            answer.status
        }
    });
    let statuses: Vec<u16> = calls.buffer_unordered(16).collect().await;
    let good = statuses.iter().filter(|status| **status < 300).count();
    println!("{good} of {} were good requests", statuses.len());
    assert!(good > 50, "the fuzz must also reach what is behind the door");
    app.call("GET", "/healthz", None, &Value::Null).await.expect(200);
    app.call("GET", "/readyz", None, &Value::Null).await.expect(200);
    app.assert_books_balance().await;
}

/// A body as it is, or with some bytes of it changed, cut off, doubled, or all of it made up.
fn mutated(dice: &mut Dice, mut bytes: Vec<u8>) -> Vec<u8> {
    const NASTY: [&str; 12] = ["null", "-1", "1e999", "\"\\ud800\"", "{}", "[]", "\u{0}", "9223372036854775807", "\"\"", "true", "\\", ","];
    match dice.below(6) {
        0 => {}
        1 => (0..dice.below(64)).for_each(|_| bytes.push(dice.next() as u8)),
        2 => {
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len());
                bytes[at] = dice.next() as u8;
            }
        }
        3 => bytes.truncate(dice.below(bytes.len())),
        4 => {
            let (from, to) = (dice.below(bytes.len()), dice.below(bytes.len()));
            let nasty = dice.pick(&NASTY).bytes();
            bytes.splice(from.min(to)..from.max(to), nasty);
        }
        _ => bytes = (0..dice.below(200)).map(|_| dice.next() as u8).collect(),
    }
    bytes
}

fn garbage_query(dice: &mut Dice) -> String {
    const ALPHABET: &[u8] = b"abcdefgh0123456789=&%.-_~?/:+limitcursor";
    let text: String = (0..dice.below(40)).map(|_| char::from(*dice.pick(ALPHABET))).collect();
    format!("?{text}")
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_own_connection_only() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let app = TestApp::start().await;
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let bytes: Vec<u8> = match dice.below(3) {
            0 => (0..200).map(|_| dice.next() as u8).collect(),
            1 => b"GET / HTTP/9.9\r\n\r\n".to_vec(),
            _ => format!(
                "POST /api/orders HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
                dice.pick(&["-1", "x", "99999999999999999999"])
            )
            .into_bytes(),
        };
        let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A reset is an answer, too.
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4") || answer.starts_with(b"HTTP/1.0 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    app.call("GET", "/healthz", None, &Value::Null).await.expect(200);
}
