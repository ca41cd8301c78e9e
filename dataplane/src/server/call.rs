//! `tools/call`: which tool it is, and which of two ways it goes.
//!
//! [`super::legacy`] hands it each one. Invariant: a name that no catalogue holds reaches no
//! server, and nothing that a client asks of its delivery is ignored.

use asyncmcp_protocol::Request;

use super::{Answer, Client, legacy};
use crate::accept::Webhook;
use crate::catalogue::{Resolved, Tool};
use crate::forward;
use crate::operation::Operation;
use crate::respond::Error;

/// Relays the call and its answer, or accepts it and lets the result go by webhook.
pub(super) async fn answer(client: &Client, request: Request, mut operation: Operation) -> Answer {
    let id = request.id.clone();
    let tool = match find(client, &request).await {
        Ok(tool) => tool,
        Err(error) => return legacy::refuse(&error, id, &mut operation),
    };
    operation.calls(&tool.shown_as);
    match Webhook::of(client, &tool, &request) {
        Err(error) => legacy::refuse(&error, id, &mut operation),
        Ok(None) => forward::call(client, tool, request, operation).await,
        Ok(Some(webhook)) => {
            let accepted = webhook.accept(client, &request, &operation.trace()).await;
            accepted.unwrap_or_else(|error| legacy::refuse(&error, id, &mut operation))
        }
    }
}

async fn find(client: &Client, request: &Request) -> Result<Tool, Error> {
    if client.config.route.deleting {
        return Err(Error::Closing);
    }
    let name = request.tool_name();
    let name = name.ok_or(Error::Params("params.name must be a string: the tool to call"))?;
    match client.edge.catalogue.resolve(&name).await {
        Resolved::Tool(tool) => Ok(tool),
        Resolved::Unknown => Err(Error::UnknownTool(name)),
        Resolved::Unavailable { server } => Err(Error::Unavailable(server)),
    }
}
