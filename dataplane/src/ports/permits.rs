//! The permits of a port: each open connection holds one.
//!
//! Invariant: no address holds more than its share, so that permits are left for others, however often it connects. An
//! IPv6 host has as many addresses as it likes; it counts as its network of 64 bits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;

use super::limits::Limits;

#[derive(Clone)]
pub(super) struct Permits {
    limits: Limits,
    open: IntGauge,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The permit of one connection; dropping it releases it.
pub(super) struct Permit {
    permits: Permits,
    peer: IpAddr,
}

impl Permits {
    pub(super) fn new(limits: Limits, open: IntGauge) -> Self {
        Self {
            limits,
            open,
            taken: Arc::default(),
        }
    }

    /// A permit for a connection from `peer`, if one is left.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Permit> {
        let peer = host(peer);
        let mut taken = self.taken();
        let theirs = taken.get(&peer).copied().unwrap_or_default();
        if theirs >= self.limits.from_one || taken.values().sum::<usize>() >= self.limits.in_all {
            return None;
        }
        taken.insert(peer, theirs + 1);
        self.open.inc();
        let permits = self.clone();
        Some(Permit { permits, peer })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one host.
fn host(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.open.dec();
        let mut taken = self.permits.taken();
        match taken.get_mut(&self.peer) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => drop(taken.remove(&self.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits() -> Permits {
        let open = IntGauge::new("open", "open").unwrap();
        let limits = Limits {
            in_all: 4,
            from_one: 3,
        };
        Permits::new(limits, open)
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_leaves_permits_for_others_and_releases_its_own() {
        let permits = permits();
        let one = |_| permits.take(peer("192.0.2.1"));
        let held: Vec<Permit> = (0..9).filter_map(one).collect();
        assert_eq!(held.len(), 3);
        let other = permits.take(peer("192.0.2.2"));
        assert!(other.is_some() && permits.take(peer("192.0.2.3")).is_none());
        assert_eq!(permits.open.get(), 4);
        drop((held, other));
        assert_eq!((permits.open.get(), permits.taken().len()), (0, 0));
    }

    #[test]
    fn the_addresses_of_one_network_are_one_host() {
        assert_eq!(host(peer("2001:db8::1:2:3:4")), host(peer("2001:db8::9")));
        assert_ne!(host(peer("2001:db8:0:1::1")), host(peer("2001:db8::1")));
        assert_eq!(host(peer("::ffff:192.0.2.1")), peer("192.0.2.1"));
    }
}
