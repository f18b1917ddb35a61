//! Where a request comes from when it comes by way of a proxy. `X-Forwarded-For` is believed from the proxies that an operator has
//! named and from nobody else: each of them appends whom it heard from, so the last address that is no proxy of ours is the caller's.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::HeaderMap;

/// Addresses of a header that are looked at; no house has more proxies in a row.
const HOPS_MAX: usize = 16;

/// One address, or a network such as `10.0.0.0/8`. An IPv4 address is kept as the IPv6 address that it maps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: u128,
    prefix: u32,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address and no network, such as 10.0.0.1 or 10.0.0.0/8");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(width), str::parse::<u32>).map_err(|_| wrong())?;
        if prefix > width {
            return Err(wrong());
        }
        let prefix = prefix + 128 - width;
        Ok(Self { base: bits(address) & mask(prefix), prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.base);
        match address.to_ipv4_mapped().zip(self.prefix.checked_sub(96)) {
            Some((address, prefix)) => write!(f, "{address}/{prefix}"),
            None => write!(f, "{address}/{}", self.prefix),
        }
    }
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        bits(address) & mask(self.prefix) == self.base
    }
}

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(pub Vec<Network>);

impl Proxies {
    /// Who is calling, where a proxy of ours says so; otherwise the peer itself.
    pub(super) fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.is_ours(peer) {
            return peer;
        }
        let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX);
        let mut caller = peer;
        for hop in hops {
            // What cannot be read may be anything; the proxy that appended it is known.
            let Ok(address) = hop.trim().parse::<IpAddr>() else { return caller };
            caller = address;
            if !self.is_ours(address) {
                return caller;
            }
        }
        caller
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> Proxies {
        Proxies(networks.iter().map(|network| network.parse().expect("a network")).collect())
    }

    fn caller(proxies: &Proxies, peer: &str, lines: &[&'static str]) -> String {
        let name = axum::http::HeaderName::from_static("x-forwarded-for");
        let headers = lines.iter().map(|line| (name.clone(), axum::http::HeaderValue::from_static(line))).collect();
        proxies.caller(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        let ours = proxies(&["10.0.0.0/8", "2001:db8::/32"]);
        assert_eq!(caller(&ours, "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(caller(&ours, "10.1.2.3", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(caller(&ours, "2001:db8::1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(caller(&proxies(&[]), "10.1.2.3", &["198.51.100.7"]), "10.1.2.3");
    }

    #[test]
    fn what_the_caller_has_written_itself_is_not_believed() {
        let ours = proxies(&["10.0.0.0/8"]);
        assert_eq!(caller(&ours, "10.1.2.3", &["127.0.0.1, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(caller(&ours, "10.1.2.3", &["127.0.0.1", "198.51.100.7, 10.9.9.9"]), "198.51.100.7");
        assert_eq!(caller(&ours, "10.1.2.3", &["198.51.100.7, nonsense"]), "10.1.2.3");
        assert_eq!(caller(&ours, "10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(caller(&ours, "10.1.2.3", &["10.0.0.5"]), "10.0.0.5");
    }

    #[test]
    fn a_network_is_read_and_told_alike() {
        for (text, told) in [("10.1.2.3", "10.1.2.3/32"), ("10.1.2.3/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("::1", "::1/128")] {
            assert_eq!(text.parse::<Network>().map(|network| network.to_string()).as_deref(), Ok(told));
        }
        for wrong in ["", "10.1.2", "10.0.0.0/33", "::/129", "10.0.0.0/x", "board.example"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
