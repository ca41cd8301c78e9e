//! The keys of the tables: fixed arrays, big-endian, so that their order is that of their parts.
//!
//! The group and views make and read them. Invariant: a key names the job (or session) that it is a row of; all but
//! those of `attempts` end in its id.

use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Key, Rank, Receiver};

/// (time, id)
pub(super) type Timed = [u8; 24];
/// (id, number)
pub(super) type Numbered = [u8; 20];
/// (server, client, id)
pub(super) type Queued = [u8; 32];
/// (client, time, id)
pub(super) type DeadOf = [u8; 32];
/// (receiver, rank and time, id)
pub(super) type Due = [u8; 40];

/// `waiting`, `dead`, `expire`: when, and which job.
pub(super) fn timed(at: Millis, id: JobId) -> Timed {
    expiry(at, id.to_bytes())
}

/// `session_expire`: when, and which session.
pub(super) fn expiry(at: Millis, sid: [u8; 16]) -> Timed {
    join(at.0.to_be_bytes(), sid)
}

/// `exec`: which server, which client, which job.
pub(super) fn queued(server: Key, client: Key, id: JobId) -> Queued {
    join(server.0, timed(Millis(u64::from_be_bytes(client.0)), id))
}

/// `dead_of`: which client, since when, which job.
pub(super) fn dead_of(client: Key, at: Millis, id: JobId) -> DeadOf {
    join(client.0, timed(at, id))
}

/// The client of a row of `dead_of`.
pub(super) fn client_of(key: &DeadOf) -> Key {
    Key(part(key, 0))
}

/// Added to the time of a replayed delivery in a `due` key; no clock reaches it.
const REPLAYED: u64 = 1 << 63;

/// `due`: which receiver, which rank, when, which job.
pub(super) fn due(receiver: Receiver, rank: Rank, at: Millis, id: JobId) -> Due {
    let at = at.0.min(REPLAYED - 1);
    let at = match rank {
        Rank::Live => at,
        Rank::Replayed => at | REPLAYED,
    };
    let row: Queued = join(receiver.url.0, timed(Millis(at), id));
    join(receiver.origin.0, row)
}

/// The server of a queue's row.
pub(super) fn server(key: &Queued) -> Key {
    Key(part(key, 0))
}

/// The client of a queue's row.
pub(super) fn client(key: &Queued) -> Key {
    Key(part(key, 8))
}

/// The receiver of a due row.
pub(super) fn receiver(key: &Due) -> Receiver {
    Receiver {
        origin: Key(part(key, 0)),
        url: Key(part(key, 8)),
    }
}

/// The rank and the time of a due row.
pub(super) fn due_at(key: &Due) -> (Rank, Millis) {
    let at = u64::from_be_bytes(part(key, 16));
    match at & REPLAYED {
        0 => (Rank::Live, Millis(at)),
        _ => (Rank::Replayed, Millis(at & !REPLAYED)),
    }
}

/// The time that a key begins with.
pub(super) fn at(key: &Timed) -> Millis {
    Millis(u64::from_be_bytes(part(key, 0)))
}

/// The job of a row that ends in its id.
pub(super) fn id<const N: usize>(key: &[u8; N]) -> JobId {
    JobId::from_bytes(part(key, N - 16))
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
        let receiver = |byte| Receiver {
            origin: Key([1; 8]),
            url: Key([byte; 8]),
        };
        let (one, two) = (receiver(1), receiver(2));
        assert!(due(one, replayed, late, JobId::MAX) < due(two, live, early, JobId::MIN));
        assert!(due(one, live, early, JobId::MAX) < due(one, live, late, JobId::MIN));
        assert!(due(one, live, Millis(u64::MAX), JobId::MAX) < due(one, replayed, early, JobId::MIN));
    }

    #[test]
    fn keys_come_apart_again() {
        let id = JobId::new(Millis(9), [7; 10]);
        let row = queued(Key([1; 8]), Key([2; 8]), id);
        assert_eq!(
            (server(&row), client(&row), super::id(&row)),
            (Key([1; 8]), Key([2; 8]), id)
        );
        for rank in Rank::ALL {
            let to = Receiver {
                origin: Key([3; 8]),
                url: Key([5; 8]),
            };
            let row = due(to, rank, Millis(4), id);
            assert_eq!(
                (receiver(&row), due_at(&row), super::id(&row)),
                (to, (rank, Millis(4)), id)
            );
        }
        let row = dead_of(Key([6; 8]), Millis(5), id);
        assert_eq!((client_of(&row), super::id(&row)), (Key([6; 8]), id));
        let row = timed(Millis(5), id);
        assert_eq!((at(&row), timed_id(&row)), (Millis(5), id.to_bytes()));
    }
}
