//! The ring opens what it sealed, where it sealed it.

use super::*;
use crate::store;

const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

const PLACE: Place<'_> = Place {
    route: "shop/tools",
    id: [5; 16],
    field: Field::Params,
};

#[test]
fn opens_what_it_sealed_there_and_nowhere_else() {
    let ring = Sealer::of(&[3]);
    let (key, sealed) = ring.seal(&PLACE, b"plain", NONCE).unwrap();
    assert_eq!(key, 3);
    assert!(!sealed.windows(5).any(|bytes| bytes == b"plain"));
    assert_eq!(ring.open(3, &PLACE, &sealed).unwrap(), b"plain");
    let route = "shop/tool";
    let (id, field) = ([6; 16], Field::Body);
    for place in [
        Place { route, ..PLACE },
        Place { id, ..PLACE },
        Place { field, ..PLACE },
    ] {
        let opened = ring.open(3, &place, &sealed);
        assert!(matches!(opened, Err(store::Error::Corrupt(_))), "{place:?}");
    }
}

#[test]
fn a_changed_or_cut_value_is_corrupt_and_a_missing_key_is_not() {
    let ring = Sealer::of(&[3]);
    let (_, sealed) = ring.seal(&PLACE, b"plain", NONCE).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(matches!(
            ring.open(3, &PLACE, &changed),
            Err(store::Error::Corrupt(_))
        ));
        assert!(matches!(
            ring.open(3, &PLACE, &sealed[..at]),
            Err(store::Error::Corrupt(_))
        ));
    }
    let missing = Sealer::of(&[4]).open(3, &PLACE, &sealed);
    assert!(matches!(missing, Err(store::Error::Sealed { key: 3 })));
}

#[test]
fn the_last_key_seals_and_older_ones_open() {
    let (_, old) = Sealer::of(&[1]).seal(&PLACE, b"old", NONCE).unwrap();
    let both = Sealer::of(&[1, 2]);
    assert_eq!(both.open(1, &PLACE, &old).unwrap(), b"old");
    assert_eq!(both.seal(&PLACE, b"new", NONCE).unwrap().0, 2);
    assert!(both.knows(0) && both.knows(1) && both.knows(2) && !both.knows(3));
    assert_eq!(Sealer::default().seal(&PLACE, b"plain", NONCE), None);
}
