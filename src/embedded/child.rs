//! One child process from its birth to its end. For `embedded` only.
//!
//! Each child has a thread of ours that starts it and then waits for it. The thread is not a convenience:
//! `setpriv --pdeathsig` has the kernel kill the child when the *thread* that started it ends, so that thread
//! must live as long as this process does; a thread of the runtime's blocking pool would not. That is what lets
//! the servers follow a `kill -9` of ours without a line of unsafe code.
//!
//! The signal is SIGKILL. MariaDB's log is flushed at each commit and Redis loses what any crash costs it (at most
//! two seconds of news), while MariaDB 10.11 that gets a SIGTERM in its first tenth of a second hears neither that
//! one nor any later one, and stays for good. So a child that was not ready yet is never asked to end, but killed.
//!
//! Each child leads a process group: Ctrl-C in a terminal reaches the orderboard alone, which finishes its work
//! with its servers still there and then ends them.
//!
//! Never here: what a server is told or how it answers; a wait without a bound.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::{
    sync::{oneshot, watch},
    time::{sleep, timeout},
};
use tracing::warn;

use super::{
    error::EmbeddedError,
    place::{Place, directory},
};

/// From being asked to end to being made to.
const STOP: Duration = Duration::from_secs(20);
/// From SIGKILL to being gone; longer only when the kernel is stuck on the disk.
const KILL: Duration = Duration::from_secs(5);
/// A server that recovers from a crash answers only afterwards.
const READY: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);
/// One try to get an answer from a server.
const PROBE: Duration = Duration::from_secs(2);
const LOG_BYTES_MAX: u64 = 16 << 20;
const TAIL_BYTES: u64 = 16 << 10;
const TAIL_LINES: usize = 6;

/// What to run.
pub(super) struct Launch {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) stdin: Option<File>,
    pub(super) log: PathBuf,
}

/// A process that runs, or ran. Dropping it tells it to end and does not wait.
#[derive(Debug)]
pub(super) struct Child {
    name: &'static str,
    pid: Pid,
    end: watch::Receiver<Option<ExitStatus>>,
    ready: bool,
    log: PathBuf,
    /// Where in the log this run begins.
    log_start: u64,
}

impl Child {
    pub(super) async fn spawn(launch: Launch) -> Result<Self, EmbeddedError> {
        let Launch { name, log, .. } = &launch;
        let (name, log) = (*name, log.clone());
        let (output, log_start) = open_log(&log)?;
        let (born, birth) = oneshot::channel();
        let (ended, end) = watch::channel(None);
        let parent = move || match command(launch, output).and_then(|mut command| command.spawn()) {
            Ok(mut child) => {
                if born.send(Ok(child.id())).is_err() {
                    // Whoever wanted it has stopped waiting.
                    let _ = child.kill();
                }
                // Fails only if somebody else had collected the child, which nobody does.
                let status = child.wait().unwrap_or_default();
                let _ = ended.send(Some(status));
            }
            Err(error) => {
                let _ = born.send(Err(error));
            }
        };
        let failed = |source| EmbeddedError::Spawn { name, source };
        thread::Builder::new().name(format!("{name}-parent")).spawn(parent).map_err(failed)?;
        let pid = birth.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())).map_err(failed)?;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        Ok(Self { name, pid, end, ready: false, log, log_start })
    }

    /// Resolves with the status once the process is gone. Safe to drop and call again.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        match self.end.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The thread that waits is gone without a word: the process must be, too.
            Err(_) => ExitStatus::default(),
        }
    }

    /// Asks `probe` again and again until it says yes; a child that ends or says nothing for too long is an error.
    pub(super) async fn ready(&mut self, probe: impl AsyncFn() -> bool) -> Result<(), EmbeddedError> {
        let answered = async {
            while !timeout(PROBE, probe()).await.unwrap_or(false) {
                sleep(POLL).await;
            }
        };
        let outcome = tokio::select! {
            () = answered => Some(None),
            status = self.ended() => Some(Some(status)),
            () = sleep(READY) => None,
        };
        match outcome {
            Some(None) => {
                self.ready = true;
                Ok(())
            }
            Some(Some(status)) => Err(self.ended_early(status)),
            None => Err(self.slow().await),
        }
    }

    /// For a child that does one thing and ends.
    pub(super) async fn finished(mut self) -> Result<(), EmbeddedError> {
        match timeout(READY, self.ended()).await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.ended_early(status)),
            Err(_) => Err(self.slow().await),
        }
    }

    /// SIGTERM, then SIGKILL for one that does not listen. For a child that is ready.
    pub(super) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        if timeout(STOP, self.ended()).await.is_err() {
            warn!(server = self.name, after_s = STOP.as_secs(), "did not end when asked, killing it");
            self.kill().await;
        }
    }

    pub(super) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = timeout(KILL, self.ended()).await;
    }

    /// A sentence for the log and the person: which server, how it ended, and its last words.
    pub(super) async fn obituary(&mut self) -> String {
        let status = self.ended().await;
        format!("{} ended by itself ({status}). The end of {}:\n{}", self.name, self.log.display(), self.tail())
    }

    fn signal(&self, signal: Signal) {
        // A process that was waited for has no pid any more: the number may be a stranger's.
        if self.end.borrow().is_none() {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    fn ended_early(&self, status: ExitStatus) -> EmbeddedError {
        let status = status.to_string();
        EmbeddedError::Ended { name: self.name, status, log: self.log.clone(), tail: self.tail() }
    }

    async fn slow(&mut self) -> EmbeddedError {
        self.kill().await;
        EmbeddedError::Slow { name: self.name, waited_s: READY.as_secs(), log: self.log.clone(), tail: self.tail() }
    }

    fn tail(&self) -> String {
        tail(&self.log, self.log_start).unwrap_or_default()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(if self.ready { Signal::TERM } else { Signal::KILL });
    }
}

/// Runs on the child's own thread: it looks at the machine.
fn command(launch: Launch, output: File) -> io::Result<Command> {
    let mut command = match lifeline() {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(&launch.program);
            command
        }
        None => Command::new(&launch.program),
    };
    command
        .args(&launch.arguments)
        .stdin(launch.stdin.map_or_else(Stdio::null, Stdio::from))
        .stdout(output.try_clone()?)
        .stderr(output)
        // Redis refuses to start under a locale that the machine lacks.
        .env("LC_ALL", "C")
        // Under systemd it is ours to say when we are ready.
        .env_remove("NOTIFY_SOCKET")
        .current_dir("/")
        .process_group(0);
    Ok(command)
}

/// The `setpriv` of util-linux; the one of busybox has no `--pdeathsig`.
fn lifeline() -> Option<PathBuf> {
    let setpriv = find(&["setpriv"])?;
    let help = Command::new(&setpriv).arg("--help").stdin(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&help.stdout).contains("--pdeathsig").then_some(setpriv)
}

/// The first of `programs` that is installed. Debian keeps servers where an ordinary user's PATH does not look.
pub(super) fn find(programs: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/homebrew/bin"];
    let dirs: Vec<PathBuf> = env::split_paths(&path).chain(usual.into_iter().map(PathBuf::from)).collect();
    programs.iter().find_map(|program| dirs.iter().map(|dir| dir.join(program)).find(|file| file.is_file()))
}

pub(super) fn log_path(place: &Place, name: &str) -> PathBuf {
    place.log.join(format!("{}.log", name.to_lowercase()))
}

fn open_log(path: &Path) -> Result<(File, u64), EmbeddedError> {
    let failed = |source| directory(path, source);
    if fs::metadata(path).is_ok_and(|found| found.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.1")).map_err(failed)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let start = file.metadata().map_err(failed)?.len();
    Ok((file, start))
}

/// The last lines since `start`; only the errors among them if a server marked any.
fn tail(path: &Path, start: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(start.max(end.saturating_sub(TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let errors: Vec<&str> = all.iter().copied().filter(|line| line.contains("ERROR")).collect();
    let lines = if errors.is_empty() { all } else { errors };
    let last = lines.iter().skip(lines.len().saturating_sub(TAIL_LINES));
    Ok(last.map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))
}
