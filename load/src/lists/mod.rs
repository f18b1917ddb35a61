//! Every list over a database that has been in use for years: how long a page takes, however deep it lies.

use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use self::fill::{Market, People};
use self::pages::{Depth, LISTS, List, Who};
use self::told::Places;
use crate::Run;
use crate::check::{Check, Problems};
use crate::cli::{self, Common};
use crate::error::Error;
use crate::http::Client;
use crate::money::Dice;
use crate::progress::Progress;
use crate::report::{Latency, Report, Table, rounded};
use crate::server::{Server, Token};

mod fill;
mod pages;
mod told;

const PEOPLE: u64 = 200;
/// Calls before anything is timed: connections, caches, prepared statements.
const WARM_UP: u64 = 20;
/// Pages of a walk that collects cursors.
const WALK_MAX: usize = 400;

pub(crate) async fn run(common: &Common, options: &cli::Lists, run: &Run) -> Result<Report, Error> {
    if common.url.is_some() {
        return Err(Error::Usage(
            "lists fills a database with orders that nobody made: it needs a server of its own, without --url".into(),
        ));
    }
    let server = Server::reach(common).await?;
    let mut customers = server.tokens(PEOPLE, "customer", 0).await?;
    let mut executors = server.tokens(PEOPLE, "executor", 0).await?;
    // They were made side by side.
    for people in [&mut customers, &mut executors] {
        people.sort_unstable_by_key(|token| token.user_id);
    }
    let admins = server.tokens(1, "admin", 0).await?;
    let database = server.database().await?;
    let sides = [people(&customers)?, people(&executors)?];
    let market = Market::new(options, sides);
    let begun = Instant::now();
    fill::fill(&database, market, run).await?;
    let places = told::fill(&database, market, sides).await?;
    let mut report = Report::new(format!("lists: {} orders, pages at random depths", market.orders));
    report.figure("made in s", rounded(begun.elapsed().as_secs_f64()));
    let of_status = "select cast(status as char), count(*) from orders group by status order by status";
    let counts: Vec<(String, i64)> = sqlx::query_as(of_status).fetch_all(&database).await?;
    for (status, count) in counts {
        report.figure(&status, count);
    }

    let client = |who: Who| {
        server.client(match who {
            Who::Guest => None,
            Who::Customer => customers.first(),
            Who::FewCustomer => customers.last(),
            Who::Executor => executors.first(),
            Who::FewExecutor => executors.last(),
            Who::Admin => admins.first(),
        })
    };
    let progress = Progress::new("lists", LISTS.len() as u64);
    let mut whole = Check::new("each page is below its cursor, newest first, and no longer than was asked for");
    let mut fast = Check::new("each list answers in time at the 99th percentile, at any depth");
    let mut table = Table { heads: vec!["p50\nms", "p99\nms", "max\nms"], rows: Vec::new() };
    let mut dice = Dice::new(options.finished);
    for list in LISTS {
        if run.stop.is_cancelled() {
            break;
        }
        let mut reader =
            Reader { list, path: places.path(list), client: client(list.who), walked: Vec::new(), problems: Problems::default() };
        reader.walk().await?;
        let latency = reader.read(options.calls, market.orders, &mut dice).await;
        whole.seen += options.calls;
        whole.problems.merge(reader.problems);
        fast.seen += 1;
        let p99 = latency.quantile_ms(0.99);
        if p99 > options.limit_ms as f64 {
            fast.problems.add(|| format!("{}: p99 {p99:.1} ms instead of {}", list.name, options.limit_ms));
        }
        let cells = [latency.quantile_ms(0.5), p99, latency.max_ms()].map(rounded);
        table.rows.push((list.name.to_owned(), cells.to_vec()));
        progress.step();
    }
    report.table = Some(table);
    report.verdict.add([whole, fast]);
    Ok(report)
}

impl Places {
    fn path(&self, list: &List) -> String {
        list.path.replace("CUSTOMER", &self.customer.to_string()).replace("ORDER", &self.order.to_string())
    }
}

/// Their ids, which must follow each other: whose an order is, is computed.
fn people(tokens: &[Token]) -> Result<People, Error> {
    let first = tokens.first().map_or(0, |token| token.user_id);
    let count = tokens.len() as u64;
    match tokens.iter().map(|token| token.user_id).eq(first..first + count) {
        true => Ok(People { first, count }),
        false => Err(Error::Server("new users got ids that do not follow each other".into())),
    }
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

/// One list and who reads it.
struct Reader {
    list: &'static List,
    path: String,
    client: Client,
    walked: Vec<String>,
    problems: Problems,
}

impl Reader {
    /// Collects cursors, where only the list itself knows them.
    async fn walk(&mut self) -> Result<(), Error> {
        if !matches!(self.list.depth, Depth::Walked) {
            return Ok(());
        }
        let mut cursor: Option<String> = None;
        for _ in 0..WALK_MAX {
            let path = self.path(cursor.as_deref());
            let answer = self.client.get(&path).await?;
            let page: Page =
                serde_json::from_slice(answer.body).map_err(|error| Error::Server(format!("{path}: {} {error}", answer.status)))?;
            match &page.next {
                Some(next) => self.walked.push(next.clone()),
                None => break,
            }
            cursor = page.next;
        }
        Ok(())
    }

    fn path(&self, cursor: Option<&str>) -> String {
        let path = &self.path;
        match cursor {
            Some(cursor) => format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' }),
            None => path.clone(),
        }
    }

    async fn read(&mut self, calls: u64, orders: u64, dice: &mut Dice) -> Latency {
        let mut latency = Latency::new();
        for n in 0..calls + WARM_UP {
            let below = self.list.depth.most(orders).map(|most| dice.between(2, most));
            let cursor = below.map(|below| below.to_string()).or_else(|| dice.pick(&self.walked).cloned());
            let path = self.path(cursor.as_deref());
            let begun = Instant::now();
            let answer = self.client.get(&path).await;
            let took = begun.elapsed();
            let problem = match answer {
                Ok(answer) if answer.status == 200 => wrong_with(self.list.depth, below, answer.body),
                Ok(answer) => Some(format!("{} {}", answer.status, String::from_utf8_lossy(answer.body))),
                Err(error) => Some(error.to_string()),
            };
            if let Some(words) = problem {
                self.problems.add(|| format!("{path}: {words}"));
            }
            if n >= WARM_UP {
                latency.record(took);
            }
        }
        latency
    }
}

/// What a page should not be, of a list that counts down.
fn wrong_with(depth: Depth, below: Option<u64>, body: &[u8]) -> Option<String> {
    if matches!(depth, Depth::Top) {
        return None;
    }
    let Ok(page) = serde_json::from_slice::<Page>(body) else { return Some("no page".into()) };
    if page.items.len() > 50 {
        return Some(format!("{} items", page.items.len()));
    }
    let below = below?;
    let numbered = |item: &Value| item["id"].as_str().and_then(|id| id.rsplit('-').next()?.parse().ok());
    let number = |item: &Value| {
        ["id", "seq", "order_id"].iter().find_map(|name| item[*name].as_u64()).or_else(|| numbered(item)).unwrap_or(u64::MAX)
    };
    let numbers: Vec<u64> = page.items.iter().map(number).collect();
    let falls = numbers.windows(2).all(|pair| pair[0] > pair[1]);
    (!falls || numbers.first().is_some_and(|first| *first >= below)).then(|| format!("{numbers:?} below {below}"))
}
