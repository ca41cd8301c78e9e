//! The cursors of lists that are read server by server.
//!
//! [`super::pages`] makes one for each page but the last. It says where to continue, sealed, so that nothing is kept for it.
//! Invariant: a cursor opens only for the list and the caller that it was made for.

use std::sync::Arc;

use asyncmcp_protocol::listing::Kind;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::caller::session::seal::Ring;

/// What cursors are sealed for, so that no other sealed text passes for one.
const PURPOSE: &str = "cursor";
/// The longest cursor of a server that is passed on.
pub(super) const MAX_CURSOR: usize = 4096;
/// The longest cursor that is opened: a server's, sealed and in base64, has less.
const MAX_SEALED: usize = 4 * MAX_CURSOR;

/// Seals cursors and opens them again.
#[derive(Clone, Debug)]
pub struct Cursors {
    ring: Arc<Ring>,
    route: String,
}

/// Where a list continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The server, and all servers whose names come after it.
    pub(super) server: String,
    /// The server's own cursor; `None`: its first page.
    pub(super) cursor: Option<String>,
    /// The pages of this server that were read.
    pub(super) pages: usize,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    list: String,
    owner: Option<[u8; 16]>,
    at: Position,
}

/// A cursor that is not of this list and caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is of another list or caller")]
pub struct Foreign;

impl Position {
    /// The first page of a server.
    pub(super) fn beginning(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            cursor: None,
            pages: 0,
        }
    }
}

impl Cursors {
    /// Seals with `ring` for the route of this identity.
    pub fn new(ring: Arc<Ring>, route: String) -> Self {
        Self { ring, route }
    }

    pub(super) fn seal(&self, kind: Kind, caller: &Caller, at: Position) -> String {
        let sealed = Sealed {
            list: kind.method().to_owned(),
            owner: caller.owner().map(|owner| owner.0),
            at,
        };
        let plain = serde_json::to_vec(&sealed).expect("strings and numbers serialise");
        self.ring.seal(PURPOSE, &self.route, &plain, rand::random())
    }

    pub(super) fn open(&self, kind: Kind, caller: &Caller, cursor: &str) -> Result<Position, Foreign> {
        let cursor = Some(cursor)
            .filter(|cursor| cursor.len() <= MAX_SEALED)
            .ok_or(Foreign)?;
        let plain = self.ring.open(PURPOSE, &self.route, cursor).ok_or(Foreign)?;
        let sealed: Sealed = serde_json::from_slice(&plain).map_err(|_| Foreign)?;
        let is_its = sealed.list == kind.method() && sealed.owner == caller.owner().map(|owner| owner.0);
        is_its.then_some(sealed.at).ok_or(Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::route::client;

    #[test]
    fn a_cursor_opens_for_its_list_and_its_caller_alone() {
        let cursors = Cursors::new(Arc::new(Ring::random()), "route".to_owned());
        let at = Position {
            server: "s".repeat(63),
            cursor: Some("\"".repeat(MAX_CURSOR)),
            pages: 99,
        };
        let sealed = cursors.seal(Kind::Resources, &client(1), at.clone());
        assert_eq!(cursors.open(Kind::Resources, &client(1), &sealed), Ok(at));
        assert_eq!(cursors.open(Kind::Templates, &client(1), &sealed), Err(Foreign));
        assert_eq!(cursors.open(Kind::Resources, &client(2), &sealed), Err(Foreign));
        for forged in ["", "0", &sealed[1..], &"A".repeat(MAX_SEALED + 1)] {
            assert_eq!(cursors.open(Kind::Resources, &client(1), forged), Err(Foreign));
        }
    }
}
