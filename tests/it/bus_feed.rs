//! The change feed against a real Redis that is flushed, paused, cut off and killed.
//!
//! What a feed may do is checked on every event by [`Reader`]: the first one is `Reload`, and `Items` continue
//! the sequence without a hole. So each test only asks what arrived.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use orderboard::bus::{Bus, BusConfig, BusError, Feed, FeedEvent};
use orderboard::domain::news::{Item, NewsKind, Position};
use orderboard::embedded::Redis;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, timeout};

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(30);
/// What the design promises within a second, with room for a busy machine.
const PROMPTLY: Duration = Duration::from_secs(2);

/// A directory and a Redis in it, both gone with the test.
struct Server {
    redis: Option<Redis>,
    dir: PathBuf,
    url: String,
}

impl Server {
    async fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("orderboard-bus-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let redis = Redis::start(&dir).await.unwrap();
        let url = redis.url().to_owned();
        Self { redis: Some(redis), dir, url }
    }

    async fn kill(&mut self) {
        self.redis.take().unwrap().kill().await;
    }

    async fn start_again(&mut self) {
        self.redis = Some(Redis::start(&self.dir).await.unwrap());
    }

    async fn bus(&self) -> (Bus, Reader) {
        let (bus, feed) = Bus::connect(self.config()).await.unwrap();
        (bus, Reader { feed, at: None, ids: BTreeSet::new(), direct: BTreeSet::new(), reloads: 0 })
    }

    fn config(&self) -> BusConfig {
        BusConfig { url: self.url.clone(), prefix: "test".to_owned() }
    }

    /// Sends one command the way `telnet` would and returns the first line of the answer.
    async fn tell(&self, command: &str) -> String {
        let path = self.url.strip_prefix("redis+unix://").unwrap();
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.unwrap();
        assert!(!line.starts_with('-'), "{command}: {line}");
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A feed and everything that came out of it.
struct Reader {
    feed: Feed,
    at: Option<Position>,
    ids: BTreeSet<u64>,
    direct: BTreeSet<u64>,
    reloads: u32,
}

impl Reader {
    /// Takes events until `enough` says so.
    async fn until(&mut self, what: &str, limit: Duration, mut enough: impl FnMut(&Reader) -> bool) {
        let deadline = Instant::now() + limit;
        while !enough(self) {
            let Ok(event) = tokio::time::timeout_at(deadline, self.feed.next()).await else {
                panic!("not within {limit:?}: {what}; {} rows, {} reloads, at {:?}", self.ids.len(), self.reloads, self.at);
            };
            self.take(event.expect("the feed is open"));
        }
    }

    fn take(&mut self, event: FeedEvent) {
        match event {
            FeedEvent::Items { at, items } => {
                let last = self.at.as_ref().expect("the first event is Reload");
                assert_eq!((&at.epoch, at.seq), (&last.epoch, last.seq + 1), "a hole in the sequence");
                self.ids.extend(items.iter().map(|item| item.id));
                self.at = Some(at);
            }
            FeedEvent::Private(items) => panic!("nobody is here: {items:?}"),
            FeedEvent::Direct(items) => self.direct.extend(items.iter().map(|item| item.id)),
            FeedEvent::Reload(at) => {
                self.at = Some(at);
                self.reloads += 1;
            }
        }
    }

    async fn until_reloads(&mut self, reloads: u32, limit: Duration) {
        self.until("a reload", limit, |reader| reader.reloads >= reloads).await;
    }

    async fn until_row(&mut self, id: u64) {
        self.until("a row", DEADLINE, |reader| reader.ids.contains(&id)).await;
    }
}

fn order(id: u64, version: u64) -> Item {
    let row = format!(r#"{{"id":{id},"title":"A title of the usual length","version":{version},"price":123456}}"#);
    Item {
        kind: NewsKind::Order,
        id,
        version,
        audience: None,
        committed_us: None,
        row: serde_json::value::RawValue::from_string(row).unwrap(),
    }
}

async fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Publishes one row a call from 32 tasks, each row again until it is accepted.
async fn publish_each(bus: &Bus, ids: std::ops::Range<u64>) {
    let next = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(ids.start));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (bus, next) = (bus.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let id = next.fetch_add(1, Ordering::Relaxed);
                if id >= ids.end {
                    return;
                }
                while bus.publish(&[order(id, 1)]).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    timeout(DEADLINE, tasks.join_all()).await.expect("everything is published");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_quick_messages_reach_two_nodes_in_order_and_none_is_lost() {
    let server = Server::start().await;
    let ((one, mut first), (two, mut second)) = (server.bus().await, server.bus().await);
    assert!(one.is_up() && two.is_up());
    let all = |reader: &Reader| reader.ids.len() == 20_000;
    let started = Instant::now();
    tokio::join!(publish_each(&one, 0..20_000), first.until("all rows", DEADLINE, all), second.until("all rows", DEADLINE, all),);
    println!("20,000 messages to two nodes: {:?}", started.elapsed());
    assert_eq!((first.reloads, second.reloads), (1, 1), "the history bridges whatever a reader missed");
    assert_eq!(first.at, second.at);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_killed_in_the_middle_lose_nothing() {
    let server = Server::start().await;
    let ((one, mut first), (_two, mut second)) = (server.bus().await, server.bus().await);
    let all = |reader: &Reader| reader.ids.len() == 6_000;
    let kill = async {
        let mut killed = [0; 2];
        for start in 0..6 {
            publish_each(&one, start * 1_000..(start + 1) * 1_000).await;
            for (count, kind) in killed.iter_mut().zip(["pubsub", "normal"]) {
                let answer = server.tell(&format!("CLIENT KILL TYPE {kind} SKIPME yes")).await;
                *count += answer.trim_start_matches(':').parse::<u32>().unwrap();
            }
        }
        assert!(killed.iter().all(|count| *count > 0), "the faults did happen: {killed:?}");
    };
    tokio::join!(kill, first.until("all rows", DEADLINE, all), second.until("all rows", DEADLINE, all));
    assert_eq!((first.reloads, second.reloads), (1, 1));
    until("up again", DEADLINE, || one.is_up()).await;
}

#[tokio::test]
async fn a_flushed_database_is_noticed_without_any_publish() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    bus.publish(&[order(1, 1)]).await.unwrap();
    reader.until_row(1).await;
    let before = reader.at.clone().unwrap();
    server.tell("FLUSHALL").await;
    reader.until_reloads(2, PROMPTLY).await;
    assert_ne!(reader.at.as_ref().unwrap().epoch, before.epoch);
    bus.publish(&[order(1, 1)]).await.unwrap();
    reader.until("the row again", DEADLINE, |reader| reader.at.as_ref().unwrap().seq == 1).await;
}

#[tokio::test]
async fn a_flush_followed_by_a_publish_reloads_every_node() {
    let server = Server::start().await;
    let ((one, mut first), (_two, mut second)) = (server.bus().await, server.bus().await);
    for round in 1..=3 {
        first.until_reloads(round, PROMPTLY).await;
        second.until_reloads(round, PROMPTLY).await;
        server.tell("FLUSHALL").await;
        one.publish(&[order(1, 1)]).await.unwrap();
    }
    first.until_reloads(4, PROMPTLY).await;
    second.until_reloads(4, PROMPTLY).await;
    assert_eq!(first.at.unwrap().epoch, second.at.unwrap().epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_and_restarted_redis_starts_a_new_epoch_and_the_feed_goes_on() {
    let mut server = Server::start().await;
    let ((one, mut first), (two, mut second)) = (server.bus().await, server.bus().await);
    for round in 1..=3_u32 {
        let id = u64::from(round);
        one.publish(&[order(id, 1)]).await.unwrap();
        first.until_row(id).await;
        let before = first.at.clone().unwrap();

        server.kill().await;
        until("down", PROMPTLY, || !one.is_up() && !two.is_up()).await;
        assert!(one.publish(&[order(id + 100, 1)]).await.is_err());

        server.start_again().await;
        let back = Instant::now();
        until("up", PROMPTLY, || one.is_up() && two.is_up()).await;
        println!("up {:?} after Redis was back", back.elapsed());
        first.until_reloads(round + 1, PROMPTLY).await;
        second.until_reloads(round + 1, PROMPTLY).await;
        assert_ne!(first.at.as_ref().unwrap().epoch, before.epoch);
        assert_eq!(first.at.as_ref().unwrap().epoch, second.at.as_ref().unwrap().epoch);

        two.publish(&[order(id + 200, 1)]).await.unwrap();
        first.until_row(id + 200).await;
        second.until_row(id + 200).await;
    }
}

#[tokio::test]
async fn a_redis_that_stops_answering_takes_the_bus_down_and_up_again() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    reader.until_reloads(1, PROMPTLY).await;
    server.tell("CLIENT PAUSE 3000 ALL").await;
    until("down", PROMPTLY, || !bus.is_up()).await;
    until("up", DEADLINE, || bus.is_up()).await;
    bus.publish(&[order(1, 1)]).await.unwrap();
    reader.until_row(1).await;
    assert_eq!(reader.reloads, 1, "nothing was lost");
}

#[tokio::test]
async fn a_version_that_was_carried_is_not_carried_again() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    let newer_than_a_double = (1 << 53) + 1;
    for version in [2, 2, 1, 10, 9, newer_than_a_double - 1, newer_than_a_double, newer_than_a_double] {
        bus.publish(&[order(1, version)]).await.unwrap();
    }
    bus.publish(&[order(1, 3), order(2, 1), order(2, 5), order(2, 4)]).await.unwrap();
    reader.until_row(2).await;
    assert_eq!(reader.at.unwrap().seq, 5, "2, 10, both large ones, and one message for the other row");
}

#[tokio::test]
async fn what_was_carried_is_remembered_for_two_halves_and_then_forgotten() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    bus.publish(&[order(1, 1)]).await.unwrap();
    for (other, seq) in [(2, 2), (3, 3)] {
        // The half is as old as it gets: the next row begins another one.
        server.tell("HINCRBY {test}:news:carried since -300").await;
        bus.publish(&[order(other, 1)]).await.unwrap();
        reader.until_row(other).await;
        assert_eq!(reader.at.as_ref().unwrap().seq, seq);
        bus.publish(&[order(other, 1)]).await.unwrap();
        if other == 2 {
            bus.publish(&[order(1, 1)]).await.unwrap();
        }
    }
    assert_eq!(server.tell("HEXISTS {test}:news:carried order:1").await, ":0");
    assert_eq!(server.tell("HEXISTS {test}:news:carried:before order:1").await, ":0");
    bus.publish(&[order(1, 1), order(2, 1), order(3, 1)]).await.unwrap();
    bus.publish(&[order(4, 1)]).await.unwrap();
    reader.until_row(4).await;
    // Row 1 again, and row 4.
    assert_eq!(reader.at.as_ref().unwrap().seq, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_slept_through_a_flood_gets_all_of_it_afterwards() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    publish_each(&bus, 0..15_000).await;
    reader.until("all rows", DEADLINE, |reader| reader.ids.len() == 15_000).await;
    assert_eq!(reader.reloads, 1, "the history reaches back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_the_history_cannot_bridge_is_a_reload() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    publish_each(&bus, 0..15_000).await;
    server.tell("XTRIM {test}:news:history MAXLEN 100").await;
    let end = |reader: &Reader| reader.at.as_ref().is_some_and(|at| at.seq == 15_000);
    reader.until("the end", DEADLINE, end).await;
    assert!(reader.ids.len() < 15_000 && reader.reloads == 2);
    bus.publish(&[order(20_000, 1)]).await.unwrap();
    reader.until_row(20_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_bounded_in_bytes() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    let bytes = 200_000;
    let publish = async {
        for id in 0..600 {
            let row = serde_json::value::RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
            bus.publish(&[Item { kind: NewsKind::Order, id, version: 1, audience: None, committed_us: None, row }]).await.unwrap();
        }
    };
    tokio::join!(publish, reader.until_row(599));
    let kept: usize = server.tell("XLEN {test}:news:history").await.trim_start_matches(':').parse().unwrap();
    assert!(kept > 100 && kept * bytes < 80 * 1024 * 1024, "{kept} messages of {bytes} bytes");
}

#[tokio::test]
async fn a_last_message_that_got_lost_is_found_without_a_later_one() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    bus.publish(&[order(1, 1)]).await.unwrap();
    reader.until_row(1).await;
    let epoch = reader.at.clone().unwrap().epoch;
    let payload = format!(r#"{{\"epoch\":\"{epoch}\",\"seq\":2,\"items\":[{{\"kind\":\"order\",\"id\":2,\"version\":1,\"row\":{{}}}}]}}"#);
    server.tell(&format!("XADD {{test}}:news:history 2-0 bytes 1 payload \"{payload}\"")).await;
    server.tell("HINCRBY {test}:news:meta seq 1").await;
    reader.until("the row", PROMPTLY, |reader| reader.ids.contains(&2)).await;
    assert_eq!(reader.reloads, 1);
}

#[tokio::test]
async fn a_position_that_went_back_ends_the_epoch() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    for id in 1..=5 {
        bus.publish(&[order(id, 1)]).await.unwrap();
    }
    reader.until_row(5).await;
    // One pulse must have seen 5: the row below travels by the pulse alone.
    server.tell("HINCRBY {test}:news:meta seq 1").await;
    reader.until_reloads(2, PROMPTLY).await;
    server.tell("HSET {test}:news:meta seq 2").await;
    reader.until_reloads(3, PROMPTLY).await;
    bus.publish(&[order(6, 1)]).await.unwrap();
    reader.until_row(6).await;
}

#[tokio::test]
async fn rows_handed_over_directly_arrive_while_redis_is_away() {
    let mut server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    server.kill().await;
    until("down", PROMPTLY, || !bus.is_up()).await;
    bus.deliver_directly(vec![order(7, 3)]);
    reader.until("the row", PROMPTLY, |reader| reader.direct.contains(&7)).await;
    for id in 0..1_000 {
        bus.deliver_directly(vec![order(id, 3)]);
    }
    reader.until("what fits", PROMPTLY, |reader| reader.direct.len() >= 64).await;
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_again() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    for id in 1..=3 {
        server.tell("SCRIPT FLUSH SYNC").await;
        bus.publish(&[order(id, 1)]).await.unwrap();
        reader.until_row(id).await;
    }
    assert_eq!(reader.reloads, 1);
}

#[tokio::test]
async fn a_foreign_key_under_the_prefix_is_an_error_until_it_is_gone() {
    for key in ["{test}:news:meta", "{test}:news:history"] {
        let server = Server::start().await;
        let (bus, mut reader) = server.bus().await;
        reader.until_reloads(1, PROMPTLY).await;
        server.tell(&format!("DEL {key}")).await;
        server.tell(&format!("SET {key} foreign")).await;
        assert!(matches!(bus.publish(&[order(1, 1)]).await, Err(BusError::Command(_))));
        until("down", PROMPTLY, || !bus.is_up()).await;
        assert!(Bus::connect(server.config()).await.is_err());

        server.tell(&format!("DEL {key}")).await;
        until("up", PROMPTLY, || bus.is_up()).await;
        bus.publish(&[order(1, 2)]).await.unwrap();
        bus.publish(&[order(2, 1)]).await.unwrap();
        reader.until_row(2).await;
    }
}

#[tokio::test]
async fn the_feed_goes_on_while_publishing_is_refused() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    reader.until_reloads(1, PROMPTLY).await;
    // Every publish fails at this, and nothing else does.
    server.tell("HSET {test}:news:meta bytes rubbish").await;
    assert!(bus.publish(&[order(1, 1)]).await.is_err());
    let epoch = reader.at.clone().unwrap().epoch;
    // The refused one took number 1, because a script is not rolled back. Somebody else's message is number 2.
    for seq in 1..=2 {
        let row = format!(r#"{{\"kind\":\"order\",\"id\":1{seq},\"version\":1,\"row\":{{}}}}"#);
        let payload = format!(r#"{{\"epoch\":\"{epoch}\",\"seq\":{seq},\"items\":[{row}]}}"#);
        server.tell(&format!("XADD {{test}}:news:history {seq}-0 bytes 1 payload \"{payload}\"")).await;
    }
    assert_eq!(server.tell("HINCRBY {test}:news:meta seq 1").await, ":2");
    reader.until("the row", PROMPTLY, |reader| reader.ids.contains(&12)).await;
    assert!(bus.publish(&[order(1, 1)]).await.is_err());
    server.tell("HSET {test}:news:meta bytes 0").await;
    until("up", DEADLINE, || bus.is_up()).await;
    bus.publish(&[order(2, 1)]).await.unwrap();
    reader.until_row(2).await;
}

#[tokio::test]
async fn a_foreign_key_in_the_place_of_carried_versions_is_overwritten() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    for (id, key) in [(1, "carried"), (2, "carried:before")] {
        server.tell(&format!("DEL {{test}}:news:{key}")).await;
        server.tell(&format!("LPUSH {{test}}:news:{key} foreign")).await;
        bus.publish(&[order(id, 1)]).await.unwrap();
        reader.until_row(id).await;
    }
}

#[tokio::test]
async fn a_row_too_long_for_news_does_not_stop_the_others() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    let long = serde_json::value::RawValue::from_string(format!("\"{}\"", "x".repeat(300_000))).unwrap();
    let long = Item { kind: NewsKind::Order, id: 1, version: 1, audience: None, committed_us: None, row: long };
    let published = bus.publish(&[order(2, 1), long, order(3, 1)]).await;
    assert!(matches!(published, Err(BusError::RowTooLong { id: 1, .. })));
    reader.until_row(3).await;
    assert_eq!(reader.ids, BTreeSet::from([2, 3]));
    assert!(bus.is_up());
}

#[tokio::test]
async fn rows_of_a_kind_that_only_newer_nodes_know_are_left_out() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    bus.publish(&[order(1, 1)]).await.unwrap();
    reader.until_row(1).await;
    let epoch = reader.at.clone().unwrap().epoch;
    let known = r#"{\"kind\":\"order\",\"id\":2,\"version\":1,\"row\":{}}"#;
    let unknown = r#"{\"kind\":\"comet\",\"id\":3,\"version\":1,\"row\":{}}"#;
    let payload = format!(r#"{{\"epoch\":\"{epoch}\",\"seq\":2,\"items\":[{unknown},{known}]}}"#);
    server.tell(&format!("PUBLISH {{test}}:news \"{payload}\"")).await;
    reader.until_row(2).await;
}

#[tokio::test]
async fn messages_that_are_not_ours_are_ignored() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    for rubbish in ["hello", "{}", "[]", "\"\\xff\\x00\""] {
        server.tell(&format!("PUBLISH {{test}}:news {rubbish}")).await;
    }
    bus.publish(&[order(1, 1)]).await.unwrap();
    reader.until_row(1).await;
    assert_eq!(reader.reloads, 1);
}

#[tokio::test]
async fn a_closed_bus_ends_the_feed_and_refuses_to_publish() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    reader.until_reloads(1, PROMPTLY).await;
    bus.close().await;
    assert!(timeout(PROMPTLY, reader.feed.next()).await.unwrap().is_none());
    assert!(matches!(bus.publish(&[order(1, 1)]).await, Err(BusError::Closed)));
    bus.close().await;
}

#[tokio::test]
async fn dropping_the_bus_ends_the_feed_and_its_connections() {
    let server = Server::start().await;
    let (bus, mut reader) = server.bus().await;
    reader.until_reloads(1, PROMPTLY).await;
    drop(bus);
    assert!(timeout(PROMPTLY, reader.feed.next()).await.unwrap().is_none());
    let deadline = Instant::now() + PROMPTLY;
    while server.tell("CLIENT KILL TYPE normal SKIPME yes").await != ":0" {
        assert!(Instant::now() < deadline, "connections are left");
    }
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let server = Server::start().await;
    let connect = |url: String| async move {
        let config = BusConfig { url, prefix: "test".to_owned() };
        let error = timeout(Duration::from_secs(6), Bus::connect(config)).await.expect("fails in time").err();
        error.expect("does not connect").to_string()
    };
    let nothing_there = connect("redis+unix:///nowhere/redis.sock".to_owned()).await;
    assert!(nothing_there.contains("cannot be reached") && nothing_there.contains("/nowhere"), "{nothing_there}");
    let no_url = connect("nonsense".to_owned()).await;
    assert!(no_url.contains("configuration"), "{no_url}");

    server.tell("CONFIG SET requirepass secret").await;
    let refused = connect(server.url.clone()).await;
    assert!(refused.contains("refuses"), "{refused}");
    let wrong = connect(server.url.replace("redis+unix://", "redis+unix://:wrong@localhost")).await;
    assert!(wrong.contains("refuses") && !wrong.contains("wrong"), "{wrong}");
    let right = BusConfig { url: server.url.replace("redis+unix://", "redis+unix://:secret@localhost"), prefix: "test".to_owned() };
    Bus::connect(right).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_too_old_is_named() {
    let path = std::env::temp_dir().join(format!("orderboard-old-redis-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut request).await {
            let request = String::from_utf8_lossy(&request[..length]).to_uppercase();
            let answer: &[u8] = match () {
                () if request.contains("INFO") => b"$20\r\nredis_version:6.2.14\r\n",
                () if request.contains("CLIENT") => b":1\r\n",
                () => b"+PONG\r\n",
            };
            stream.write_all(answer).await.unwrap();
        }
    });
    let config = BusConfig { url: format!("redis+unix://{}", path.display()), prefix: "test".to_owned() };
    let error = timeout(Duration::from_secs(6), Bus::connect(config)).await.unwrap().err().unwrap().to_string();
    assert!(error.contains("6.2.14") && error.contains("7.0"), "{error}");
    let _ = std::fs::remove_file(&path);
}
