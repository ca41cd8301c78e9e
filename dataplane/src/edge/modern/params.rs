//! The `Mcp-Param-*` headers of a modern call: do they say what its arguments say?
//!
//! [`super`] asks for each call before it is answered. Invariant: only the headers that the tool's schema names are looked
//! at; of a tool that nobody has listed yet nothing is known, and its server decides.

use asyncmcp_protocol::tools::MAX_NAME;
use asyncmcp_protocol::{Request, modern};
use http::HeaderMap;

use super::field;
use crate::caller::respond::Error;
use crate::calls::Calls;
use crate::servers::catalogue::Resolved;

/// Refuses a call whose headers and arguments contradict each other.
pub(super) async fn check(calls: &Calls, headers: &HeaderMap, request: &Request) -> Result<(), Error> {
    let Some(name) = request.tool_name().filter(|name| name.len() <= MAX_NAME) else {
        return Ok(()); // refused for that, if it is a call
    };
    let Resolved::Tool(tool) = calls.catalogue.resolve(&name).await else {
        return Ok(());
    };
    for param in calls.lines.header_params(&tool.server, &tool.name).iter() {
        let given = field(headers, &param.header);
        if let Err(flaw) = param.check(given, request.arguments()) {
            let header = "Mcp-Param-*";
            return Err(modern::Error::Header { header, flaw }.into());
        }
    }
    Ok(())
}
