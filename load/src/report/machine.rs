//! What a run was made on, and with what: a figure without its machine says nothing.

use std::process::{Command, Stdio};

use crate::cli::Common;
use crate::server;

/// Name and value, for the page's head.
pub(super) fn facts(common: &Common) -> Vec<(&'static str, String)> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory_kb = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0);
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let mut facts = vec![
        ("command", command_line()),
        ("time", time_now()),
        (
            "machine",
            format!("{cpus} × {cpu}, {:.1} GiB, Linux {}", memory_kb / f64::from(1 << 20), read("/proc/sys/kernel/osrelease").trim()),
        ),
        ("load test", format!("{} {}", env!("CARGO_PKG_VERSION"), if cfg!(debug_assertions) { "(debug build)" } else { "" })),
    ];
    let versions = [
        ("server", server::executable(common).ok().map(Into::into)),
        ("MariaDB", Some(std::ffi::OsString::from("mariadbd"))),
        ("Redis", Some("redis-server".into())),
    ];
    for (name, program) in versions {
        // A server somewhere else has its own.
        if name != "server" && (common.url.is_some() || common.database_url.is_some()) {
            continue;
        }
        if let Some(version) = program.and_then(version) {
            facts.push((name, version));
        }
    }
    if let Some(url) = &common.url {
        facts.push(("against", url.clone()));
    }
    facts
}

fn version(program: std::ffi::OsString) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let first = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    output.status.success().then_some(first)
}

/// Passwords within addresses are nobody's business.
fn command_line() -> String {
    let words = std::env::args().enumerate().map(|(n, word)| match (n, word.rsplit_once('/')) {
        (0, Some((_, name))) => name.to_owned(),
        _ => without_password(&word),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority_ends = rest.find('/').unwrap_or(rest.len());
    match rest[..authority_ends].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => word.to_owned(),
    }
}

fn time_now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    crate::history::rfc3339(u64::try_from(since.as_micros()).unwrap_or(0) / 1_000_000 * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_told() {
        assert_eq!(without_password("--database-url=mysql://me:secret@host/db"), "--database-url=mysql://…@host/db");
        assert_eq!(without_password("mysql://me:p@ss@host"), "mysql://…@host");
        assert_eq!(without_password("http://127.0.0.1:80/@x"), "http://127.0.0.1:80/@x");
    }
}
