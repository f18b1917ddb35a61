//! A market that goes on in the background while a test breaks things, and counts every answer it gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Answer, Connection, Dice, Request, TestApp, User};

/// What a market saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u32>,
    /// Calls that broke off without an answer.
    pub(crate) broken: u32,
    pub(crate) slowest: Duration,
    /// Orders whose accept was answered 200.
    pub(crate) taken: Vec<u64>,
    /// Orders whose accept was sent and never answered.
    pub(crate) unanswered: Vec<u64>,
}

impl Tally {
    pub(crate) fn count(&self, status: u16) -> u32 {
        self.answers.get(&status).copied().unwrap_or(0)
    }

    fn add(&mut self, other: Tally) {
        other.answers.into_iter().for_each(|(status, count)| *self.answers.entry(status).or_default() += count);
        self.broken += other.broken;
        self.slowest = self.slowest.max(other.slowest);
        self.taken.extend(other.taken);
        self.unanswered.extend(other.unanswered);
    }
}

pub(crate) struct Market {
    closing: watch::Sender<bool>,
    traders: JoinSet<Tally>,
}

/// One customer and one executor who trade with each other over one connection.
pub(crate) struct Trader {
    pub(crate) address: SocketAddr,
    pub(crate) customer: User,
    pub(crate) executor: User,
    /// Between two calls; zero for as fast as it goes.
    pub(crate) pause: Duration,
}

impl Market {
    pub(crate) fn open(traders: Vec<Trader>) -> Self {
        let (closing, closed) = watch::channel(false);
        let seeds = 1_u64..;
        let traders = traders.into_iter().zip(seeds).map(|(trader, seed)| trade(trader, Dice::new(seed), closed.clone())).collect();
        Self { closing, traders }
    }

    /// So many traders at each node.
    pub(crate) async fn at(nodes: &[&TestApp], each: usize, pause: Duration) -> Self {
        let mut traders = Vec::new();
        for node in nodes {
            for _ in 0..each {
                let (customer, executor) = (node.customer(1_000_000_000).await, node.executor().await);
                traders.push(Trader { address: node.address, customer, executor, pause });
            }
        }
        Self::open(traders)
    }

    /// Lets every call in hand be answered.
    pub(crate) async fn close(mut self) -> Tally {
        self.closing.send_replace(true);
        let mut all = Tally::default();
        while let Some(tally) = self.traders.join_next().await {
            all.add(tally.unwrap());
        }
        all
    }
}

struct Stall {
    trader: Trader,
    connection: Option<Connection>,
    tally: Tally,
    /// Whether the call in hand was ever put on a connection; one to a node that is gone was not.
    was_sent: bool,
    closed: watch::Receiver<bool>,
}

async fn trade(trader: Trader, mut dice: Dice, closed: watch::Receiver<bool>) -> Tally {
    let mut stall = Stall { trader, connection: None, tally: Tally::default(), was_sent: false, closed };
    let mut number = 0_u64;
    while !*stall.closed.borrow() {
        number += 1;
        let category = ["it", "repair", "delivery"][dice.below(3)];
        let draft = json!({"title": format!("Order {number}"), "description": "", "price": 1_000 + number, "category": category});
        let key = format!("market-{}-{number}", stall.trader.customer.id);
        let create =
            Request::new("POST", "/api/orders").bearer(Some(&stall.trader.customer.token)).header("idempotency-key", &key).json(&draft);
        let Some(created) = stall.until_answered(&create).await else { continue };
        assert_eq!(created.status, 201, "{}", created.text());
        let id = created.json()["id"].as_u64().unwrap();
        let steps: &[(&str, bool)] = match dice.below(4) {
            0 => &[("cancel", true)],
            1 => &[("accept", false), ("submit", false), ("confirm", true)],
            2 => &[("freeze", true)],
            _ => &[("accept", false)],
        };
        for (step, is_customers) in steps {
            let who = if *is_customers { &stall.trader.customer } else { &stall.trader.executor };
            let request = Request::new("POST", &format!("/api/orders/{id}/{step}")).bearer(Some(&who.token));
            let answer = stall.until_answered(&request).await;
            match (*step, answer) {
                ("accept", Some(answer)) if answer.status == 200 => stall.tally.taken.push(id),
                ("accept", None) if stall.was_sent => stall.tally.unanswered.push(id),
                (step, Some(answer)) => assert_eq!(answer.status, 200, "{step} {id}: {}", answer.text()),
                (_, None) => {}
            }
        }
    }
    stall.tally
}

impl Stall {
    /// Repeats a call that was answered 503 or broke off, as a client should; `None` when the market closes first.
    async fn until_answered(&mut self, request: &Request) -> Option<Answer> {
        self.was_sent = false;
        loop {
            tokio::time::sleep(self.trader.pause).await;
            let started = Instant::now();
            let answer = self.call(request).await;
            self.tally.slowest = self.tally.slowest.max(started.elapsed());
            match answer {
                Ok(answer) => {
                    *self.tally.answers.entry(answer.status).or_default() += 1;
                    if answer.status != 503 {
                        return Some(answer);
                    }
                    answer.refused(503, "unavailable");
                    let after: u64 = answer.header("retry-after").expect("a 503 says when to come back").parse().unwrap();
                    assert!(after >= 1);
                }
                Err(_) => {
                    self.tally.broken += 1;
                    self.connection = None;
                }
            }
            if *self.closed.borrow() {
                return None;
            }
            // A client's patience; what the test waits for are conditions.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn call(&mut self, request: &Request) -> std::io::Result<Answer> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(self.trader.address).await?);
        }
        self.was_sent = true;
        let answer = self.connection.as_mut().unwrap().call(request).await?;
        if answer.header("connection") == Some("close") {
            self.connection = None;
        }
        Ok(answer)
    }
}
