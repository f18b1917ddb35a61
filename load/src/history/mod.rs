//! A long history of money: how long the audit takes over it, and how fast it answers for any moment and any depth.

use std::time::Instant;

use serde::Deserialize;

use self::fill::{History, available_after};
use crate::Run;
use crate::check::Check;
use crate::cli::{self, Common};
use crate::error::Error;
use crate::http::Client;
use crate::money::Dice;
use crate::progress::Progress;
use crate::report::{Latency, Report, rounded};
use crate::server::Server;

mod fill;
mod moment;

pub(crate) use self::moment::rfc3339;

const ACCOUNTS: u64 = 8;
const CALLS: u64 = 2_000;
/// Calls before anything is timed: connections, caches, prepared statements.
const WARM_UP: u64 = 50;
const AUDIT_S_MAX_PER_MILLION: f64 = 30.0;
const BALANCE_P99_MS_MAX: f64 = 5.0;
const PAGE: u64 = 50;

pub(crate) async fn run(common: &Common, options: &cli::History, run: &Run) -> Result<Report, Error> {
    if common.url.is_some() {
        return Err(Error::Usage(
            "history fills a database with entries that nobody asked for: it needs a server of its own, without --url".into(),
        ));
    }
    let server = Server::reach(common).await?;
    let owners = server.tokens(ACCOUNTS, "customer", 0).await?;
    let database = server.database().await?;
    let history = History::new(options.entries, ACCOUNTS);
    let begun = Instant::now();
    fill::fill(&database, &owners, history, run).await?;
    let filled_s = begun.elapsed().as_secs_f64();

    let mut report = Report::new(format!("history: {} entries on {ACCOUNTS} accounts", history.entries_per_account * ACCOUNTS));
    report.figure("made in s", rounded(filled_s));
    let mut audit = Check::new("`orderboard audit` finds nothing, in at most 30 s for each million entries");
    let begun = Instant::now();
    audit.seen = 1;
    if let Err(error) = server.ask(&["audit"]).await {
        audit.problems.add(|| error.to_string());
    }
    let audit_s = begun.elapsed().as_secs_f64();
    let audit_s_max = AUDIT_S_MAX_PER_MILLION * (options.entries as f64 / 1e6).max(1.0);
    if audit_s > audit_s_max {
        audit.problems.add(|| format!("{audit_s:.1} s instead of {audit_s_max:.0}"));
    }
    report.figure("audit s", rounded(audit_s));
    let mut dice = Dice::new(options.entries);
    let mut clients: Vec<Client> = owners.iter().map(|owner| server.client(Some(owner))).collect();
    let (balance, balances) = balances(&mut clients, history, &mut dice, run).await;
    let mut fast = Check::new("the balance at a moment is told within 5 ms at the 99th percentile");
    fast.seen = balance.count();
    if balance.quantile_ms(0.99) > BALANCE_P99_MS_MAX {
        fast.problems.add(|| format!("p99 {:.2} ms", balance.quantile_ms(0.99)));
    }
    let (page, pages) = pages(&mut clients, history, &mut dice, run).await;
    report.verdict.add([audit, balances, fast, pages]);
    report.closed_loop("balance at a random moment", balance);
    report.closed_loop("50 entries at a random depth", page);
    Ok(report)
}

#[derive(Deserialize)]
struct Balance {
    available: u64,
    seq: u64,
}

async fn balances(clients: &mut [Client], history: History, dice: &mut Dice, run: &Run) -> (Latency, Check) {
    let mut check = Check::new("the balance at a moment is the one that was then");
    let mut latency = Latency::new();
    let progress = Progress::new("history: balances", CALLS + WARM_UP);
    // From a little before the first entry until a little after the last.
    let (least, most) = (history.start_us - 5 * history.step_us, history.start_us + (history.entries_per_account + 1) * history.step_us);
    for n in 0..CALLS + WARM_UP {
        if run.stop.is_cancelled() {
            break;
        }
        progress.step();
        let at_us = dice.between(least, most);
        let client = &mut clients[(n % ACCOUNTS) as usize];
        let path = format!("/api/accounts/wallet/balance?currency=RUB&at={}", moment::rfc3339(at_us));
        let begun = Instant::now();
        let answer = client.get(&path).await;
        let took = begun.elapsed();
        check.seen += 1;
        let seq = history.seq_at(at_us);
        match answer {
            Ok(answer) => match serde_json::from_slice::<Balance>(answer.body) {
                Ok(balance) if balance.seq == seq && balance.available == available_after(seq) => {}
                _ => {
                    let words = String::from_utf8_lossy(answer.body).into_owned();
                    check.problems.add(|| format!("{path}: entry {seq} and {} expected, answered {words}", available_after(seq)));
                }
            },
            Err(error) => check.problems.add(|| format!("{path}: {error}")),
        }
        if n >= WARM_UP {
            latency.record(took);
        }
    }
    (latency, check)
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    seq: u64,
}

async fn pages(clients: &mut [Client], history: History, dice: &mut Dice, run: &Run) -> (Latency, Check) {
    let mut check = Check::new("a page of entries begins below its cursor and is whole");
    let mut latency = Latency::new();
    let progress = Progress::new("history: pages", CALLS + WARM_UP);
    for n in 0..CALLS + WARM_UP {
        if run.stop.is_cancelled() {
            break;
        }
        progress.step();
        let cursor = dice.between(2, history.entries_per_account);
        let client = &mut clients[(n % ACCOUNTS) as usize];
        let path = format!("/api/accounts/wallet/entries?limit={PAGE}&cursor={cursor}");
        let begun = Instant::now();
        let answer = client.get(&path).await;
        let took = begun.elapsed();
        check.seen += 1;
        match answer {
            Ok(answer) => {
                let lines = serde_json::from_slice::<Page>(answer.body).map_or(Vec::new(), |page| page.items);
                let expected = (1..cursor).rev().take(PAGE as usize);
                if !lines.iter().map(|line| line.seq).eq(expected) {
                    let words: String = String::from_utf8_lossy(answer.body).chars().take(300).collect();
                    check.problems.add(|| format!("{path}: {words}"));
                }
            }
            Err(error) => check.problems.add(|| format!("{path}: {error}")),
        }
        if n >= WARM_UP {
            latency.record(took);
        }
    }
    (latency, check)
}
