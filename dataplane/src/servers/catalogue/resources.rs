//! Who may read a URI, and whose a resource template is.
//!
//! Called through [`super::Catalogue`]. Invariant: a URI that a server listed, or that comes of a template of a server, goes
//! to that server first, however long it is away.

use asyncmcp_protocol::listing::Kind;
use tokio::time::{Instant, timeout_at};

use super::directory::{Readers, sorted};
use super::{Catalogue, FIRST_VISITS};

impl Catalogue {
    /// The servers that may know `uri`, in the order in which they are asked. Waits a little for servers that were not tried
    /// since the start.
    pub async fn readers(&self, uri: &str) -> Readers {
        let deadline = Instant::now() + FIRST_VISITS;
        let mut tried = self.directory().tried();
        loop {
            let (config, _) = self.snapshot();
            let readers = self.directory().readers(&config.route, uri);
            let is_settled = readers
                .unknown
                .iter()
                .all(|server| self.directory().was_tried(server));
            if is_settled || !matches!(timeout_at(deadline, tried.changed()).await, Ok(Ok(()))) {
                return readers;
            }
        }
    }

    /// The server that completes the variables of this template, or of the one that this URI comes of.
    pub async fn completer(&self, uri: &str) -> Option<String> {
        let readers = self.readers(uri).await;
        let (config, _) = self.snapshot();
        let owner = self
            .directory()
            .owner(&sorted(&config.route), Kind::Templates, uri);
        owner.or_else(|| readers.named.into_iter().next())
    }

    /// Whether the server completes arguments.
    pub fn completes(&self, server: &str) -> bool {
        self.directory()
            .offers(server)
            .is_some_and(|offers| offers.completions)
    }

    /// Whether it is worth asking the server.
    pub fn is_there(&self, server: &str) -> bool {
        self.may_answer(server)
    }
}
