//! The HTTP clients of the sender: one, and so one connection pool, per kind of receiver.
//!
//! [`super::HttpSender`] asks for one with each request. Invariant: new egress rules get new clients, so that a reused
//! connection was dialled under the rules in force.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, redirect};

use crate::egress::resolver::{Guarded, Lookup, Lookups};
use crate::egress::{NamedBy, Rules};

/// How long an idle connection stays open: below the 5 s after which Node and uvicorn close theirs.
pub(super) const IDLE: Duration = Duration::from_secs(4);
/// The most headers of an answer; receivers behind several proxies send more than hyper's 100.
const MAX_HEADERS: usize = 512;

/// Which connections a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Connections {
    /// Those that are open, else new ones.
    Kept,
    /// A new one for each request.
    New,
}

/// All clients. Each is made when it is needed first.
pub(super) struct Clients {
    lookup: Arc<dyn Lookup>,
    lookups: Lookups,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    /// The rules that they were made under.
    egress: Option<Arc<Rules>>,
    clients: HashMap<(Author, Connections), Client>,
}

/// Who named the receiver, as far as the egress rules distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Author {
    Client,
    Route,
}

impl Clients {
    pub(super) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            lookups: Lookups::default(),
            made: Mutex::default(),
        }
    }

    /// The client for a receiver named by `named_by`, under these rules.
    pub(super) fn get(
        &self,
        egress: &Rules,
        named_by: NamedBy,
        connections: Connections,
    ) -> reqwest::Result<Client> {
        let author = match named_by {
            NamedBy::Session | NamedBy::Call => Author::Client,
            NamedBy::Default | NamedBy::Notify => Author::Route,
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let egress = made.under(egress);
        if let Some(client) = made.clients.get(&(author, connections)) {
            return Ok(client.clone());
        }
        let client = self.make(egress, named_by, connections)?;
        made.clients.insert((author, connections), client.clone());
        Ok(client)
    }

    /// Whether the address of `name` is being looked up.
    pub(super) fn is_looking_up(&self, name: &str) -> bool {
        self.lookups.contain(name)
    }

    fn make(
        &self,
        egress: Arc<Rules>,
        named_by: NamedBy,
        connections: Connections,
    ) -> reqwest::Result<Client> {
        let guard = Guarded::new(Arc::clone(&self.lookup), egress, named_by, self.lookups.clone());
        let client = Client::builder()
            .dns_resolver(Arc::new(guard))
            // A frozen HTTP/2 connection would take every delivery to its host with it.
            .http1_only()
            .http1_max_headers(MAX_HEADERS)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .pool_idle_timeout(IDLE);
        match connections {
            Connections::Kept => client.build(),
            Connections::New => client.pool_max_idle_per_host(0).build(),
        }
    }
}

impl Made {
    /// The rules in force; forgets the clients of others.
    fn under(&mut self, egress: &Rules) -> Arc<Rules> {
        if let Some(known) = self.egress.as_ref().filter(|known| ***known == *egress) {
            return Arc::clone(known);
        }
        let egress = Arc::new(egress.clone());
        *self = Self {
            egress: Some(Arc::clone(&egress)),
            clients: HashMap::new(),
        };
        egress
    }
}
