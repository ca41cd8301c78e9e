//! What keeps a damaged page from ending a command: redb panics over some of them.
//!
//! The offline commands use it. Invariant: a panic below one of these functions is a value that could not be read, or an
//! error of the command.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::Failure;
use crate::store::redb::file::{FILE, unreadable};

/// `None` if reading panicked.
pub(super) fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// A whole command, for what no finer guard caught.
pub(super) fn whole<T>(dir: &Path, command: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    guarded(command).unwrap_or_else(|| Err(unreadable(&dir.join(FILE), "reading it panicked").into()))
}
