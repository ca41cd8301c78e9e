//! Arguments and results of any size, without the memory of each: a large one is a slice of one buffer.
//!
//! People send them and servers answer with them. Invariant: two results have the same bytes only if they are of the same
//! call and the same run.

use std::sync::LazyLock;

use bytes::Bytes;

use super::plan::Number;

/// No arguments and no results are larger.
const LARGEST: usize = 17 << 20;
/// Runs of one call whose results differ in length.
const RUNS: usize = 256;

static ZEROS: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0; LARGEST]));

/// The arguments of a call.
pub(super) fn arguments(size: usize) -> Bytes {
    if size == 0 {
        return Bytes::from_static(b"{}");
    }
    ZEROS.slice(..size)
}

/// What a server answers in a call's run: `says` where the result is small.
pub(super) fn result(size: usize, says: String, call: Number, run: u32) -> Bytes {
    if size == 0 {
        return Bytes::from(says);
    }
    let run = usize::try_from(run).map_or(0, |run| run % RUNS);
    ZEROS.slice(..size + usize::from(call) * RUNS + run)
}
