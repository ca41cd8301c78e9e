//! The host that a request names: what keeps a page in a browser out whose own name leads to this machine (DNS rebinding).
//!
//! [`crate::edge::door`] asks it for the MCP port, [`crate::admin`] for the admin port. Invariant: what is not a host with
//! or without a port is nobody's host.

use std::net::IpAddr;

use asyncmcp_crds::HostPattern;
use http::header::HOST;
use http::{HeaderMap, Uri};

/// The host and port that the request is for; HTTP/2 has them in the URI.
pub fn of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let named = uri.authority().map(http::uri::Authority::as_str);
    let header = || headers.get(HOST).and_then(|host| host.to_str().ok());
    named.or_else(header).unwrap_or_default()
}

/// Whether it is this machine, as it calls itself.
pub fn is_loopback(host: &str) -> bool {
    let name = name_of(host).unwrap_or_default();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Whether it is an address. No name leads there, so nobody can make a browser take it for a host of theirs.
pub fn is_address(host: &str) -> bool {
    name_of(host).is_some_and(|name| name.parse::<IpAddr>().is_ok())
}

/// Whether one of the patterns matches it.
pub fn is_listed(listed: &[HostPattern], host: &str) -> bool {
    name_of(host).is_some_and(|name| listed.iter().any(|pattern| pattern.matches(name)))
}

/// The host without its port and without an IPv6 address's brackets; `None` where there is anything else in it.
fn name_of(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
    (is_whole && !name.is_empty() && !name.contains('@')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_name_or_an_address_and_perhaps_a_port() {
        for (host, name) in [
            ("localhost", Some("localhost")),
            ("localhost:80", Some("localhost")),
            ("localhost:", Some("localhost")),
            ("10.0.0.1:9464", Some("10.0.0.1")),
            ("[::1]:80", Some("::1")),
            ("[::1]", Some("::1")),
            ("localhost:80@evil.example", None),
            ("user@localhost", None),
            ("[::1]evil.example", None),
            ("localhost:80:90", None),
            ("localhost:80/x", None),
            ("[::1", None),
            (":80", None),
            ("", None),
        ] {
            assert_eq!(name_of(host), name, "{host}");
        }
    }

    #[test]
    fn an_address_is_told_from_a_name_that_looks_like_one() {
        for host in ["10.0.0.1:9464", "[fd00::1]:9464", "127.0.0.1"] {
            assert!(is_address(host), "{host}");
        }
        for host in [
            "10.0.0.1.evil.example",
            "0x7f.1",
            "localhost",
            "[localhost]",
            "fd00::1",
        ] {
            assert!(!is_address(host), "{host}");
        }
    }
}
