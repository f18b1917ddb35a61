//! Sockets and their clients: signing in on a living one, and clear words or close codes for clients that misbehave.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::raw::RawSocket;
use crate::support::{TestApp, until};

#[tokio::test]
async fn a_guest_signs_in_on_the_living_socket() {
    let app = TestApp::start().await;
    let customer = app.customer(5_000).await;
    let mut socket = app.watcher(None).await;
    socket.watch("all").await;
    socket.send(&json!({"type": "auth", "token": "nobody's"})).await;
    socket.until("the refusal", |state| state.errors.len() == 1).await;
    assert_eq!(socket.state.errors[0]["code"], "unauthenticated");
    socket.send(&json!({"type": "auth", "token": customer.token})).await;
    socket.until("the balances", |state| state.balances.len() == 2).await;
    assert_eq!(socket.state.hello["user"]["id"], customer.id);
    let order = app.order(&customer, 1_000).await;
    let both = "board and private news on one socket";
    socket
        .until(both, |state| {
            state.board("all").has(order) && state.status(order) == Some("open") && state.balance("wallet") == Some((4_000, 1_000))
        })
        .await;

    // Another person on the same socket: the first one's news ends.
    let other = app.customer(7_000).await;
    socket.send(&json!({"type": "auth", "token": other.token})).await;
    socket.until("the other's hello", |state| state.hello["user"]["id"] == other.id).await;
    app.act(&customer, order, "cancel").await.expect(200);
    socket.until("the board", |state| !state.board("all").has(order)).await;
    socket.until_proven("all").await;
    assert_eq!(socket.state.status(order), Some("open"), "what happens to the first one's order is not told any more");
}

#[tokio::test]
async fn what_a_client_should_not_send_is_refused_in_words_and_the_socket_lives_on() {
    let app = TestApp::start().await;
    let mut socket = app.watcher(None).await;
    let cases: [(&str, &str); 16] = [
        ("", "malformed"),
        ("hello", "malformed"),
        ("[]", "malformed"),
        ("{}", "malformed"),
        (r#"{"type":null}"#, "malformed"),
        (r#"{"type":"watch"}"#, "malformed"),
        (r#"{"type":"watch","board":["all"]}"#, "malformed"),
        (r#"{"type":"watch","board":"all","seq":-1}"#, "malformed"),
        (r#"{"type":"watch","board":"all","epoch":"x","seq":1e300}"#, "malformed"),
        (r#"{"type":"watch","board":"all","colour":"red"}"#, "malformed"),
        (r#"{"type":"ping","t":"now"}"#, "malformed"),
        (r#"{"type":"accept","id":1}"#, "unknown_type"),
        (r#"{"type":"watch","board":"some"}"#, "unknown_board"),
        (r#"{"type":"watch","board":"category:"}"#, "unknown_board"),
        (r#"{"type":"watch","board":"category:nothing'\u0000"}"#, "unknown_board"),
        (r#"{"type":"auth","token":""}"#, "unauthenticated"),
    ];
    for (number, (text, code)) in cases.iter().enumerate() {
        socket.send_message(Message::text(*text)).await;
        socket.until(text, |state| state.errors.len() > number).await;
        assert_eq!(socket.state.errors[number]["code"], *code, "{text}");
        assert!(socket.state.errors[number]["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{text}");
    }
    socket.send_message(Message::binary(r#"{"type":"ping","t":1}"#)).await;
    socket.until("the refusal of a binary frame", |state| state.errors.len() == cases.len() + 1).await;
    assert_eq!(socket.state.errors[cases.len()]["code"], "malformed");
    socket.send(&json!({"type": "ping", "t": 7.5})).await;
    socket.until("the pong", |state| !state.pongs.is_empty()).await;
    assert_eq!(socket.state.pongs[0]["t"], 7.5);
    assert!(socket.state.pongs[0]["server_ms"].is_i64());
}

#[tokio::test]
async fn a_board_that_is_watched_twice_is_sent_once() {
    let app = TestApp::start().await;
    let customer = app.customer(10_000).await;
    let mut socket = app.watcher(None).await;
    for _ in 0..3 {
        socket.watch("all").await;
    }
    let categories = app.call("GET", "/api/categories", None, &Value::Null).await.expect(200);
    for category in categories["items"].as_array().unwrap() {
        socket.watch(&format!("category:{}", category["slug"].as_str().unwrap())).await;
    }
    let before = socket.state.board("all").diffs;
    let order = app.order(&customer, 1_000).await;
    socket.until("the order", |state| state.board("all").has(order)).await;
    socket.until_proven("all").await;
    assert_eq!(socket.state.board("all").diffs, before + 1, "one frame, however often it was asked for");
    assert!(socket.state.errors.is_empty());
}

#[tokio::test]
async fn a_client_that_talks_too_much_is_told_and_then_closed() {
    let app = TestApp::start().await;
    for message in [Message::text(r#"{"type":"ping","t":1}"#), Message::text("nonsense"), Message::binary("nonsense")] {
        let mut socket = app.watcher(None).await;
        // Patience comes back with time, and a busy machine may need more than one burst to use it up.
        for _ in 0..10 {
            for _ in 0..500 {
                socket.try_send_message(message.clone()).await;
            }
            socket.listen_for(Duration::from_millis(200)).await;
            if socket.state.closed.is_some() {
                break;
            }
        }
        assert_eq!(socket.state.closed.as_ref().map(|(code, _)| *code), Some(4429), "{message:?}");
        assert!(socket.state.errors.iter().any(|error| error["code"] == "limit"), "a warning comes first");
    }
}

#[tokio::test]
async fn messages_come_in_fragments_with_pings_in_between() {
    let app = TestApp::start().await;
    let mut socket = RawSocket::connect(app.address).await;
    socket.frame(0x01, br#"{"type":"pi"#).await;
    socket.frame(0x89, b"alive?").await;
    assert_eq!(socket.next().await, (0x0a, b"alive?".to_vec()), "a ping is answered in the middle of a message");
    socket.frame(0x00, b"").await;
    socket.frame(0x80, br#"ng","t":7}"#).await;
    let pong = socket.text().await;
    assert_eq!((&pong["type"], &pong["t"]), (&json!("pong"), &json!(7)));
    // A letter of two bytes may be cut in the middle.
    let message = r#"{"type":"watch","board":"д"}"#.as_bytes();
    let (head, tail) = message.split_at(message.len() - 3);
    socket.frame(0x01, head).await;
    socket.frame(0x80, tail).await;
    assert_eq!(socket.text().await["code"], "unknown_board");
    socket.frame(0x88, &1000_u16.to_be_bytes()).await;
    assert_eq!(socket.next().await, (0x08, 1000_u16.to_be_bytes().to_vec()), "a close is answered in kind");
}

#[tokio::test]
async fn what_is_not_the_websocket_protocol_ends_with_the_code_that_says_so() {
    let app = TestApp::start().await;
    let big = [b' '; 3_000];
    // First byte and payload.
    type Frame<'a> = (u8, &'a [u8]);
    let cases: [(&str, &[Frame<'_>], u16); 10] = [
        ("text that is not UTF-8", &[(0x81, b"\"\xff\xfe\"")], 1007),
        ("text that ends within a letter", &[(0x01, b"\"\xd0"), (0x80, b"\"")], 1007),
        ("a surrogate as UTF-8", &[(0x81, b"\"\xed\xa0\x80\"")], 1007),
        ("a reserved opcode", &[(0x83, b"x")], 1002),
        ("a reserved bit", &[(0xc1, b"{}")], 1002),
        ("a continuation of nothing", &[(0x80, b"x")], 1002),
        ("a message within a message", &[(0x01, b"x"), (0x81, b"y")], 1002),
        ("a ping in fragments", &[(0x09, b"x")], 1002),
        ("a message of more than 4,096 bytes", &[(0x81, &[b' '; 5_000])], 4413),
        ("fragments of more than 4,096 bytes", &[(0x01, &big), (0x80, &big)], 4413),
    ];
    for (what, frames, code) in cases {
        let mut socket = RawSocket::connect(app.address).await;
        for (first, payload) in frames {
            socket.frame(*first, payload).await;
        }
        assert_eq!(socket.close_code().await, code, "{what}");
    }
    let bytes: [(&str, &[u8], u16); 2] = [
        ("a frame that is not masked", &[0x81, 0x02, b'{', b'}'], 1002),
        ("a frame that promises 2^62 bytes", &[0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 4413),
    ];
    for (what, bytes, code) in bytes {
        let mut socket = RawSocket::connect(app.address).await;
        socket.bytes(bytes).await;
        assert_eq!(socket.close_code().await, code, "{what}");
    }
    until("every socket is gone", async || app.app().live.sockets() == 0).await;
}
