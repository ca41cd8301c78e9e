//! The supported protocol versions, listed newest first everywhere, and the era of each.
//!
//! Used by the endpoint, for `initialize` in both directions, and by the client library.
//!
//! Invariant: 2024-11-05 is not supported, because its HTTP+SSE transport is not.

use std::fmt;

use serde::{Serialize, Serializer};

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2025-11-25 and older: `initialize`, sessions, the GET stream.
    Legacy,
    /// 2026-07-28 and newer: stateless POST.
    Modern,
}

/// A version of the Model Context Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Introduces Streamable HTTP; the only version with batches.
    V2025_03_26,
    /// Removes batches, adds the header `MCP-Protocol-Version`.
    V2025_06_18,
    /// The newest version with sessions.
    V2025_11_25,
    /// The first version without sessions.
    V2026_07_28,
}

impl Version {
    /// The versions with sessions.
    pub const LEGACY: [Self; 3] = [Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26];

    /// The versions without sessions.
    pub const MODERN: [Self; 1] = [Self::V2026_07_28];
    /// All versions.
    pub const ALL: [Self; 4] = [
        Self::V2026_07_28,
        Self::V2025_11_25,
        Self::V2025_06_18,
        Self::V2025_03_26,
    ];
    /// The version of a legacy request that does not name one (2025-11-25, Transports).
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// Parses the name of a version.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "2025-03-26" => Some(Self::V2025_03_26),
            "2025-06-18" => Some(Self::V2025_06_18),
            "2025-11-25" => Some(Self::V2025_11_25),
            "2026-07-28" => Some(Self::V2026_07_28),
            _ => None,
        }
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era the version belongs to.
    pub const fn era(self) -> Era {
        match self {
            Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => Era::Legacy,
            Self::V2026_07_28 => Era::Modern,
        }
    }

    /// The version to answer an `initialize` with: the requested one if it is known and has sessions, otherwise the
    /// newest with sessions.
    pub fn negotiate(requested: &str) -> Self {
        Self::parse(requested)
            .filter(|version| version.era() == Era::Legacy)
            .unwrap_or(Self::LEGACY[0])
    }

    /// Whether clients ask for tasks, by a parameter of the call.
    pub const fn has_requested_tasks(self) -> bool {
        matches!(self, Self::V2025_11_25)
    }

    /// Whether a stream may begin with an event that has an id and no data, from which it can be resumed. Clients of older
    /// versions take it for a message that cannot be read.
    pub const fn has_priming_events(self) -> bool {
        matches!(self, Self::V2025_11_25)
    }

    /// Whether a body may be a batch of messages.
    pub const fn has_batches(self) -> bool {
        matches!(self, Self::V2025_03_26)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiates_the_requested_version_or_the_newest_with_sessions() {
        for version in Version::LEGACY {
            assert_eq!(Version::negotiate(version.as_str()), version);
        }
        for other in ["2024-11-05", "2026-07-28", "2031-01-01", "", "latest"] {
            assert_eq!(Version::negotiate(other), Version::V2025_11_25, "{other}");
        }
    }

    #[test]
    fn names_read_back() {
        for version in Version::ALL {
            assert_eq!(Version::parse(version.as_str()), Some(version));
        }
    }
}
