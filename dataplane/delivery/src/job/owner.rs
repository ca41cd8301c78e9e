//! Who makes a step, and when.
//!
//! Changes and steps carry it. Invariant: two processes never have the same [`Owner`], nor has one twice.

use crate::clock::Millis;

/// One life of one process: who runs or sends a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The replica; 0 where a store has only one.
    pub replica: u32,
    /// Grows with each start of the replica. A step that names an old epoch changes nothing.
    pub epoch: u64,
}

/// Who makes a step, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The process.
    pub by: Owner,
    /// The time.
    pub at: Millis,
}
