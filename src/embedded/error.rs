//! Why an embedded server could not be started, each as a sentence for the person at the terminal.

use std::{io, path::PathBuf};

/// Technical failures only; `Display` is meant to be shown as it is.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("{program} not found: install the Debian package {package}, or set {variable} to use a server of your own")]
    Missing { program: &'static str, package: &'static str, variable: &'static str },

    #[error(
        "another orderboard is running on {} ({owner}): stop it, or give this one another data directory",
        data.display()
    )]
    Busy { data: PathBuf, owner: String },

    #[error("cannot use {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },

    #[error("{} belongs to somebody else or is open to others: remove it, or choose a data directory with a shorter path", path.display())]
    NotPrivate { path: PathBuf },

    #[error("cannot start {name}: {source}")]
    Spawn { name: &'static str, source: io::Error },

    #[error("{name} ended while starting ({status}). The end of {}:\n{tail}", log.display())]
    Ended { name: &'static str, status: String, log: PathBuf, tail: String },

    #[error("{name} gave no answer within {waited_s} s and was stopped. The end of {}:\n{tail}", log.display())]
    Slow { name: &'static str, waited_s: u64, log: PathBuf, tail: String },

    #[error("process {pid}, {name} of an earlier run on {}, does not end: stop it by hand", data.display())]
    Leftover { name: &'static str, pid: i32, data: PathBuf },
}
