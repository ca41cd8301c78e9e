//! Errors of the client library in the words of this command: what failed, why, and which flag to look at.
//!
//! Used by `call`, `tools` and `receive`. Invariant: one line, without credentials.

use anyhow::anyhow;
use asyncmcp_client::Error;

use super::print;

/// The code of JSON-RPC for wrong parameters: an unknown tool, or wrong arguments.
const INVALID_PARAMS: i64 = -32602;

/// An error of the client of the endpoint at `url`.
pub(crate) fn endpoint(error: Error, url: &str) -> anyhow::Error {
    match error {
        Error::Unreachable { .. } => anyhow!(
            "failed to reach {url}: {}; is a data plane running there? see --url",
            print::cause(&error)
        ),
        Error::Silent(span) => anyhow!(
            "no response from {url} within {} s: wait longer with --timeout",
            span.as_secs_f64()
        ),
        Error::Credentials { status, why } => {
            anyhow!("{url} refused the credentials (HTTP {status}): {why}; see --token-file and --header")
        }
        Error::Status { status: 404, .. } => {
            anyhow!("there is no MCP endpoint at {url} (HTTP 404): does the path of --url end in /mcp?")
        }
        Error::Rpc(error) if error.code == INVALID_PARAMS => anyhow!(
            "the server responded with error {}: {}; `asyncmcp tools -o wide` lists the tools and their arguments",
            error.code,
            error.message
        ),
        error => error.into(),
    }
}

/// An error of a receiver that is to listen.
pub(crate) fn receiver(error: Error) -> anyhow::Error {
    match error {
        Error::Listen { address, source } => {
            anyhow!("failed to listen on {address}: {source}; choose another address with --listen")
        }
        error => error.into(),
    }
}
