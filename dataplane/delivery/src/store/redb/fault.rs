//! What can fail inside a transaction, by how much fails with it.
//!
//! Invariant: a row's fault fails its operation, redb's fault fails the group.

use super::volume::is_full;
use crate::store::Error;

/// A step failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// One row cannot be read; everything else is as it was.
    Row(Error),
    /// The file or redb failed; the transaction is lost.
    File(Box<::redb::Error>),
}

impl Fault {
    /// Whether the disk is full.
    pub(super) fn is_about_room(&self) -> bool {
        match self {
            Self::Row(_) => false,
            Self::File(error) => matches!(&**error, ::redb::Error::Io(error) if is_full(error)),
        }
    }
}

impl<E: Into<::redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::File(Box::new(error.into()))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Row(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Row(error) => error,
            Fault::File(error) => match *error {
                ::redb::Error::Corrupted(what) => Self::Corrupt(what),
                // A table of ours is missing or has another type: not a file that we wrote.
                error @ (::redb::Error::TableDoesNotExist(_)
                | ::redb::Error::TableTypeMismatch { .. }
                | ::redb::Error::TypeDefinitionChanged { .. }
                | ::redb::Error::TableIsMultimap(_)) => Self::Corrupt(error.to_string()),
                error => Self::Down(error.to_string()),
            },
        }
    }
}
