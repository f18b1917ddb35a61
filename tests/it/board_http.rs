//! `GET /api/board`: which bytes are given to whom, and when none are needed.

use std::io::Read as _;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use flate2::read::GzDecoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::truth::insert_orders;
use crate::support::{Answer, DEADLINE, Request, TestApp};

const PATH: &str = "/api/board";

fn unpacked(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut plain = Vec::new();
    GzDecoder::new(&answer.body[..]).read_to_end(&mut plain).unwrap();
    plain
}

/// A node with a board of some size.
async fn node() -> TestApp {
    let app = TestApp::start().await;
    let customer = app.customer(1_000_000).await;
    insert_orders(&app.sql, customer.id, 300).await;
    app.order(&customer, 1_000).await;
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    guest.until("the orders", |state| state.board("all").orders.len() == 301).await;
    app
}

#[tokio::test]
async fn each_client_gets_the_board_in_the_coding_it_takes() {
    let app = node().await;
    let plain = app.send(&Request::new("GET", PATH)).await;
    assert_eq!(plain.expect(200)["orders"].as_array().unwrap().len(), 301);
    for (accepted, is_gzip) in [
        ("gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("br;q=1, *;q=0.1", true),
        ("identity;q=0.5, gzip;q=0.5", true),
        ("", false),
        ("identity", false),
        ("gzip;q=0, *", false),
        ("gzip;q=0.2, identity;q=0.8", false),
        ("*;q=0", false),
    ] {
        let answer = app.send(&Request::new("GET", PATH).header("accept-encoding", accepted)).await;
        assert_eq!(answer.status, 200, "{accepted}");
        assert_eq!(answer.header("content-encoding").is_some(), is_gzip, "{accepted}");
        let body = if is_gzip { unpacked(&answer) } else { answer.body.clone() };
        assert!(body == plain.body, "{accepted}: other bytes");
        for (name, due) in [("vary", "accept-encoding"), ("cache-control", "public, no-cache"), ("content-type", "application/json")] {
            assert_eq!(answer.header(name), Some(due), "{accepted}");
        }
        assert_eq!(answer.header("etag") == plain.header("etag"), !is_gzip, "{accepted}: a strong tag is for one coding");
        assert!(!is_gzip || answer.body.len() * 3 < plain.body.len(), "{} of {} bytes", answer.body.len(), plain.body.len());
    }
}

#[tokio::test]
async fn who_has_the_board_is_told_so_in_each_coding() {
    let app = node().await;
    let ask = async |accepted: &str, known: &[&str]| {
        let request = Request::new("GET", PATH).header("accept-encoding", accepted);
        app.send(&known.iter().fold(request, |request, tags| request.header("if-none-match", tags))).await
    };
    let plain = ask("identity", &[]).await.header("etag").unwrap().to_owned();
    let gzip = ask("gzip", &[]).await.header("etag").unwrap().to_owned();
    for (accepted, mine, others) in [("identity", &plain, &gzip), ("gzip", &gzip, &plain)] {
        let known = [
            vec![mine.clone()],
            vec![format!("W/{mine}")],
            vec![format!("\"other\", W/\"a,b\",{mine}")],
            vec![format!("{others}, {mine}")],
            vec!["\"other\"".to_owned(), mine.clone()],
            vec!["*".to_owned()],
        ];
        for lines in known {
            let answer = ask(accepted, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{accepted}: {lines:?}");
            assert_eq!(answer.header("etag"), Some(mine.as_str()));
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
            assert_eq!(answer.header("cache-control"), Some("public, no-cache"));
            assert_eq!(answer.header("content-encoding"), None);
            // It would be the length of the board, not of this answer.
            assert_eq!(answer.header("content-length"), None);
        }
        for line in [others.as_str(), "\"other\"", "other", "", "W/", &mine[1..mine.len() - 1], &mine[..mine.len() - 1]] {
            assert_eq!(ask(accepted, &[line]).await.status, 200, "{accepted}: {line}");
        }
    }
}

/// The head of an answer to HEAD, and whatever came after it until the server closed.
async fn head(app: &TestApp, more: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let ask = format!("HEAD {PATH} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{more}\r\n", app.address);
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut told)).await.unwrap().unwrap();
    let end = told.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(told[..end].to_vec()).unwrap().to_lowercase(), told.split_off(end))
}

#[tokio::test]
async fn asking_for_the_head_tells_the_same_without_the_board() {
    let app = node().await;
    for accepted in ["identity", "gzip"] {
        let whole = app.send(&Request::new("GET", PATH).header("accept-encoding", accepted)).await;
        let etag = whole.header("etag").unwrap();
        let (told, body) = head(&app, &format!("accept-encoding: {accepted}\r\n")).await;
        assert!(told.starts_with("http/1.1 200"), "{told}");
        assert!(body.is_empty(), "{} bytes", body.len());
        assert!(told.contains(&format!("content-length: {}\r\n", whole.body.len())), "{told}");
        assert!(told.contains(&format!("etag: {}\r\n", etag.to_lowercase())), "{told}");
        assert_eq!(told.contains("content-encoding: gzip"), accepted == "gzip", "{told}");
        let (told, body) = head(&app, &format!("accept-encoding: {accepted}\r\nif-none-match: {etag}\r\n")).await;
        assert!(told.starts_with("http/1.1 304") && body.is_empty(), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tag_is_the_same_on_every_node_and_changes_with_the_orders_alone() {
    let first = node().await;
    let second = first.beside().await;
    let ask = async |app: &TestApp| {
        let answer = app.send(&Request::new("GET", PATH).header("accept-encoding", "gzip")).await;
        (answer.header("etag").unwrap().to_owned(), answer.body)
    };
    let before = ask(&first).await;
    assert!(ask(&second).await == before, "another tag or other bytes");
    // Ticks are frames too; they change no order.
    let mut guest = first.watcher(None).await;
    guest.watch("all").await;
    guest.until_proven("all").await;
    guest.until_proven("all").await;
    assert_eq!(ask(&first).await.0, before.0);
    let customer = first.customer(1_000_000).await;
    let mut far = second.watcher(None).await;
    far.watch("all").await;
    let order = first.order(&customer, 1_000).await;
    guest.until("the order", |state| state.board("all").has(order)).await;
    far.until("the order", |state| state.board("all").has(order)).await;
    let after = ask(&first).await;
    assert_ne!(after.0, before.0);
    assert!(ask(&second).await == after, "another tag or other bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_board_is_compressed_once_for_all_who_ask() {
    let app = node().await;
    let board = app.app().live.board("all").unwrap().clone();
    let askers = 16;
    let together = Arc::new(Barrier::new(askers));
    let runtime = tokio::runtime::Handle::current();
    let threads: Vec<_> = (0..askers)
        .map(|_| {
            let (board, together, runtime) = (board.clone(), together.clone(), runtime.clone());
            std::thread::spawn(move || {
                together.wait();
                runtime.block_on(board.snapshot().gzip())
            })
        })
        .collect();
    let given: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(given.iter().all(|bytes| bytes.as_ptr() == given[0].as_ptr()), "it was compressed more than once");

    // All at once over HTTP, while the board changes: each gets a whole board, and most of them share their bytes.
    let customer = app.customer(1_000_000).await;
    let changes = async {
        for _ in 0..20 {
            app.order(&customer, 1_000).await;
        }
    };
    let asks = futures_util::future::join_all((0..200).map(|_| async {
        let answer = app.send(&Request::new("GET", PATH).header("accept-encoding", "gzip")).await;
        let board: serde_json::Value = serde_json::from_slice(&unpacked(&answer)).unwrap();
        (board["orders"].as_array().unwrap().len(), answer.header("etag").unwrap().to_owned(), answer.body)
    }));
    let (answers, ()) = tokio::time::timeout(Duration::from_secs(60), futures_util::future::join(asks, changes)).await.unwrap();
    for (orders, etag, body) in &answers {
        assert!((301..=321).contains(orders), "{orders}");
        let twin = answers.iter().find(|(_, other, _)| other == etag).unwrap();
        assert!(twin.2 == *body, "one tag, two bodies");
    }
}
