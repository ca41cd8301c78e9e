//! The lists of a server: one page, or all pages of a kind.
//!
//! Called by [`super::watch`] for the routing tables and, for a client, by [`super::merged`], [`super::prompts`] and
//! [`super::pages`]. Invariant: bounded in pages, bytes and time, whatever the server says, and no page is asked for twice.

use std::collections::HashSet;
use std::time::Duration;

use asyncmcp_crds::effective::Server;
use asyncmcp_protocol::RawObject;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::listing::{Entry, Kind, MAX_ENTRIES, Page};

use super::defects::{Defects, MAX_PAGES};
use crate::caller::Caller;
use crate::servers::lines::{Line, Lines};
use crate::servers::{Error, Reply};

/// How long a list waits for one server; then the list leaves it out.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What a server listed.
#[derive(Debug)]
pub(super) struct List {
    /// The entries in its order.
    pub(super) entries: Vec<Entry>,
    /// How long a modern server lets it be kept: the shortest of its pages.
    pub(super) ttl: Option<Duration>,
    /// Whether a modern server lists it for these credentials alone.
    pub(super) is_private: bool,
    /// What is not as it should be.
    pub(super) defects: Defects,
}

impl List {
    fn new(kind: Kind) -> Self {
        Self {
            entries: Vec::new(),
            ttl: None,
            is_private: false,
            defects: Defects::of(kind),
        }
    }

    /// Adds a page; `false` where there is no room for more.
    fn add(&mut self, page: &mut Page) -> bool {
        self.ttl = [self.ttl, page.ttl].into_iter().flatten().min();
        self.is_private |= page.is_private;
        self.defects.add(page);
        let room = MAX_ENTRIES.saturating_sub(self.entries.len());
        let over = page.beyond + page.entries.len().saturating_sub(room);
        self.entries.extend(page.entries.drain(..).take(room));
        if over > 0 {
            self.defects.has_too_many();
        }
        over == 0
    }
}

/// What `server` lists for `caller`, in a session of that caller.
pub(super) async fn for_caller(
    lines: &Lines,
    (caller, server): (&Caller, &Server),
    kind: Kind,
) -> Result<List, Error> {
    let limit = PATIENCE.min(server.timeout);
    let asking = async {
        let loan = lines.lend(caller, &server.name)?;
        let list = all(&loan, kind).await?;
        loan.give_back();
        Ok(list)
    };
    tokio::time::timeout(limit, asking)
        .await
        .unwrap_or(Err(Error::Silent(limit)))
}

/// The server's whole list. A server that does not know the method has none.
pub(super) async fn all(line: &Line, kind: Kind) -> Result<List, Error> {
    let (mut list, mut bytes) = (List::new(kind), 0);
    let (mut cursor, mut asked) = (None, HashSet::new());
    let limit = line.upstream().max_response();
    for _ in 0..MAX_PAGES {
        let Some((mut page, size)) = page(line, kind, cursor).await? else {
            return Ok(list);
        };
        bytes += size;
        if bytes > limit {
            return Err(Error::TooLarge { limit });
        }
        if !list.add(&mut page) {
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

/// One page and its size; `None` where the list has ended: the server does not know the method, or refuses its own empty
/// cursor.
pub(super) async fn page(
    line: &Line,
    kind: Kind,
    cursor: Option<String>,
) -> Result<Option<(Page, usize)>, Error> {
    let is_empty = cursor.as_deref() == Some("");
    let result = match line.ask(kind.method(), params(cursor)).await? {
        Reply::Error(error) if is_empty || is_unknown_method(&error) => return Ok(None),
        reply => reply.result()?,
    };
    let page = Page::parse(kind, &result).map_err(|_| Error::Protocol("a list cannot be read"))?;
    if kind == Kind::Tools {
        line.upstream().lists(&page.entries);
    }
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
