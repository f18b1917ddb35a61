//! What concerns one user alone reaches the nodes where that user has a socket, and no other.

use std::collections::BTreeSet;
use std::time::Duration;

use orderboard::bus::{Bus, BusConfig, Feed, FeedEvent};
use orderboard::domain::news::{Item, NewsKind};
use tokio::time::{Instant, timeout};

use crate::support::redises::Cluster;
use crate::support::{DEADLINE, OwnRedis, TestApp, tell_redis, until};

/// What the sweep finds is found within this; a machine that does other things as well has twice the time.
const SWEPT: Duration = Duration::from_secs(2);

fn account(id: u64, version: u64, user_id: u64) -> Item {
    let row = serde_json::value::to_raw_value(&version).unwrap();
    Item { kind: NewsKind::Account, id, version, audience: Some(user_id), committed_us: None, row }
}

async fn connect(url: &str) -> (Bus, Feed) {
    Bus::connect(BusConfig { url: url.to_owned(), prefix: "test".to_owned() }).await.unwrap()
}

/// The next rows of users' channels, as (user, row, version).
async fn private(feed: &mut Feed) -> Vec<(u64, u64, u64)> {
    loop {
        match timeout(DEADLINE, feed.next()).await.expect("private news in time").unwrap() {
            FeedEvent::Private(items) => return items.iter().map(|item| (item.audience.unwrap(), item.id, item.version)).collect(),
            FeedEvent::Items { items, .. } => panic!("on the channel of all: {items:?}"),
            _ => {}
        }
    }
}

async fn channels(redis: &OwnRedis) -> usize {
    tell_redis(redis.url(), "PUBSUB CHANNELS {test}:u:*").await.trim_start_matches('*').parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_user_reach_the_nodes_where_that_user_is() {
    let redis = OwnRedis::start().await;
    let ((one, mut first), (two, mut second)) = (connect(redis.url()).await, connect(redis.url()).await);
    one.users().join(1);
    one.users().join(2);
    two.users().join(2);
    until("subscribed", async || tell_redis(redis.url(), "PUBLISH {test}:u:2 {}").await == ":2" && channels(&redis).await == 2).await;
    // Nobody is there for user 3, and no version is sent twice.
    two.publish(&[account(30, 1, 3), account(10, 1, 1), account(10, 1, 1)]).await.unwrap();
    two.publish(&[account(10, 1, 1), account(20, 7, 2)]).await.unwrap();
    assert_eq!(private(&mut first).await, [(1, 10, 1)]);
    assert_eq!(private(&mut first).await, [(2, 20, 7)]);
    assert_eq!(private(&mut second).await, [(2, 20, 7)]);
    one.users().leave(2);
    one.users().leave(3);
    until("unsubscribed", async || tell_redis(redis.url(), "PUBLISH {test}:u:2 {}").await == ":1").await;
    one.publish(&[account(20, 8, 2), account(10, 2, 1)]).await.unwrap();
    assert_eq!(private(&mut first).await, [(1, 10, 2)]);
    assert_eq!(private(&mut second).await, [(2, 20, 8)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_come_at_once_half_go_and_a_cut_connection_takes_up_the_rest() {
    let redis = OwnRedis::start().await;
    let (bus, mut feed) = connect(redis.url()).await;
    let started = Instant::now();
    (1..=10_000).for_each(|user_id| bus.users().join(user_id));
    until("all are subscribed", async || channels(&redis).await == 10_000).await;
    println!("10,000 channels subscribed after {:?}", started.elapsed());
    (1..=10_000).step_by(2).for_each(|user_id| bus.users().leave(user_id));
    until("half are unsubscribed", async || channels(&redis).await == 5_000).await;
    tell_redis(redis.url(), "CLIENT KILL TYPE pubsub").await;
    bus.users().leave(2);
    let cut = Instant::now();
    until("subscribed again", async || channels(&redis).await == 4_999).await;
    println!("4,999 channels subscribed again {:?} after the cut", cut.elapsed());
    until("up again", async || bus.is_up()).await;
    bus.publish(&[account(1, 1, 2), account(2, 1, 3), account(3, 1, 10_000)]).await.unwrap();
    assert_eq!(private(&mut feed).await, [(10_000, 3, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_carries_users_channels_in_shards_and_they_survive_its_owner() {
    let mut cluster = Cluster::start().await;
    let (bus, mut feed) = connect(&cluster.url()).await;
    let started = Instant::now();
    (1..=10_000).for_each(|user_id| bus.users().join(user_id));
    let subscribed = async |cluster: &Cluster, place: usize| {
        cluster.nodes[place].tell("PUBSUB SHARDCHANNELS {test}:u:*").await.lines().filter(|line| !line.is_empty()).count()
    };
    let owner = cluster.owner("{test}", 0).await;
    until("all are subscribed", async || subscribed(&cluster, owner).await == 10_000).await;
    println!("10,000 shard channels subscribed after {:?}", started.elapsed());
    (1..=10_000).step_by(2).for_each(|user_id| bus.users().leave(user_id));
    until("half are unsubscribed", async || subscribed(&cluster, owner).await == 5_000).await;
    cluster.nodes[owner].kill().await;
    let promoted = cluster.promoted("{test}", owner).await;
    until("subscribed at the new owner", async || subscribed(&cluster, promoted).await == 5_000).await;
    until("up again", async || bus.is_up()).await;
    bus.publish(&[account(1, 1, 1), account(2, 1, 2)]).await.unwrap();
    let found: BTreeSet<_> = private(&mut feed).await.into_iter().collect();
    assert_eq!(found, BTreeSet::from([(2, 2, 1)]));
}

#[tokio::test]
async fn a_balance_goes_to_the_users_node_alone_and_what_got_lost_is_found_there() {
    let first = TestApp::start().await;
    let second = first.beside().await;
    let customer = first.customer(10_000).await;
    let channel = format!("{{{}}}:u:{}", first.config.redis_prefix, customer.id);
    let listeners = async || tell_redis(&first.config.redis_url, &format!("PUBLISH {channel} {{}}")).await;
    assert_eq!(listeners().await, ":0");
    let mut watcher = first.watcher(Some(&customer.token)).await;
    let other = first.watcher(Some(&customer.token)).await;
    until("one node listens", async || listeners().await == ":1").await;
    // Spent on the node where the user is not.
    second.order(&customer, 1_000).await;
    watcher.until("the balance", |state| state.balance("wallet") == Some((9_000, 1_000))).await;

    // The bus takes the next states for carried already: nobody is sent them.
    let wallet: u64 = sqlx::query_scalar("select id from accounts where user_id = ? and kind = 'wallet'")
        .bind(customer.id)
        .fetch_one(&first.sql)
        .await
        .unwrap();
    tell_redis(&first.config.redis_url, &format!("HSET {{{}}}:news:carried private:account:{wallet} 999999", first.config.redis_prefix))
        .await;
    second.order(&customer, 1_000).await;
    let committed = Instant::now();
    watcher.until_within("the balance", SWEPT, |state| state.balance("wallet") == Some((8_000, 2_000))).await;
    println!("a lost balance was found after {:?}", committed.elapsed());

    drop(other);
    drop(watcher);
    until("nobody listens", async || listeners().await == ":0").await;
}
