//! The addresses that no setting allows for receivers, servers and traces: link-local ranges and cloud metadata services.
//!
//! Invariant: this list only gives route authors an early error; the data plane's egress guard has its own list and
//! protects.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use super::Findings;

/// Link-local (RFC 3927, RFC 4291), and the metadata addresses of Alibaba, Azure, Oracle, AWS and Google.
const NEVER: [&str; 7] = [
    "169.254.0.0/16",
    "fe80::/10",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
];

const METADATA_NAME: &str = "metadata.google.internal";

/// Whether a whole range is always refused.
pub(super) fn is_never_reached(range: IpNet) -> bool {
    NEVER
        .iter()
        .filter_map(|never| never.parse::<IpNet>().ok())
        .any(|never| never.contains(&range))
}

/// Requires a URL not to name such a host. `what` it is for completes the message.
pub(super) fn check_url(path: &str, url: Option<&str>, what: &str, findings: &mut Findings) {
    let never = url.is_some_and(names_a_host_never_reached);
    findings.require(!never, path, &refusal(what));
}

/// The message about an address that is always refused.
pub(super) fn refusal(what: &str) -> String {
    format!("link-local and metadata addresses are always refused as {what}; use another address")
}

/// Whether the host of a URL is an address, in any notation, or a name that is always refused.
fn names_a_host_never_reached(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => is_never_reached(IpNet::from(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => is_never_reached(IpNet::from(IpAddr::V6(address).to_canonical())),
        Some(Host::Domain(name)) => name.trim_end_matches('.') == METADATA_NAME,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recognised_in_any_notation() {
        for url in [
            "http://169.254.169.254/latest",
            "http://0xa9fea9fe/",
            "http://2852039166:8080/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://Metadata.Google.Internal./",
        ] {
            assert!(names_a_host_never_reached(url), "{url}");
        }
    }

    #[test]
    fn private_and_loopback_addresses_are_the_authors_choice() {
        for url in [
            "http://127.0.0.1:18081/webhook",
            "http://10.0.0.1/",
            "http://[::1]/",
            "http://hooks.svc/",
        ] {
            assert!(!names_a_host_never_reached(url), "{url}");
        }
    }
}
