//! The places of a port: one per connection.
//!
//! Invariant: no address has more than its share, so that a place is left for the others even while it connects as often
//! as it can. An IPv6 host has as many addresses as it likes; it counts as its network of 64 bits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;

use super::limits::Limits;

#[derive(Clone)]
pub(super) struct Places {
    limits: Limits,
    open: IntGauge,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place; dropping it frees it.
pub(super) struct Place {
    places: Places,
    peer: IpAddr,
}

impl Places {
    pub(super) fn new(limits: Limits, open: IntGauge) -> Self {
        Self {
            limits,
            open,
            taken: Arc::default(),
        }
    }

    /// A place for a connection from `peer`, if there is one.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let peer = host(peer);
        let mut taken = self.taken();
        let theirs = taken.get(&peer).copied().unwrap_or_default();
        if theirs >= self.limits.from_one || taken.values().sum::<usize>() >= self.limits.in_all {
            return None;
        }
        taken.insert(peer, theirs + 1);
        self.open.inc();
        let places = self.clone();
        Some(Place { places, peer })
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

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open.dec();
        let mut taken = self.places.taken();
        match taken.get_mut(&self.peer) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => drop(taken.remove(&self.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let open = IntGauge::new("open", "open").unwrap();
        let limits = Limits {
            in_all: 4,
            from_one: 3,
        };
        Places::new(limits, open)
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_leaves_a_place_for_another_and_gives_back_what_it_had() {
        let places = places();
        let one = |_| places.take(peer("192.0.2.1"));
        let held: Vec<Place> = (0..9).filter_map(one).collect();
        assert_eq!(held.len(), 3);
        let other = places.take(peer("192.0.2.2"));
        assert!(other.is_some() && places.take(peer("192.0.2.3")).is_none());
        assert_eq!(places.open.get(), 4);
        drop((held, other));
        assert_eq!((places.open.get(), places.taken().len()), (0, 0));
    }

    #[test]
    fn the_addresses_of_one_network_are_one_host() {
        assert_eq!(host(peer("2001:db8::1:2:3:4")), host(peer("2001:db8::9")));
        assert_ne!(host(peer("2001:db8:0:1::1")), host(peer("2001:db8::1")));
        assert_eq!(host(peer("::ffff:192.0.2.1")), peer("192.0.2.1"));
    }
}
