//! Who is at the other end of a connection: an address, or through proxies that are trusted, the address behind them.
//!
//! `connection` adds a [`Peer`] to each request, [`crate::edge`] asks whom to count it for. Invariant: only what a trusted
//! proxy wrote is believed, so that no client can choose its own address, or that of another.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Each proxy adds the address that its request came from at the end.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The client's address: the last one that is not a trusted proxy's. Where the header cannot be read, the peer's own.
    pub fn client(self, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
        let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(&address));
        let mut client = self.0.to_canonical();
        let mut hops: Vec<&[u8]> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .collect();
        while is_trusted(client) {
            let Some(hop) = hops.pop() else { break };
            match address(hop) {
                Some(address) => client = address,
                None => return self.0.to_canonical(),
            }
        }
        client
    }
}

/// An address, as proxies write it: with or without a port, in brackets or not.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(hop).parse::<IpAddr>();
    let address = address.or_else(|_| hop.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// What counts as one host: an IPv6 host has as many addresses as it likes, so it counts as its network of 64 bits.
pub fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(peer: &str, headers: &[&str], client: &str) {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|range| range.parse().unwrap());
        let headers: HeaderMap = headers
            .iter()
            .map(|value| (FORWARDED_FOR, value.parse().unwrap()))
            .collect();
        assert_eq!(
            Peer(ip(peer)).client(&headers, &trusted),
            ip(client),
            "{headers:?}"
        );
    }

    #[test]
    fn the_last_address_that_is_no_proxys_is_the_clients() {
        check("10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check(
            "10.0.0.1",
            &["198.51.100.1, 203.0.113.7, 10.0.0.2"],
            "203.0.113.7",
        );
        check(
            "10.0.0.1",
            &["198.51.100.1", "203.0.113.7,10.0.0.2"],
            "203.0.113.7",
        );
        check("::ffff:10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7");
        check("fd00::1", &["[2001:db8::7]:80"], "2001:db8::7");
        check("fd00::1", &["[2001:db8::7]"], "2001:db8::7");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &[], "10.0.0.1");
        // What is left of the client is the client's own word.
        check("10.0.0.1", &["nonsense, 203.0.113.7"], "203.0.113.7");
        for malformed in [
            "unknown",
            "203.0.113.7, ",
            "_hidden, 10.0.0.2",
            "203.0.113.7:x",
            "\u{e4}",
        ] {
            check("10.0.0.1", &[malformed], "10.0.0.1");
        }
    }

    #[test]
    fn the_addresses_of_one_network_are_one_host() {
        assert_eq!(host(ip("2001:db8::1:2:3:4")), host(ip("2001:db8::9")));
        assert_ne!(host(ip("2001:db8:0:1::1")), host(ip("2001:db8::1")));
        assert_eq!(host(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
