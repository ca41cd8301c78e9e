//! Why a client does not get a task, or an answer about one.
//!
//! [`crate::calls`] decides, [`super`] reports it. Invariant: somebody else's task is answered as one that does not exist.

use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::initialize::TASKS_EXTENSION;
use asyncmcp_protocol::tasks::report::Unreadable;
use http::StatusCode;

use super::echo;

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client has to declare that it knows tasks (2026-07-28).
    #[error(
        "{} needs tasks: declare the extension io.modelcontextprotocol/tasks in \
         params._meta[\"io.modelcontextprotocol/clientCapabilities\"].extensions of this request",
        echo(.0)
    )]
    Undeclared(String),
    /// The tool can be called as a task only (2025-11-25).
    #[error("tool {} must be called as a task: with params.task, in protocol version 2025-11-25", echo(.0))]
    Required(String),
    /// The tool cannot be called as a task (2025-11-25).
    #[error("tool {} cannot be called as a task, since its server has none of protocol version 2025-11-25", echo(.0))]
    NotOffered(String),
    /// What is asked of the task cannot be read.
    #[error(transparent)]
    Param(#[from] Unreadable),
    /// The caller has no such task.
    #[error("no such task: {}; it may be too old", echo(.0))]
    Unknown(String),
    /// The task has ended, so it cannot be cancelled (2025-11-25).
    #[error("task {0} has ended and cannot be cancelled")]
    Over(String),
    /// The task's outcome is there no more.
    #[error(
        "the result of task {0} is not in the gateway's store any more: it was deleted after its delivery, to make room, or \
         it is damaged"
    )]
    Gone(String),
}

impl Error {
    /// Whether clients read it from the HTTP status, too (2026-07-28, Basic).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Undeclared(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        }
    }

    /// The code and the name in metrics.
    pub fn code(&self) -> Code {
        match self {
            Self::Undeclared(_) => Code::MissingClientCapability,
            Self::Required(_) | Self::NotOffered(_) => Code::MethodNotFound,
            Self::Param(_) | Self::Unknown(_) | Self::Over(_) | Self::Gone(_) => Code::InvalidParams,
        }
    }

    /// The JSON-RPC error object.
    pub fn object(&self) -> ErrorObject {
        match self {
            Self::Undeclared(_) => ErrorObject::missing_capability(self.to_string(), TASKS_EXTENSION),
            error => ErrorObject::new(error.code(), error.to_string()),
        }
    }
}
