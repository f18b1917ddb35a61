//! Redis behind sentinels: the primary dies, hangs and comes back, and costs nothing but speed.

use std::time::Duration;

use orderboard::bus::{Bus, BusConfig};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::support::bazaar::Bazaar;
use crate::support::redises::Sentinels;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_costs_nothing_but_speed() {
    let mut rig = Sentinels::start().await;
    let mut bazaar = Bazaar::open(rig.url()).await;
    for round in 1..=2 {
        let primary = rig.primary().await;
        rig.servers[primary].kill().await;
        let killed = Instant::now();
        bazaar.probe_for(Duration::from_millis(500)).await;
        rig.promoted(primary).await;
        println!("round {round}: another primary after {:?}", killed.elapsed());
        let up = bazaar.until_by_bus().await;
        println!("the bus is up {up:?} later");
        rig.servers[primary].start_again().await;
        rig.until_replicated(2).await;
        bazaar.probe_for(Duration::from_millis(500)).await;
    }
    bazaar.close_right().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_hangs_is_left_and_comes_back_as_a_replica() {
    let rig = Sentinels::start().await;
    let mut bazaar = Bazaar::open(rig.url()).await;
    let primary = rig.primary().await;
    rig.servers[primary].signal(Signal::STOP);
    let stopped = Instant::now();
    bazaar.probe_for(Duration::from_millis(500)).await;
    rig.promoted(primary).await;
    println!("another primary after {:?}", stopped.elapsed());
    let up = bazaar.until_by_bus().await;
    println!("the bus is up {up:?} later");
    // It believes that it is the primary until a sentinel tells it.
    rig.servers[primary].signal(Signal::CONT);
    bazaar.probe_for(Duration::from_secs(1)).await;
    rig.until_replicated(2).await;
    bazaar.until_by_bus().await;
    bazaar.close_right().await;
}

#[tokio::test]
async fn a_url_of_sentinels_that_cannot_work_says_why() {
    let rig = Sentinels::start().await;
    let connect = async |url: String| {
        let error = Bus::connect(BusConfig { url, prefix: "test".to_owned() }).await.err();
        error.expect("does not connect").to_string()
    };
    let unknown = connect(rig.url().replace("ServiceName=board", "ServiceName=bored")).await;
    assert!(unknown.contains("no sentinel knows a primary called bored"), "{unknown}");
    let nameless = connect(rig.url().replace("sentinelServiceName=board&", "")).await;
    assert!(nameless.contains("service name"), "{nameless}");
    let place = rig.url().split_once("://").unwrap().1.split_once('?').unwrap().0.to_owned();
    let single = connect(format!("redis://{place}")).await;
    assert!(single.contains("is a sentinel"), "{single}");
    let cluster = connect(format!("redis-cluster://127.0.0.1:{}", rig.servers[0].port)).await;
    assert!(cluster.contains("cluster support disabled"), "{cluster}");
}
