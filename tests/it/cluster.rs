//! Redis as a cluster: the node that owns our slot dies, another one dies, the slot moves, and it costs nothing but speed.

use std::time::Duration;

use orderboard::bus::{Bus, BusConfig};
use tokio::time::Instant;

use crate::support::bazaar::Bazaar;
use crate::support::redises::Cluster;

fn news_key(bazaar: &Bazaar) -> String {
    format!("{{{}}}:news:meta", bazaar.pair.nodes[0].config.redis_prefix)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_the_node_that_owns_our_slot_costs_nothing_but_speed() {
    let mut cluster = Cluster::start().await;
    let mut bazaar = Bazaar::open(cluster.url()).await;
    let key = news_key(&bazaar);
    let owner = cluster.owner(&key, 0).await;
    let channels = cluster.nodes[owner].tell("PUBSUB SHARDCHANNELS").await;
    assert!(channels.contains(":news") && channels.contains(":u:"), "news goes by shards: {channels}");
    cluster.nodes[owner].kill().await;
    let killed = Instant::now();
    bazaar.probe_for(Duration::from_millis(500)).await;
    cluster.promoted(&key, owner).await;
    println!("another owner after {:?}", killed.elapsed());
    let up = bazaar.until_by_bus().await;
    println!("the bus is up {up:?} later");
    cluster.nodes[owner].start_again().await;
    cluster.until_whole().await;
    bazaar.probe_for(Duration::from_millis(500)).await;
    bazaar.close_right().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_is_followed() {
    let cluster = Cluster::start().await;
    let mut bazaar = Bazaar::open(cluster.url()).await;
    let streams = bazaar.pair.nodes[0].config.billing_streams.clone();
    for key in [news_key(&bazaar), format!("{streams}:requests"), format!("{streams}:responses"), news_key(&bazaar)] {
        let to = (cluster.owner(&key, 0).await + 1) % 3;
        cluster.move_slot(&key, to).await;
        bazaar.probe_for(Duration::from_millis(300)).await;
        let up = bazaar.until_by_bus().await;
        println!("{key} has moved; the bus is up {up:?} later");
    }
    bazaar.close_right().await;
}

#[tokio::test]
async fn a_node_of_a_cluster_is_not_taken_for_a_single_server() {
    let cluster = Cluster::start().await;
    let url = format!("redis://127.0.0.1:{}", cluster.nodes[0].port);
    let error = Bus::connect(BusConfig { url, prefix: "test".to_owned() }).await.err().expect("does not connect").to_string();
    assert!(error.contains("redis-cluster://"), "{error}");
}
