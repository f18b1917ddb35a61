//! Who runs a server over a data directory. For `embedded` only.
//!
//! `data/run/NAME.lock` is locked for as long as its owner lives: the kernel lets go of the lock however the
//! owner ends, so there is no stale one. The file's text says who (`pid N`) and, once the server answers, where
//! (`url …`); it means something only while the lock is held.
//!
//! Never here: a signal to a process whose command line does not name the server program *and* our directory.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::{ffi::OsStringExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{
    error::EmbeddedError,
    place::{Place, directory},
};

/// `url_in_use` holds a lock for an instant, and so does a child between fork and exec: look more than once.
const LOCK_TRIES: u32 = 10;
const POLL: Duration = Duration::from_millis(25);
const LEFTOVER_TERM: Duration = Duration::from_secs(15);
const LEFTOVER_KILL: Duration = Duration::from_secs(5);

/// The right to run one server over one data directory; given back on drop.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
    path: PathBuf,
}

impl Claim {
    pub(super) async fn take(place: &Place, name: &str) -> Result<Self, EmbeddedError> {
        let path = lock_path(&place.run, name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| directory(&path, source))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => {
                    let mut claim = Self { file, path };
                    claim.write(&format!("pid {}\n", process::id()))?;
                    return Ok(claim);
                }
                Err(TryLockError::WouldBlock) => sleep(POLL).await,
                Err(TryLockError::Error(source)) => return Err(directory(&path, source)),
            }
        }
        let owner = field(&path, "pid").map_or_else(|| "starting or stopping".to_owned(), |pid| format!("pid {pid}"));
        Err(EmbeddedError::Busy { data: place.data.clone(), owner })
    }

    /// Tells other processes where the server answers.
    pub(super) fn announce(&mut self, url: &str) -> Result<(), EmbeddedError> {
        self.write(&format!("pid {}\nurl {url}\n", process::id()))
    }

    fn write(&mut self, text: &str) -> Result<(), EmbeddedError> {
        // Never shorter than before while it is being written, so that a reader sees no half of a line.
        let written =
            self.file.rewind().and_then(|()| self.file.write_all(text.as_bytes())).and_then(|()| self.file.set_len(text.len() as u64));
        written.map_err(|source| directory(&self.path, source))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// The url that the owner of a claim announced, if there is an owner.
pub(super) fn url_in_use(data: &Path, name: &str) -> Option<String> {
    let path = lock_path(&data.join("run"), name);
    match File::open(&path).ok()?.try_lock_shared() {
        Err(TryLockError::WouldBlock) => field(&path, "url"),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn lock_path(run: &Path, name: &str) -> PathBuf {
    run.join(format!("{}.lock", name.to_lowercase()))
}

fn field(path: &Path, key: &str) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    // Only whole lines count: the last one may still be on its way.
    let (whole, _) = text.rsplit_once('\n')?;
    whole.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned))
}

/// Stops what an earlier owner left running on our directory: a server that outlived a `kill -9` because the
/// machine has no `setpriv`, or one that was asked to end and is not done yet. The caller holds the claim.
///
/// `argument` is the command-line argument, whole, that names our directory.
pub(super) async fn stop_leftovers(place: &Place, name: &'static str, programs: &[&str], argument: &OsStr) -> Result<(), EmbeddedError> {
    for (signal, patience) in [(Signal::TERM, LEFTOVER_TERM), (Signal::KILL, LEFTOVER_KILL)] {
        let found = processes_on(programs, argument);
        if found.is_empty() {
            return Ok(());
        }
        for pid in found {
            warn!(server = name, pid = pid.as_raw_nonzero().get(), ?signal, "stopping what an earlier run left");
            let _ = rustix::process::kill_process(pid, signal);
        }
        let deadline = Instant::now() + patience;
        while !processes_on(programs, argument).is_empty() && Instant::now() < deadline {
            sleep(POLL).await;
        }
    }
    match processes_on(programs, argument).first() {
        None => Ok(()),
        Some(pid) => Err(EmbeddedError::Leftover { name, pid: pid.as_raw_nonzero().get(), data: place.data.clone() }),
    }
}

/// By command line, not by a recorded pid: a pid may be somebody else's by now, and a server may have been left
/// before its pid was written down. Without `/proc` (macOS) nothing is found, and the server itself refuses the
/// locked files.
fn processes_on(programs: &[&str], argument: &OsStr) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let command_line = fs::read(entry.path().join("cmdline")).ok()?;
            runs(&command_line, programs, argument).then_some(pid)
        })
        .collect()
}

fn runs(command_line: &[u8], programs: &[&str], argument: &OsStr) -> bool {
    let mut arguments = command_line.split(|byte| *byte == 0).map(|part| OsString::from_vec(part.to_vec()));
    // The program stands first, or behind `setpriv … --` for the instant before it is executed.
    let is_program = |part: OsString| Path::new(&part).file_name().and_then(OsStr::to_str).is_some_and(|file| programs.contains(&file));
    arguments.by_ref().take(5).any(is_program) && arguments.any(|part| part == argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_server_on_our_directory_is_a_leftover() {
        let ours = OsStr::new("--datadir=/srv/a/data/mariadb");
        let check = |line: &str| runs(line.replace(' ', "\0").as_bytes(), &["mariadbd"], ours);
        assert!(check("/usr/sbin/mariadbd --no-defaults --datadir=/srv/a/data/mariadb"));
        assert!(check("setpriv --pdeathsig TERM -- /usr/sbin/mariadbd --datadir=/srv/a/data/mariadb"));
        assert!(!check("/usr/sbin/mariadbd --datadir=/srv/a/data/mariadb2"));
        assert!(!check("/usr/sbin/mariadbd"));
        assert!(!check("grep --datadir=/srv/a/data/mariadb"));
    }
}
