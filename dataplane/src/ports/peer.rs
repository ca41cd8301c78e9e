//! Whom a request comes from, by its address: the account of clients without credentials.
//!
//! A connection notes its peer in each of its requests, the edge asks [`account`]. Invariant: an address that anybody could
//! have written is believed only from proxies that the route trusts; and one network of 64 bits is one IPv6 client, since
//! that is what one customer has.

use std::net::{IpAddr, Ipv6Addr};

use http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// The other end of the connection, among a request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The client's address, or its network; `None` where the request came by no connection.
pub fn account(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Option<String> {
    let Peer(peer) = extensions.get()?;
    Some(network(client(*peer, headers, trusted)))
}

/// The last address on the way here that no trusted proxy has; each proxy appends the one that it saw.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
    let mut client = peer;
    let lines = headers.get_all("x-forwarded-for").iter();
    let lines: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
    let mut before = lines.iter().flat_map(|line| line.split(',')).rev();
    while is_trusted(&client) {
        match before.next().and_then(address) {
            Some(further) => client = further,
            None => break,
        }
    }
    client
}

/// An address as proxies write it, some with the port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse().ok().map(|socket: std::net::SocketAddr| socket.ip());
    text.parse().ok().or_else(with_port)
}

fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            format!("{}/64", Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], expect: &str) {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let account = account(&extensions, &headers, &trusted);
        assert_eq!(account.as_deref(), Some(expect), "{peer} {forwarded:?}");
    }

    #[test]
    fn what_a_client_writes_itself_is_not_believed() {
        check("192.0.2.1", &[], "192.0.2.1");
        check("192.0.2.1", &["198.51.100.9"], "192.0.2.1");
        check("10.0.0.1", &["203.0.113.7, 192.0.2.1"], "192.0.2.1");
        check("10.0.0.1", &["203.0.113.7", "192.0.2.1"], "192.0.2.1");
        check("10.0.0.1", &["192.0.2.1, 10.9.9.9"], "192.0.2.1");
        check("10.0.0.1", &["nonsense"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("::ffff:10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1");
    }

    #[test]
    fn one_network_of_ipv6_is_one_client() {
        check("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::/64");
        check("fd00::1", &["2001:db8:1:2::9, [fd00::2]:80"], "2001:db8:1:2::/64");
    }
}
