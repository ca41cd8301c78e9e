//! The ids under which clients know the tasks of servers, and where a list of tasks continues.
//!
//! [`super::forward`] seals one for each task that a server begins, [`super::tasks`] opens what clients send. A job's id
//! needs no seal: it cannot be guessed, and the store knows whose it is. Invariant: a sealed text opens only for the caller
//! that it was made for.

use std::sync::Arc;

use asyncmcp_delivery::store::scan::Cursor;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::caller::session::seal::Ring;

/// What the ids and the cursors are sealed for, so that no other sealed text passes for one.
const TASK: &str = "task";
const CURSOR: &str = "tasks-cursor";
/// Longer ids of servers would, sealed, exceed what proxies let a header have (`Mcp-Name`).
const MAX_ID: usize = 1024;

/// Seals and opens them.
#[derive(Clone, Debug)]
pub struct TaskIds {
    ring: Arc<Ring>,
    route: String,
}

/// A task of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServerTask {
    /// The server.
    pub(super) server: String,
    /// The tool that it runs, as clients see it.
    pub(super) tool: String,
    /// The id that the server gave it.
    pub(super) id: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    owner: Option<[u8; 16]>,
    what: T,
}

impl TaskIds {
    /// Seals with `ring` for the route of this identity.
    pub fn new(ring: Arc<Ring>, route: String) -> Self {
        Self { ring, route }
    }

    /// The id under which `caller` gets to know the task; `None` where the server's is too long.
    pub(super) fn seal(&self, caller: &Caller, task: &ServerTask) -> Option<String> {
        (task.id.len() <= MAX_ID).then(|| self.put(TASK, caller, task))
    }

    /// The task that `caller` knows under this id.
    pub(super) fn open(&self, caller: &Caller, id: &str) -> Option<ServerTask> {
        self.get(TASK, caller, id)
    }

    /// Where the caller's list continues, as text.
    pub(super) fn seal_cursor(&self, caller: &Caller, cursor: Cursor) -> String {
        self.put(CURSOR, caller, cursor.to_string())
    }

    /// Where the caller's list continues.
    pub(super) fn open_cursor(&self, caller: &Caller, text: &str) -> Option<Cursor> {
        let cursor: String = self.get(CURSOR, caller, text)?;
        cursor.parse().ok()
    }

    fn put(&self, purpose: &str, caller: &Caller, what: impl Serialize) -> String {
        let owner = caller.owner().map(|owner| owner.0);
        let plain = serde_json::to_vec(&Sealed { owner, what }).expect("texts and bytes serialise");
        self.ring.seal(purpose, &self.route, &plain, rand::random())
    }

    fn get<T: for<'a> Deserialize<'a>>(&self, purpose: &str, caller: &Caller, text: &str) -> Option<T> {
        let plain = self.ring.open(purpose, &self.route, text)?;
        let sealed: Sealed<T> = serde_json::from_slice(&plain).ok()?;
        (sealed.owner == caller.owner().map(|owner| owner.0)).then_some(sealed.what)
    }
}

#[cfg(test)]
mod tests {
    use asyncmcp_delivery::clock::Millis;
    use asyncmcp_delivery::id::JobId;
    use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation};
    use asyncmcp_protocol::modern::Envelope;

    use super::*;
    use crate::caller::access::Access;
    use crate::caller::principal::Principal;

    fn caller(name: &str) -> Caller {
        let envelope = Envelope::new(Implementation::default(), ClientCapabilities::NONE);
        let access = match name {
            "" => Access::anonymous(),
            name => Access::of(Principal::of("token", &[name])),
        };
        Caller::without_session(envelope, &access)
    }

    fn ids() -> TaskIds {
        TaskIds::new(Arc::new(Ring::random()), "default/route".to_owned())
    }

    #[test]
    fn an_id_opens_for_its_caller_alone_and_only_as_an_id() {
        let ids = ids();
        let task = ServerTask {
            server: "search".to_owned(),
            tool: "a_slow".to_owned(),
            id: "x".repeat(MAX_ID),
        };
        let sealed = ids.seal(&caller("one"), &task).unwrap();
        assert!(
            sealed.bytes().all(|byte| byte.is_ascii_graphic()) && sealed.len() < 2048,
            "{sealed}"
        );
        assert_eq!(ids.open(&caller("one"), &sealed), Some(task.clone()));
        assert_eq!(ids.open(&caller("two"), &sealed), None);
        assert_eq!(ids.open(&caller(""), &sealed), None);
        assert_eq!(ids.open_cursor(&caller("one"), &sealed), None);
        assert_eq!(self::ids().open(&caller("one"), &sealed), None);
        let id = "x".repeat(MAX_ID + 1);
        assert_eq!(ids.seal(&caller("one"), &ServerTask { id, ..task }), None);
    }

    #[test]
    fn a_cursor_opens_for_its_caller_alone_and_says_no_id() {
        let ids = ids();
        let id = JobId::new(Millis(7), [9; 10]);
        let cursor = Cursor { at: Millis(8), id };
        let sealed = ids.seal_cursor(&caller("one"), cursor);
        assert!(!sealed.contains(&id.to_string()));
        assert_eq!(ids.open_cursor(&caller("one"), &sealed), Some(cursor));
        assert_eq!(ids.open_cursor(&caller("two"), &sealed), None);
        assert_eq!(ids.open(&caller("one"), &sealed), None);
    }
}
