//! All pages of a server's `tools/list`.
//!
//! Called by [`super::watch`] for the routing table and by [`super::merged`] for a client.
//! Invariant: bounded in pages and bytes, whatever the server says.

use asyncmcp_protocol::RawObject;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::tools::{Page, Tool};

use crate::servers::lines::Line;
use crate::servers::{Error, Reply};

/// The most pages that are read.
const MAX_PAGES: usize = 100;

/// The server's tools in its order. A server that knows no tools has none.
pub(super) async fn tools(line: &Line) -> Result<Vec<Tool>, Error> {
    let (mut tools, mut cursor, mut bytes) = (Vec::new(), None, 0);
    let limit = line.upstream().max_response();
    for _ in 0..MAX_PAGES {
        let (page, size) = match line.ask("tools/list", params(cursor)).await? {
            Reply::Error(error) if is_unknown_method(&error) => break,
            reply => {
                let result = reply.result()?;
                let page = Page::parse(&result);
                (
                    page.map_err(|_| Error::Protocol("the list of tools cannot be read"))?,
                    result.get().len(),
                )
            }
        };
        bytes += size;
        if bytes > limit {
            return Err(Error::TooLarge { limit });
        }
        tools.extend(page.tools);
        match page.next_cursor {
            None => break,
            next => cursor = next,
        }
    }
    Ok(tools)
}

fn params(cursor: Option<String>) -> Option<RawObject> {
    cursor.map(|cursor| {
        let mut params = RawObject::new();
        params.set_value("cursor", &cursor);
        params
    })
}

fn is_unknown_method(error: &asyncmcp_protocol::RawValue) -> bool {
    ErrorObject::parse(error).is_some_and(|error| error.code == Code::MethodNotFound.value())
}
