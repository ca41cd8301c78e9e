//! All pages of a server's `tools/list`.
//!
//! Called by [`super::watch`] for the routing table and by [`super::merged`] for a client.
//! Invariant: bounded in pages and bytes, whatever the server says, and no page is asked for twice.

use std::collections::HashSet;
use std::time::Duration;

use asyncmcp_protocol::RawObject;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::tools::{MAX_TOOLS, Page, Tool};

use super::defects::{Defects, MAX_PAGES};
use crate::servers::lines::Line;
use crate::servers::{Error, Reply};

/// What a server listed.
#[derive(Debug, Default)]
pub(super) struct List {
    /// The tools in its order.
    pub(super) tools: Vec<Tool>,
    /// How long a modern server lets it be kept: the shortest of its pages.
    pub(super) ttl: Option<Duration>,
    /// What is not as it should be.
    pub(super) defects: Defects,
}

/// The server's list. A server that knows no tools has none.
pub(super) async fn tools(line: &Line) -> Result<List, Error> {
    let (mut list, mut bytes) = (List::default(), 0);
    let (mut cursor, mut asked) = (None, HashSet::new());
    let limit = line.upstream().max_response();
    for _ in 0..MAX_PAGES {
        let is_empty = cursor.as_deref() == Some("");
        let (page, size) = match page(line, cursor).await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(list),
            Err(Error::Refused(_)) if is_empty => return Ok(list),
            Err(error) => return Err(error),
        };
        bytes += size;
        if bytes > limit {
            return Err(Error::TooLarge { limit });
        }
        line.upstream().lists(&page.tools);
        list.ttl = [list.ttl, page.ttl].into_iter().flatten().min();
        list.defects.add(&page);
        let room = MAX_TOOLS.saturating_sub(list.tools.len());
        let over = page.beyond + page.tools.len().saturating_sub(room);
        list.tools.extend(page.tools.into_iter().take(room));
        if over > 0 {
            list.defects.has_too_many();
            return Ok(list);
        }
        let Some(next) = page.next_cursor else {
            return Ok(list);
        };
        // To some servers an empty cursor is the end, to others a page like any other: one request tells.
        if !asked.insert(next.clone()) {
            list.defects.repeats(next);
            return Ok(list);
        }
        cursor = Some(next);
    }
    list.defects.ends_early();
    Ok(list)
}

/// One page and its size; `None` where the server knows no tools.
async fn page(line: &Line, cursor: Option<String>) -> Result<Option<(Page, usize)>, Error> {
    let result = match line.ask("tools/list", params(cursor)).await? {
        Reply::Error(error) if is_unknown_method(&error) => return Ok(None),
        reply => reply.result()?,
    };
    let page = Page::parse(&result).map_err(|_| Error::Protocol("the list of tools cannot be read"))?;
    Ok(Some((page, result.get().len())))
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
