//! What a new process resumes an interrupted execution with.
//!
//! The job's runner leaves one with the engine as soon as there is something to continue, and [`super::OwnLines`] reads
//! it back after a crash. Invariant: it holds credentials of a server's session, so it goes nowhere but into the store,
//! which seals it.

use asyncmcp_protocol::Version;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::servers::ServerSession;

/// A place to continue at, in a session of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ResumeToken {
    /// The session's id; `None` where the server keeps no sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    version: String,
    #[serde(flatten)]
    pub(super) place: Place,
}

/// Where in the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// A task of the server (2025-11-25), by its id.
    Task(String),
    /// A task of a modern server, by its id. It needs no session.
    ModernTask(String),
    /// The stream that the answer to a request comes on.
    Stream {
        /// The request's id, raw.
        request: String,
        /// The last event that was seen.
        event: String,
    },
}

impl ResumeToken {
    /// `None` where the place is in a session and there is none.
    pub(super) fn at(place: Place, session: Option<&ServerSession>) -> Option<Self> {
        if matches!(place, Place::ModernTask(_)) {
            return Some(Self {
                session: None,
                version: Version::MODERN[0].to_string(),
                place,
            });
        }
        Some(Self::new(session?, place))
    }

    fn new(session: &ServerSession, place: Place) -> Self {
        Self {
            session: session.id().map(str::to_owned),
            version: session.version().to_string(),
            place,
        }
    }

    /// `None`: written by a version of the gateway that wrote something else.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts are JSON").into()
    }

    /// The version that the session speaks.
    pub(super) fn version(&self) -> Option<Version> {
        Version::parse(&self.version)
    }
}
