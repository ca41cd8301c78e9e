//! The ids under which servers' requests reach clients.
//!
//! Two servers of one route may both ask with id 1. A client is therefore asked under an
//! id that has the server and its id sealed in, and its answer finds the way back, on any
//! replica. Called by [`super::Lines`] and [`super::audience`]. Invariant: an id opens only for the caller it was
//! made for.

use std::sync::Arc;

use asyncmcp_protocol::{Id, RawValue};
use serde::{Deserialize, Serialize};

use crate::caller::Scope;
use crate::caller::session::seal::Ring;

/// What the ids are sealed for, so that no other sealed text passes for one.
const PURPOSE: &str = "request";
/// The same for what the gateway itself asks, which so no server can ask in its place.
const QUESTION: &str = "question";
/// Longer ids of servers would, sealed, exceed what an id may be.
const MAX_ID: usize = 512;

/// Seals servers' request ids and opens them again.
#[derive(Clone, Debug)]
pub struct Wrap {
    ring: Arc<Ring>,
    route: String,
}

/// What the gateway itself asked: whom, and the number of the question.
#[derive(Serialize, Deserialize)]
struct Question {
    scope: Option<[u8; 16]>,
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    scope: Option<[u8; 16]>,
    server: String,
    #[serde(borrow)]
    id: &'a RawValue,
}

impl Wrap {
    /// Seals with `ring` for the route of this identity.
    pub fn new(ring: Arc<Ring>, route: String) -> Self {
        Self { ring, route }
    }

    /// The id under which the caller is asked what `server` asks under `id`.
    pub(super) fn seal(&self, scope: Option<Scope>, server: &str, id: &Id) -> Option<Id> {
        if id.raw().get().len() > MAX_ID {
            return None;
        }
        let sealed = Sealed {
            scope: scope.map(|scope| scope.0),
            server: server.to_owned(),
            id: id.raw(),
        };
        let plain = serde_json::to_vec(&sealed).expect("strings and numbers serialise");
        Some(Id::text(&self.ring.seal(
            PURPOSE,
            &self.route,
            &plain,
            rand::random(),
        )))
    }

    /// The id under which the caller is asked what the gateway asks under `number`.
    pub(super) fn question(&self, scope: Option<Scope>, number: u64) -> Id {
        let scope = scope.map(|scope| scope.0);
        let plain = serde_json::to_vec(&Question { scope, number }).expect("numbers serialise");
        Id::text(&self.ring.seal(QUESTION, &self.route, &plain, rand::random()))
    }

    /// The number of the question.
    pub(super) fn number(&self, scope: Option<Scope>, id: &Id) -> Option<u64> {
        let plain = self.ring.open(QUESTION, &self.route, id.as_text()?)?;
        let asked: Question = serde_json::from_slice(&plain).ok()?;
        (asked.scope == scope.map(|scope| scope.0)).then_some(asked.number)
    }

    /// The server that asked, and its id.
    pub(super) fn open(&self, scope: Option<Scope>, id: &Id) -> Option<(String, Id)> {
        let plain = self.ring.open(PURPOSE, &self.route, id.as_text()?)?;
        let sealed: Sealed<'_> = serde_json::from_slice(&plain).ok()?;
        let id = Id::parse(sealed.id).ok()?;
        (sealed.scope == scope.map(|scope| scope.0)).then_some((sealed.server, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_was_and_only_for_its_caller() {
        let wrap = Wrap::new(Arc::new(Ring::random()), "route".to_owned());
        let scope = |number| Some(Scope([number; 16]));
        for id in [Id::number(1), Id::text("1"), Id::text("a\"b")] {
            let sealed = wrap.seal(scope(1), "search", &id).unwrap();
            assert!(
                Id::parse(sealed.raw()).is_ok(),
                "a client could not answer {sealed}"
            );
            assert_eq!(wrap.open(scope(1), &sealed), Some(("search".to_owned(), id)));
            assert_eq!(wrap.open(scope(2), &sealed), None);
            assert_eq!(wrap.open(None, &sealed), None);
        }
        assert_eq!(wrap.open(scope(1), &Id::number(1)), None);
        let question = wrap.question(scope(1), u64::MAX);
        assert_eq!(wrap.number(scope(1), &question), Some(u64::MAX));
        assert_eq!(wrap.number(scope(2), &question), None);
        assert_eq!(wrap.open(scope(1), &question), None, "it is no server's");
        let server = wrap.seal(scope(1), "search", &Id::number(1)).unwrap();
        assert_eq!(wrap.number(scope(1), &server), None);
        assert!(
            wrap.seal(scope(1), "search", &Id::text(&"x".repeat(600)))
                .is_none()
        );
        let longest = wrap.seal(scope(255), &"s".repeat(63), &Id::text(&"x".repeat(MAX_ID - 2)));
        assert!(Id::parse(longest.unwrap().raw()).is_ok());
    }
}
