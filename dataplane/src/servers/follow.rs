//! The servers of the route as it stands.
//!
//! Everything towards servers begins with an [`Upstreams`]. Invariant: a server whose
//! endpoint did not change keeps its connections and sessions through a change of the route.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use asyncmcp_crds::effective::Server;
use url::Url;

use super::access::{self, Access};
use super::{Endpoint, Metrics, Upstream};
use crate::config::{Config, Live};

/// The servers of the route as it stands. Follows the route without a task of its own:
/// who asks after a change gets what changed.
#[derive(Clone)]
pub struct Upstreams(Arc<Following>);

struct Following {
    live: Live,
    metrics: Metrics,
    current: Mutex<Current>,
}

/// The servers that were made from `config`.
struct Current {
    config: Option<Arc<Config>>,
    servers: BTreeMap<String, Upstream>,
}

impl Upstreams {
    /// The servers of the route that `live` shows.
    pub fn new(live: Live, metrics: Metrics) -> Self {
        let current = Mutex::new(Current {
            config: None,
            servers: BTreeMap::new(),
        });
        Self(Arc::new(Following {
            live,
            metrics,
            current,
        }))
    }

    /// The server of this name.
    pub fn get(&self, name: &str) -> Option<Upstream> {
        self.current(|servers| servers.get(name).cloned())
    }

    /// All servers, in the order of their names.
    pub fn all(&self) -> Vec<Upstream> {
        self.current(|servers| servers.values().cloned().collect())
    }

    /// The route that the servers follow.
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    fn current<T>(&self, read: impl FnOnce(&BTreeMap<String, Upstream>) -> T) -> T {
        let config = self.0.live.borrow().clone();
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !current
            .config
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &config))
        {
            current.servers = self.follow(&config, &current.servers);
            current.config = Some(config);
        }
        read(&current.servers)
    }

    /// The servers of `config`; those that stayed as they were keep their connections, with new credentials also their
    /// sessions.
    fn follow(&self, config: &Config, old: &BTreeMap<String, Upstream>) -> BTreeMap<String, Upstream> {
        let servers = config.route.servers.iter();
        let servers = servers.filter_map(|server| Some((server, endpoint(server)?)));
        let servers = servers.map(|(server, endpoint)| {
            let kept = old
                .get(&endpoint.name)
                .filter(|known| known.0.endpoint == endpoint);
            let before = kept.map(Upstream::access);
            let access = Access::read(server, &endpoint.url, &config.refs, before.as_deref());
            let upstream = match kept {
                Some(kept) => {
                    kept.renew(access);
                    kept.clone()
                }
                None => Upstream::new(endpoint, access, self.0.metrics.clone()),
            };
            (server.name.clone(), upstream)
        });
        servers.collect()
    }
}

/// `validate` has seen to it that the URL is one.
fn endpoint(server: &Server) -> Option<Endpoint> {
    let url = Url::parse(&server.url).ok()?;
    Some(Endpoint {
        name: server.name.clone(),
        host: access::host(server, &url),
        url,
        timeout: server.timeout,
        max_response: usize::try_from(server.max_response_size).unwrap_or(usize::MAX),
        not_dispatched: server.not_dispatched.clone(),
    })
}
