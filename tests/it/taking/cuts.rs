//! Batches whose connection breaks: before the statement is sent, while it runs, after it was committed and before anybody
//! heard of it; and a node that dies in the middle.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::batches::{in_one_batch, orders};
use super::{executor_of, gather, start_in_batches};
use crate::support::node::Node;
use crate::support::until;

#[tokio::test]
async fn a_batch_whose_connection_is_killed_while_it_runs_is_decided_all_the_same() {
    let app = start_in_batches().await;
    let customer = app.customer(1_000_000).await;
    let takers = app.executors(21).await;
    gather(&app, &takers).await;
    for kills in [1, 2] {
        let orders = orders(&app, &customer, 21).await;
        let tries: Vec<_> = takers[1..].iter().zip(orders[1..].iter().copied()).collect();
        // The last row but one is locked, so that the batch stands still with most of its rows changed.
        let mut lock = app.sql.begin().await.unwrap();
        sqlx::query("select id from orders where id = ? for update").bind(orders[19]).execute(&mut *lock).await.unwrap();
        let killing = async {
            let mut killed = Vec::new();
            while killed.len() < kills {
                let running: Vec<u64> = sqlx::query_scalar(
                    "select cast(id as unsigned) from information_schema.processlist where db = database() and info like 'update orders force%'",
                )
                .fetch_all(&app.sql)
                .await
                .unwrap();
                for id in running.into_iter().filter(|id| !killed.contains(id)).collect::<Vec<_>>() {
                    sqlx::query(sqlx::AssertSqlSafe(format!("kill connection {id}"))).execute(&app.sql).await.unwrap();
                    killed.push(id);
                }
            }
            lock.commit().await.unwrap();
        };
        let (answers, ()) = tokio::join!(in_one_batch(&app, (&takers[0], orders[0]), &tries, async || {}), killing);
        for ((taker, order), answer) in tries.iter().zip(&answers) {
            assert_eq!(answer.expect(200)["executor_id"], taker.id);
            assert_eq!(executor_of(&app, *order).await, Some(taker.id));
        }
        let twice: i64 = sqlx::query_scalar("select count(*) from orders where version > 2").fetch_one(&app.sql).await.unwrap();
        assert_eq!(twice, 0, "each row was changed once");
    }
}

/// What becomes of a connection at a batched UPDATE.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The statement never reaches the server.
    Before,
    /// It does, and nobody waits for its end.
    Sent,
    /// It is done, and its answer is lost.
    Answered,
}

/// Between one node and MariaDB.
struct Proxy {
    port: u16,
    planned: Arc<std::sync::Mutex<Vec<Cut>>>,
    done: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (planned, done) = (Arc::<std::sync::Mutex<Vec<Cut>>>::default(), Arc::<AtomicUsize>::default());
        let proxy = Self { port, planned: planned.clone(), done: done.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(relay(client, server, planned.clone(), done.clone()));
            }
        });
        proxy
    }
}

/// MySQL's protocol: a packet is three bytes of length, its number, the command. A client says one thing and waits.
async fn relay(
    mut client: TcpStream,
    mut server: UnixStream,
    planned: Arc<std::sync::Mutex<Vec<Cut>>>,
    done: Arc<AtomicUsize>,
) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let (mut asked, mut told) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let (mut is_lane, mut cut) = (false, None);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let packet = &asked[..read.ok().filter(|&bytes| bytes > 0)?];
                let is = |command: u8| packet.get(4) == Some(&command) && packet[3] == 0;
                is_lane |= is(0x16) && packet[5..].starts_with(b"update orders force");
                if is_lane && is(0x17) && packet.len() > 100 {
                    cut = planned.lock().unwrap().pop();
                }
                if let Some(cut) = cut {
                    done.fetch_add(1, Ordering::Relaxed);
                    if matches!(cut, Cut::Before) {
                        return None;
                    }
                }
                server.write_all(packet).await.ok()?;
                if matches!(cut, Some(Cut::Sent)) {
                    return None;
                }
            }
            read = server.read(&mut told) => {
                let packet = &told[..read.ok().filter(|&bytes| bytes > 0)?];
                if cut.is_some() {
                    return None;
                }
                client.write_all(packet).await.ok()?;
            }
        }
    }
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_is_told_the_truth() {
    const ORDERS: usize = 24;
    let direct = start_in_batches().await;
    let url = direct.config.database_url.clone();
    let (server, socket) = url.split_once("?socket=").unwrap();
    let proxy = Proxy::start(PathBuf::from(socket)).await;
    let name = server.rsplit('/').next().unwrap();
    let through = format!("mysql://root@127.0.0.1:{}/{name}?ssl-mode=disabled", proxy.port);
    let app = direct.beside_with(|config| config.database_url = through).await;
    let customer = app.customer(10_000_000).await;
    let takers = app.executors(ORDERS as u64 + 2).await;
    gather(&app, &takers).await;
    let rival = &takers[ORDERS + 1];
    direct.get("/api/me", rival).await.expect(200);
    let mut planned = 0;
    for cuts in
        [&[Cut::Before][..], &[Cut::Sent], &[Cut::Answered], &[Cut::Answered, Cut::Sent], &[Cut::Sent, Cut::Before], &[Cut::Answered; 2]]
    {
        // Some orders go to a rival on another node in time, so that the batch is neither won nor lost as a whole.
        for lost in [0, 5] {
            let orders = orders(&app, &customer, ORDERS + 1).await;
            let tries: Vec<_> = takers[1..=ORDERS].iter().zip(orders[1..].iter().copied()).collect();
            let answers = in_one_batch(&app, (&takers[0], orders[0]), &tries, async || {
                for order in &orders[1..=lost] {
                    direct.accept(rival, *order).await.expect(200);
                }
                proxy.planned.lock().unwrap().extend(cuts);
                planned += cuts.len();
            })
            .await;
            for (n, ((taker, order), answer)) in tries.iter().zip(&answers).enumerate() {
                if n < lost {
                    assert_eq!(answer.refused(409, "taken")["by"]["id"], rival.id, "{cuts:?}");
                    assert_eq!(executor_of(&app, *order).await, Some(rival.id));
                } else {
                    assert_eq!(answer.expect(200)["executor_id"], taker.id, "{cuts:?}");
                    assert_eq!(executor_of(&app, *order).await, Some(taker.id));
                }
            }
            let stored: HashMap<u64, time::OffsetDateTime> =
                sqlx::query_as("select id, accepted_at from orders where accepted_at is not null")
                    .fetch_all(&app.sql)
                    .await
                    .unwrap()
                    .into_iter()
                    .collect();
            for ((_, order), answer) in tries.iter().zip(&answers).skip(lost) {
                let told = answer.json()["accepted_at"].as_str().unwrap().to_owned();
                let told = time::OffsetDateTime::parse(&told, &time::format_description::well_known::Rfc3339).unwrap();
                assert_eq!(told, stored[order], "{cuts:?}");
            }
        }
    }
    assert_eq!(proxy.done.load(Ordering::Relaxed), planned, "each cut that was planned was made");
    let twice: i64 = sqlx::query_scalar("select count(*) from orders where version > 2").fetch_one(&app.sql).await.unwrap();
    assert_eq!(twice, 0, "each row was changed once");
    app.assert_books_balance().await;
}

#[tokio::test]
async fn what_a_node_said_before_it_died_holds_and_the_rest_is_there_to_be_taken() {
    const ORDERS: usize = 300;
    let two = start_in_batches().await;
    // A process, because what is torn down in this one could still answer on its way.
    let one = Node::beside(&two, &[("ORDERBOARD_TAKE_CONNECTIONS", "1")]).await;
    let customer = two.customer(10_000_000).await;
    let takers = two.executors(60).await;
    gather(&two, &takers).await;
    let orders = orders(&two, &customer, ORDERS).await;
    let (address, answered) = (one.address, Arc::new(AtomicU64::new(0)));
    let racing = takers.iter().enumerate().map(|(n, taker)| {
        let mine: Vec<u64> = orders.iter().copied().skip(n % 7).step_by(3).collect();
        let (id, token, answered) = (taker.id, taker.token.clone(), answered.clone());
        tokio::spawn(async move {
            let mut told = Vec::new();
            let Ok(mut connection) = crate::support::Connection::open(address).await else { return (id, told) };
            for order in mine {
                let request = crate::support::Request::new("POST", &format!("/api/orders/{order}/accept")).bearer(Some(&token));
                // A dead node leaves a call without an answer for ever.
                let call = tokio::time::timeout(std::time::Duration::from_secs(3), connection.call(&request));
                let Ok(Ok(answer)) = call.await else { break };
                answered.fetch_add(1, Ordering::Relaxed);
                told.push((order, answer));
            }
            (id, told)
        })
    });
    let racing: Vec<_> = racing.collect();
    until("a race in full swing", async || answered.load(Ordering::Relaxed) > 100).await;
    one.kill().await;
    let told: Vec<_> = join_all(racing).await.into_iter().map(Result::unwrap).collect();
    let mut winners: HashMap<u64, u64> = HashMap::new();
    for (taker, told) in &told {
        for (order, _) in told.iter().filter(|(_, answer)| answer.status == 200) {
            assert!(winners.insert(*order, *taker).is_none(), "order {order} was won twice");
        }
    }
    for (order, answer) in told.iter().flat_map(|(_, told)| told).filter(|(_, answer)| answer.status != 200) {
        let by = answer.refused(409, "taken")["by"]["id"].as_u64().unwrap();
        assert_eq!(executor_of(&two, *order).await, Some(by));
    }
    println!("{} won before the node died, {} answers", winners.len(), answered.load(Ordering::Relaxed));
    assert!(!winners.is_empty());
    for order in &orders {
        let holder = executor_of(&two, *order).await;
        if let Some(winner) = winners.get(order) {
            assert_eq!(holder, Some(*winner), "order {order}");
        }
        let asker = &takers[0];
        let answer = two.accept(asker, *order).await;
        match holder {
            Some(holder) if holder != asker.id => assert_eq!(answer.refused(409, "taken")["by"]["id"], holder),
            _ => assert_eq!(answer.expect(200)["executor_id"], asker.id),
        }
    }
    two.assert_books_balance().await;
}
