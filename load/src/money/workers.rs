//! Worker processes: started, killed, and watched for ending by themselves.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::error::Error;

const READY_WITHIN: Duration = Duration::from_secs(30);
const ENDED_WITHIN: Duration = Duration::from_secs(30);
/// What a process logs once it works.
const READY: &str = "ready";

/// How the executable is called.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Program {
    pub(crate) fn new(path: PathBuf, database_url: &str, redis_url: &str) -> Self {
        let environment = vec![("DATABASE_URL", database_url.into()), ("REDIS_URL", redis_url.into()), ("ORDERBOARD_LIMITS", "off".into())];
        Self { path, environment }
    }

    pub(crate) fn with(&self, name: &'static str, value: &impl ToString) -> Self {
        let mut program = self.clone();
        program.environment.retain(|(known, _)| *known != name);
        program.environment.push((name, value.to_string().into()));
        program
    }

    /// Runs it to its end, and returns how that was and what was printed.
    pub(crate) async fn output(&self, arguments: &[&str]) -> Result<(ExitStatus, String), Error> {
        let mut command = Command::new(&self.path);
        command.args(arguments).envs(self.environment.iter().cloned()).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await?;
        let printed = if output.status.success() { output.stdout } else { [output.stdout, output.stderr].concat() };
        Ok((output.status, String::from_utf8_lossy(&printed).into_owned()))
    }

    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<String, Error> {
        let (status, printed) = self.output(arguments).await?;
        if status.success() {
            return Ok(printed);
        }
        Err(Error::Server(format!("`orderboard {}` failed ({status}): {printed}", arguments.join(" "))))
    }

    /// The users it made, each with `credit` kopecks on the wallet.
    pub(crate) async fn users(&self, count: u64, credit: i64) -> Result<Vec<crate::server::Token>, Error> {
        let (count, credit) = (count.to_string(), credit.to_string());
        let mut arguments = vec!["user", "token", "--count", &count, "--role", "customer"];
        if credit != "0" {
            arguments.extend(["--credit", &credit]);
        }
        let printed = self.ask(&arguments).await?;
        Ok(printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }
}

pub(crate) struct Worker {
    child: Child,
    log: PathBuf,
    /// Where in the log this process begins.
    log_start: u64,
}

impl Worker {
    /// `serve` with what `program`'s environment says, logging into `log`.
    pub(crate) fn spawn(program: &Program, log: &Path) -> Result<Self, Error> {
        let output = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let log_start = output.metadata()?.len();
        let mut command = under_this_process(&program.path);
        command.arg("serve").envs(program.environment.iter().cloned()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // Ctrl-C is for the load test, which ends its workers itself.
        command.process_group(0);
        let child = command.spawn()?;
        Ok(Self { child, log: log.into(), log_start })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        Ok(self.child.try_wait()?)
    }

    /// Whether it ever got to work. Before that it may give up when MySQL or Redis is away; after that it may not.
    pub(crate) fn was_ready(&self) -> bool {
        self.words().contains(READY)
    }

    pub(crate) async fn until_ready(&mut self) -> Result<(), Error> {
        let give_up = Instant::now() + READY_WITHIN;
        while !self.was_ready() {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() > give_up {
                let ended = ended.map_or("is not ready".to_owned(), |status| format!("ended ({status})"));
                return Err(Error::Server(format!("a worker {ended}:\n{}", self.last_words())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(crate) async fn kill(mut self) -> Result<(), Error> {
        Ok(self.child.kill().await?)
    }

    /// In good order; how it ended.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus, Error> {
        if let Some(pid) = self.pid().and_then(|pid| rustix::process::Pid::from_raw(pid.try_into().ok()?)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        match tokio::time::timeout(ENDED_WITHIN, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                self.child.kill().await?;
                Err(Error::Server(format!("a worker was still there {ENDED_WITHIN:?} after SIGTERM:\n{}", self.last_words())))
            }
        }
    }

    pub(crate) fn last_words(&self) -> String {
        let words = self.words();
        let lines: Vec<&str> = words.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    fn words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(self.log_start).unwrap_or(0).min(log.len());
        String::from_utf8_lossy(&log[start..]).into_owned()
    }
}

/// Where there is a `setpriv`, a worker does not outlive a kill -9 of the load test.
fn under_this_process(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}
