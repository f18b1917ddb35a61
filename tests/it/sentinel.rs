//! Redis behind sentinels: the primary dies, hangs and comes back, and costs nothing but speed.

use std::time::Duration;

use orderboard::bus::{Bus, BusConfig, Queue};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use crate::support::bazaar::Bazaar;
use crate::support::redises::Sentinels;
use crate::support::{TestApp, until};

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

/// Who asks by queue and hears nothing asks again. Who was answered may rely on it: the answer outlives the primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_as_sent_when_a_replica_has_it() {
    let mut rig = Sentinels::start().await;
    let url = rig.url();
    let app = TestApp::start_with(|config| {
        config.redis_url = url;
        config.limits.billing_workers = 1;
    })
    .await;
    let user = app.customer(0).await;
    let queue = Queue::connect(&app.config.redis_url, &app.config.billing_streams).await.unwrap();
    let credit = |id: &str| {
        json!({"operation_id": id, "type": "credit", "user_id": user.id, "account": "wallet", "currency": "RUB", "amount": 1}).to_string()
    };
    let unsent = async || -> i64 { sqlx::query_scalar("select count(*) from outgoing").fetch_one(&app.sql).await.unwrap() };
    let balance = async || app.balance(&user, "wallet").await.0;
    let primary = rig.primary().await;
    let replicas: Vec<usize> = (0..3).filter(|place| *place != primary).collect();
    queue.request(&credit("first")).await.unwrap();
    until("the first is carried out and sent", async || balance().await == 1 && unsent().await == 0).await;

    replicas.iter().for_each(|place| rig.servers[*place].signal(Signal::STOP));
    queue.request(&credit("second")).await.unwrap();
    let responses = format!("XLEN {}:responses", app.config.billing_streams);
    until("the second is answered", async || rig.servers[primary].tell(&responses).await != "1").await;
    assert_eq!((balance().await, unsent().await), (2, 1), "carried out, and not taken for sent");
    replicas.iter().for_each(|place| rig.servers[*place].signal(Signal::CONT));
    until("the second is sent", async || unsent().await == 0).await;
    rig.servers[primary].kill().await;
    let promoted = rig.promoted(primary).await;
    let answers = rig.servers[promoted].tell(&format!("XRANGE {}:responses - +", app.config.billing_streams)).await;
    assert!(answers.contains("first") && answers.contains("second"), "{answers}");
    assert_eq!(balance().await, 2, "each once");
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
