//! The lists of resources and resource templates: the servers' own pages, one server after the other.
//!
//! Called through [`super::Catalogue`]. Invariant: a page costs one request to the server whose turn it is; a server that
//! is away, slow or broken is skipped, and none keeps a client reading for ever.

use asyncmcp_crds::effective::{Route, Server};
use asyncmcp_protocol::listing::{Kind, Page};
use tokio::time::Instant;

use super::Catalogue;
use super::answers::{Unlisted, open_to};
use super::cursor::{MAX_CURSOR, Position};
use super::defects::MAX_PAGES;
use super::directory::sorted;
use super::fetch::{self, PATIENCE};
use super::prompts::Entries;
use crate::caller::Caller;
use crate::servers::Error;

impl Catalogue {
    /// A page of what `caller` sees: the first, or the one at `cursor`.
    pub async fn page(&self, caller: &Caller, kind: Kind, cursor: Option<&str>) -> Result<Entries, Unlisted> {
        let at = cursor
            .map(|cursor| self.cursors().open(kind, caller, cursor))
            .transpose()?;
        let (config, _) = self.snapshot();
        let mut servers = open_to(&config.route, caller);
        servers.retain(|server| self.may_list(&server.name, kind) != Some(false));
        let first = || servers.first().map(|server| Position::beginning(&server.name));
        let mut reading = Reading {
            catalogue: self,
            caller,
            kind,
            until: Instant::now() + PATIENCE,
            page: Entries {
                entries: Vec::new(),
                next_cursor: None,
                is_whole: true,
                ttl: None,
                is_private: false,
            },
        };
        let next = reading.from(&config.route, &servers, at.or_else(first)).await?;
        let mut page = reading.page;
        page.next_cursor = next.map(|at| self.cursors().seal(kind, caller, at));
        Ok(page)
    }
}

/// A page being read.
struct Reading<'a> {
    catalogue: &'a Catalogue,
    caller: &'a Caller,
    kind: Kind,
    until: Instant,
    page: Entries,
}

impl Reading<'_> {
    /// Reads until there is something to show; returns where the next page begins. An empty page is no reason to stop, since
    /// some clients take it for the end.
    async fn from(
        &mut self,
        route: &Route,
        servers: &[&Server],
        at: Option<Position>,
    ) -> Result<Option<Position>, Unlisted> {
        let Some(mut at) = at else { return Ok(None) };
        let begins = servers.partition_point(|server| server.name < at.server);
        let mut left = servers[begins..].iter();
        let Some(mut server) = left.next() else {
            return Ok(None);
        };
        if server.name != at.server {
            at = Position::beginning(&server.name); // the one before has left meanwhile
        }
        while self.page.entries.is_empty() && Instant::now() < self.until {
            if let Some(next) = self.read(route, server, &at).await? {
                at = next;
            } else if let Some(other) = left.next() {
                server = other;
                at = Position::beginning(&server.name);
            } else {
                return Ok(None);
            }
        }
        Ok(Some(at))
    }

    /// Reads one page of `server`; returns where its next one begins.
    async fn read(
        &mut self,
        route: &Route,
        server: &Server,
        at: &Position,
    ) -> Result<Option<Position>, Unlisted> {
        let may_answer = self.catalogue.may_answer(&server.name);
        if !may_answer || self.catalogue.may_list(&server.name, self.kind).is_none() {
            return self.without(server);
        }
        let page = match self.ask(server, at.cursor.clone()).await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(None),
            Err(error) => {
                let list = self.kind.method();
                tracing::info!(server = server.name, list, %error, "a list leaves a server out");
                return self.without(server);
            }
        };
        let next = next(&page, at);
        self.add(route, server, page);
        Ok(next)
    }

    /// The list goes on without this server, if the route lets it.
    fn without(&mut self, server: &Server) -> Result<Option<Position>, Unlisted> {
        self.page.is_whole = false;
        Unlisted::without(server).map(|()| None)
    }

    async fn ask(&self, server: &Server, cursor: Option<String>) -> Result<Option<Page>, Error> {
        let limit = PATIENCE.min(server.timeout);
        let asking = async {
            let loan = self.catalogue.lines().lend(self.caller, &server.name)?;
            let page = fetch::page(&loan, self.kind, cursor).await?;
            loan.give_back();
            Ok(page.map(|(page, _)| page))
        };
        tokio::time::timeout(limit, asking)
            .await
            .unwrap_or(Err(Error::Silent(limit)))
    }

    fn add(&mut self, route: &Route, server: &Server, page: Page) {
        let (mine, sorted) = (&mut self.page, sorted(route));
        mine.ttl = [mine.ttl, page.ttl].into_iter().flatten().min();
        mine.is_private |= page.is_private;
        for entry in page.entries {
            match self.catalogue.directory().owner(&sorted, self.kind, entry.key()) {
                Some(owner) if owner != server.name => continue,
                Some(_) => {}
                None => self.catalogue.list_again(&server.name),
            }
            mine.entries.push(entry);
        }
    }
}

/// Where the server's next page begins. A cursor that repeats, that is too long, or that comes after too many pages ends its
/// list.
fn next(page: &Page, at: &Position) -> Option<Position> {
    let next = page.next_cursor.clone()?;
    let pages = at.pages + 1;
    let ends = Some(&next) == at.cursor.as_ref() || next.len() > MAX_CURSOR || pages >= MAX_PAGES;
    (!ends).then(|| Position {
        server: at.server.clone(),
        cursor: Some(next),
        pages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_a_server_ends_however_long_it_says_it_is() {
        let page = |next: &str| Page {
            next_cursor: Some(next.to_owned()),
            ..Page::default()
        };
        let at = |cursor: &str, pages| Position {
            server: "a".to_owned(),
            cursor: Some(cursor.to_owned()),
            pages,
        };
        assert_eq!(next(&page("2"), &at("1", 1)), Some(at("2", 2)));
        assert_eq!(next(&page("1"), &at("1", 1)), None, "it repeats");
        assert_eq!(
            next(&page("2"), &at("1", MAX_PAGES - 1)),
            None,
            "one page too many"
        );
        assert_eq!(next(&page(&"x".repeat(MAX_CURSOR + 1)), &at("1", 1)), None);
        assert_eq!(next(&Page::default(), &at("1", 1)), None);
    }
}
