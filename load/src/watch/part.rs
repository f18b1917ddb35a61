//! A share of the sockets in a process of its own: a process may open only so many files. The parent tells it what to do
//! by a word a line, and it answers each with a line of JSON.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::engine::{Engine, Look};
use super::open::{self, Portion, Target};
use super::seen::Seen;
use crate::cli::WatchPart;
use crate::error::Error;

const OPENED: &str = "opened";
const BEGIN: &str = "begin";
const LOOK: &str = "look";
const END: &str = "end";

/// The parent's side.
pub(crate) struct Part {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Part {
    pub(super) fn start(target: &Target, portion: Portion, nap: Duration) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["watch-part", "--authority", &target.authority, "--path", &target.path]);
        command.args(["--from", &portion.from.to_string(), "--sockets", &portion.count.to_string()]);
        command.args(["--sources", &portion.sources.to_string(), "--nap-us", &nap.as_micros().to_string()]);
        // Ctrl-C is for the parent; a child ends when its parent does, because its input then ends.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(words), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Server("a part of the load test has no pipes".into()));
        };
        Ok(Self { child, words, answers: BufReader::new(answers) })
    }

    pub(super) fn wait_until_open(&mut self) -> Result<(), Error> {
        self.ask(OPENED)
    }

    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.ask(BEGIN)
    }

    pub(super) fn look(&mut self) -> Result<Look, Error> {
        self.ask(LOOK)
    }

    pub(super) fn end(&mut self, injected: u64) -> Result<Seen, Error> {
        self.ask(&format!("{END} {injected}"))
    }

    fn ask<T: DeserializeOwned>(&mut self, words: &str) -> Result<T, Error> {
        writeln!(self.words, "{words}")?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(Error::Server(format!("a part of the load test has ended ({:?})", self.child.try_wait())));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It holds nothing but sockets.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's side.
pub(crate) async fn run(options: &WatchPart, stop: &CancellationToken) -> Result<(), Error> {
    let target = Target { authority: options.authority.as_str().into(), path: options.path.clone(), protocol: options.protocol };
    let engine = Engine::start(target.protocol, Duration::from_micros(options.nap_us))?;
    let portion = Portion { from: options.from, count: options.sockets, sources: options.sources };
    open::open_all(&target, portion, &engine, stop).await?;
    tokio::task::spawn_blocking(move || answer(&engine)).await?
}

fn answer(engine: &Engine) -> Result<(), Error> {
    let mut out = std::io::stdout();
    for line in std::io::stdin().lines() {
        let line = line?;
        let answer = match line.split_once(' ').unwrap_or((&line, "")) {
            (OPENED, _) => "null".to_owned(),
            (BEGIN, _) => {
                engine.begin()?;
                "null".to_owned()
            }
            (LOOK, _) => serde_json::to_string(&engine.look()?)?,
            (END, injected) => serde_json::to_string(&engine.end(injected.parse().unwrap_or(0))?)?,
            (other, _) => return Err(Error::Usage(format!("{other}: not a word that this process knows"))),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
