//! Where a job's result goes, and who named it.
//!
//! Part of the snapshot. Invariant: nothing here has been checked; the egress rules do that at every attempt.

use url::Url;

use super::Key;
use crate::egress::NamedBy;
use crate::signature::SigningKey;

/// A receiver, as jobs are indexed by it. Capacity and rate are per origin, which a query string does not change; the
/// breaker and `Retry-After` are per URL, so that one tenant of a shared host does not stop the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receiver {
    /// Its scheme, host and port.
    pub origin: Key,
    /// Its URL.
    pub url: Key,
}

impl Receiver {
    /// Before every receiver.
    pub const MIN: Self = Self {
        origin: Key([0; 8]),
        url: Key([0; 8]),
    };
    /// After every receiver.
    pub const MAX: Self = Self {
        origin: Key([255; 8]),
        url: Key([255; 8]),
    };

    /// The receiver with this URL. One that cannot be parsed is an origin of its own: every attempt refuses it.
    pub fn of(url: &str) -> Self {
        let parsed = Url::parse(url).ok();
        let origin = parsed.map(|url| url.origin().ascii_serialization());
        Self {
            origin: Key::of(origin.as_deref().unwrap_or(url)),
            url: Key::of(url),
        }
    }
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The receiver's URL as it was named.
    pub url: String,
    /// Who named it, which decides what it may be.
    pub named_by: NamedBy,
    /// The client's own key; it signs alone, in place of the route's.
    pub secret: Option<SigningKey>,
}

/// A receiver's URL as people may see it: without query, fragment and user info. Empty where it cannot be parsed.
pub fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return String::new(); // never accepted
    };
    url.set_query(None);
    url.set_fragment(None);
    // These fail only for a URL that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

impl Target {
    /// This receiver, in limits and in the due index.
    pub fn receiver(&self) -> Receiver {
        Receiver::of(&self.url)
    }
}
