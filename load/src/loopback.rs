//! Whom a run may touch: this machine, unless it was said that another one is meant.

use crate::cli::{Cli, Command};
use crate::error::Error;

pub(crate) fn check(cli: &Cli) -> Result<(), Error> {
    if cli.common.allow_remote {
        return Ok(());
    }
    let redis = match &cli.command {
        Command::Watchers(options) => &options.redis_url,
        Command::Money(options) => &options.redis_url,
        _ => &None,
    };
    for url in [&cli.common.url, &cli.common.database_url, redis].into_iter().flatten() {
        if !is_loopback(url) {
            let host = host(url);
            return Err(Error::Usage(format!("{host} is not this machine: say --allow-remote if it is yours to put under load")));
        }
    }
    Ok(())
}

/// What stands between the user and the port; nothing for a path.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['/', '?']).next().unwrap_or(rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    match rest.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => rest.split(':').next().unwrap_or(rest),
    }
}

fn is_loopback(url: &str) -> bool {
    let host = host(url);
    host.is_empty() || host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_machine_is_known_by_its_names() {
        let here = ["http://127.0.0.1:80", "http://localhost:80/", "http://[::1]:80", "redis+unix:///run/redis.sock", "127.0.0.3"];
        let here_too = "mysql://root:p@ss@localhost/orderboard?socket=/run/x@y.sock";
        assert!(here.into_iter().chain([here_too]).all(is_loopback));
        for other in ["http://10.0.0.1:80", "http://localhost.example.org", "redis://u:p@db:6379", "mysql://root@127.0.0.1.org/x"] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
