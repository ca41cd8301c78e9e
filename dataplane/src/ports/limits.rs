//! How many connections a port takes, from how many descriptors this process may have.
//!
//! `main` asks once, at the start. Invariant: all ports together get at most half of the descriptors and a few; the other
//! half is for receivers, servers, and the store.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More connections than this cost memory that nobody planned for.
const MOST: u64 = 16_384;
/// Probes, scrapes, the operator and a few people.
const ADMIN: usize = 64;

/// What a port takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub in_all: usize,
    /// Of them, from one address.
    pub from_one: usize,
}

impl Limits {
    /// For clients. One address, often a proxy, may use three quarters.
    pub fn mcp(descriptors: u64) -> Self {
        let in_all = usize::try_from((descriptors / 2).min(MOST)).unwrap_or(usize::MAX);
        Self {
            in_all,
            from_one: in_all / 4 * 3,
        }
    }

    /// For the admin port.
    pub fn admin() -> Self {
        Self {
            in_all: ADMIN,
            from_one: ADMIN / 4 * 3,
        }
    }
}

/// Takes as many descriptors as this process may have; returns how many.
pub fn descriptors() -> u64 {
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
