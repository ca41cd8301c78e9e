//! The keys of the tables: fixed arrays, big-endian, so that their order is that of their parts.
//!
//! The group and views make and read them. Invariant: a key names the job (or session) that it is a row of; all but
//! those of `attempts` end in its id.

use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Key, Rank};

/// (time, id)
pub(super) type Timed = [u8; 24];
/// (id, number)
pub(super) type Numbered = [u8; 20];
/// (key, key or time, id)
pub(super) type Sorted = [u8; 32];

/// `waiting`, `dead`, `expire`: when, and which job.
pub(super) fn timed(at: Millis, id: JobId) -> Timed {
    expiry(at, id.to_bytes())
}

/// `session_expire`: when, and which session.
pub(super) fn expiry(at: Millis, sid: [u8; 16]) -> Timed {
    join(at.0.to_be_bytes(), sid)
}

/// `exec`: which server, which client, which job.
pub(super) fn queued(server: Key, client: Key, id: JobId) -> Sorted {
    join(server.0, timed(Millis(u64::from_be_bytes(client.0)), id))
}

/// Added to the time of a replayed delivery in a `due` key; no clock reaches it.
const REPLAYED: u64 = 1 << 63;

/// `due`: which receiver, which rank, when, which job.
pub(super) fn due(receiver: Key, rank: Rank, at: Millis, id: JobId) -> Sorted {
    let at = at.0.min(REPLAYED - 1);
    let at = match rank {
        Rank::Live => at,
        Rank::Replayed => at | REPLAYED,
    };
    join(receiver.0, timed(Millis(at), id))
}

/// The receiver or server that a key begins with.
pub(super) fn first(key: &Sorted) -> Key {
    Key(part(key, 0))
}

/// The client that a queue's key has in the middle.
pub(super) fn client(key: &Sorted) -> Key {
    Key(part(key, 8))
}

/// The rank and the time that a due key has in the middle.
pub(super) fn due_at(key: &Sorted) -> (Rank, Millis) {
    let at = u64::from_be_bytes(part(key, 8));
    match at & REPLAYED {
        0 => (Rank::Live, Millis(at)),
        _ => (Rank::Replayed, Millis(at & !REPLAYED)),
    }
}

/// The time that a key begins with.
pub(super) fn at(key: &Timed) -> Millis {
    Millis(u64::from_be_bytes(part(key, 0)))
}

/// The job that a row of a queue or of a receiver is about.
pub(super) fn sorted_id(key: &Sorted) -> JobId {
    JobId::from_bytes(part(key, 16))
}

/// The job or session that a timed row is about.
pub(super) fn timed_id(key: &Timed) -> [u8; 16] {
    part(key, 8)
}

fn join<const A: usize, const B: usize, const N: usize>(a: [u8; A], b: [u8; B]) -> [u8; N] {
    let mut key = [0; N];
    key[..A].copy_from_slice(&a);
    key[A..].copy_from_slice(&b);
    key
}

fn part<const N: usize>(key: &[u8], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&key[from..from + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_what_they_are_made_of() {
        let (early, late) = (Millis(0xff), Millis(0x0100));
        assert!(timed(early, JobId::MAX) < timed(late, JobId::MIN));
        let (live, replayed) = (Rank::Live, Rank::Replayed);
        let (one, two) = (Key([1; 8]), Key([2; 8]));
        assert!(due(one, replayed, late, JobId::MAX) < due(two, live, early, JobId::MIN));
        assert!(due(one, live, early, JobId::MAX) < due(one, live, late, JobId::MIN));
        assert!(due(one, live, Millis(u64::MAX), JobId::MAX) < due(one, replayed, early, JobId::MIN));
    }

    #[test]
    fn keys_come_apart_again() {
        let id = JobId::new(Millis(9), [7; 10]);
        let row = queued(Key([1; 8]), Key([2; 8]), id);
        assert_eq!(
            (first(&row), client(&row), sorted_id(&row)),
            (Key([1; 8]), Key([2; 8]), id)
        );
        for rank in Rank::ALL {
            let row = due(Key([3; 8]), rank, Millis(4), id);
            assert_eq!(
                (first(&row), due_at(&row), sorted_id(&row)),
                (Key([3; 8]), (rank, Millis(4)), id)
            );
        }
        let row = timed(Millis(5), id);
        assert_eq!((at(&row), timed_id(&row)), (Millis(5), id.to_bytes()));
    }
}
