//! Host patterns: a name, an IP address, or `*.` and a domain, which matches its subdomains at any depth.
//!
//! Used by the allowlists of receivers and by the transport's check of the `Host` header.
//!
//! Invariant: case and one trailing dot never matter; `*.example.com` matches neither `example.com` itself nor an
//! address.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A host name, an IP address, or `*.` and a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HostPattern(String);

impl HostPattern {
    /// Makes a pattern from a text; `validate` checks whether it is valid.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text the user wrote.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names one host, not a whole domain. Only an exact entry allows a name that is otherwise refused.
    pub fn is_exact(&self) -> bool {
        !self.0.starts_with("*.")
    }

    /// Whether a URL's host, without its port, matches. An IPv6 address may be in brackets.
    pub fn matches(&self, host: &str) -> bool {
        let host = normal(host);
        match self.0.strip_prefix('*') {
            Some(suffix) if host.parse::<IpAddr>().is_err() => {
                let suffix = suffix.to_ascii_lowercase();
                host.len() > suffix.len() && host.ends_with(&suffix)
            }
            Some(_) => false,
            None => normal(&self.0) == host,
        }
    }
}

/// The host in lower case, without brackets and without the dot of an absolute name; an address in its usual form.
fn normal(host: &str) -> String {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    host.parse::<IpAddr>()
        .map_or_else(|_| host.to_ascii_lowercase(), |address| address.to_string())
}

impl AsRef<str> for HostPattern {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, host: &str, expect: bool) {
        assert_eq!(
            HostPattern::new(pattern).matches(host),
            expect,
            "{pattern} on {host}"
        );
    }

    #[test]
    fn a_name_matches_itself_in_any_case() {
        check("hooks.example.com", "Hooks.Example.COM.", true);
        check("hooks.example.com", "evil-hooks.example.com", false);
    }

    #[test]
    fn a_wildcard_matches_any_depth_but_not_the_domain_itself() {
        check("*.example.com", "a.example.com", true);
        check("*.example.com", "a.b.example.com", true);
        check("*.example.com", "example.com", false);
        check("*.example.com", "badexample.com", false);
        check("*.0.0.1", "127.0.0.1", false);
    }

    #[test]
    fn an_address_matches_in_any_spelling() {
        check("::1", "[::1]", true);
        check("::1", "0:0:0:0:0:0:0:1", true);
        check("127.0.0.1", "127.0.0.1", true);
    }
}
