//! How many connections each port accepts, given how many files this process may open.
//!
//! Invariant: the ports together use little more than half of the file descriptors; the other half is for receivers,
//! servers, and the store.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most connections of the MCP port, since each takes memory, too.
const MOST: u64 = 16_384;
/// Connections of the admin port: probes, scrapes, the operator and a few people.
const ADMIN: usize = 64;

/// The connection limits of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Connections in all.
    pub(super) in_all: usize,
    /// Of them, from one address.
    pub(super) from_one: usize,
}

impl Limits {
    /// For clients. One address, often a proxy, may use three quarters.
    pub(super) fn mcp(descriptors: u64) -> Self {
        let in_all = usize::try_from((descriptors / 2).min(MOST)).unwrap_or(usize::MAX);
        Self {
            in_all,
            from_one: in_all / 4 * 3,
        }
    }

    /// For the admin port.
    pub(super) fn admin() -> Self {
        Self {
            in_all: ADMIN,
            from_one: ADMIN / 4 * 3,
        }
    }
}

/// Raises the limit of open files as far as this process may; returns it.
pub(super) fn descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    // Without a maximum the kernel has one of its own, which is not known here.
    if maximum.is_some() && setrlimit(Resource::Nofile, all).is_ok() {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_descriptors_are_left_for_the_rest() {
        let limits = |descriptors| {
            let Limits { in_all, from_one } = Limits::mcp(descriptors);
            (in_all, from_one)
        };
        assert_eq!(limits(256), (128, 96));
        assert_eq!(limits(u64::MAX), (16_384, 12_288));
    }
}
