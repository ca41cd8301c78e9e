//! The resolver inside the connector: only addresses that it returns are dialled.
//!
//! [`Guarded`] belongs to every HTTP client of the data plane: the sender's, and those for servers and traces. Filtering at this point leaves no moment in which a name could
//! change its address (DNS rebinding). Invariant: one refused address refuses the whole name.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Refusal, Rules};
use crate::egress::NamedBy;

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The name does not exist or has no address: the receiver's fault.
    #[error("the name does not exist or has no address")]
    NoAddress,
    /// Unknown: the resolver timed out, failed (SERVFAIL), or could not be reached. Our fault.
    #[error("the resolver is not available: {0}")]
    Unavailable(String),
    /// The C library found no address, and may or may not know that there is none.
    #[error("{0}")]
    Failed(String),
}

/// Why no connection was attempted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An address of this name is forbidden.
    #[error(transparent)]
    Refused(Refusal),
    /// There are no addresses.
    #[error(transparent)]
    Lookup(LookupError),
}

/// Names to addresses.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of `name`.
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, LookupError>;
}

/// [`Lookup`] by the system's resolver configuration: `/etc/hosts`, then DNS.
#[derive(Clone)]
pub struct Dns(TokioResolver);

impl Dns {
    /// Reads `/etc/resolv.conf` and `/etc/hosts`. Without a readable configuration there is no name
    /// server: names from `/etc/hosts` and `localhost` still resolve, others are unavailable.
    pub fn system() -> Result<Self, NetError> {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(target: "asyncmcp::delivery", %error, "failed to read the resolver's configuration");
            let nobody = ResolverConfig::default();
            TokioResolver::builder_with_config(nobody, TokioRuntimeProvider::default())
        });
        Self::build(builder)
    }

    fn build(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<Self, NetError> {
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6; // all addresses, for all are judged
        options.use_hosts_file = ResolveHosts::Always;
        Ok(Self(builder.build()?))
    }
}

/// [`Lookup`] by the C library, as programs resolve names where nothing else is configured.
#[derive(Clone, Copy, Debug)]
pub struct System;

#[async_trait]
impl Lookup for System {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        match tokio::net::lookup_host((name, 0)).await {
            Ok(found) => Ok(found.map(|address| address.ip()).collect()),
            Err(error) => Err(LookupError::Failed(error.to_string())),
        }
    }
}

#[async_trait]
impl Lookup for Dns {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let found = self
            .0
            .lookup_ip(asked(name))
            .await
            .map_err(|error| sort(&error))?;
        Ok(found.iter().collect())
    }
}

/// The name to ask for. Cluster names (`*.svc`, single labels) go through the search list of
/// `/etc/resolv.conf`; every other name is absolute, so that `ndots: 5` makes no detours and no
/// name inside the cluster shadows one outside.
fn asked(name: &str) -> String {
    let bare = name.trim_end_matches('.');
    let in_cluster = bare.rsplit_once('.').is_none_or(|(_, last)| last == "svc");
    if in_cluster && !name.ends_with('.') {
        bare.to_owned()
    } else {
        format!("{bare}.")
    }
}

fn sort(error: &NetError) -> LookupError {
    use hickory_resolver::proto::op::ResponseCode::{NXDomain, NoError};
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if matches!(none.response_code, NXDomain | NoError) => {
            LookupError::NoAddress
        }
        NetError::Proto(_) => LookupError::NoAddress, // no name that DNS can hold
        other => LookupError::Unavailable(other.to_string()),
    }
}

/// The names that are being looked up at this moment.
///
/// An attempt that times out while its receiver's name is in here failed because of our resolver,
/// whatever the receiver would have done.
#[derive(Clone, Debug, Default)]
pub struct Lookups(Arc<Mutex<HashMap<String, usize>>>);

/// One lookup in progress; dropping it ends it.
struct UnderWay {
    name: String,
    lookups: Lookups,
}

impl Lookups {
    /// Whether `name`, as it stands in a URL, is being looked up.
    pub fn contain(&self, name: &str) -> bool {
        self.names().contains_key(name)
    }

    fn begin(&self, name: &str) -> UnderWay {
        *self.names().entry(name.to_owned()).or_default() += 1;
        UnderWay {
            name: name.to_owned(),
            lookups: self.clone(),
        }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut names = self.lookups.names();
        let left = names.get(&self.name).map_or(0, |count| count - 1);
        if left == 0 {
            names.remove(&self.name);
        } else {
            names.insert(self.name.clone(), left);
        }
    }
}

/// A resolver that gives an HTTP client only addresses that the policy lets it dial.
pub struct Guarded {
    lookup: Arc<dyn Lookup>,
    egress: Arc<Rules>,
    named_by: NamedBy,
    lookups: Lookups,
}

impl Guarded {
    /// A guard for receivers that `named_by` named; `lookups` holds its lookups in progress.
    pub fn new(lookup: Arc<dyn Lookup>, egress: Arc<Rules>, named_by: NamedBy, lookups: Lookups) -> Self {
        Self {
            lookup,
            egress,
            named_by,
            lookups,
        }
    }

    /// A guard for what the route's author names beside receivers, by the system's resolver.
    pub fn of_author() -> Self {
        let (rules, lookups) = (Rules::of_author(), Lookups::default());
        Self::new(Arc::new(System), Arc::new(rules), NamedBy::Default, lookups)
    }

    /// The addresses that may be dialled for `name`, each with this port.
    pub async fn addresses(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let addresses = guarded(&*self.lookup, &self.egress, self.named_by, name).await?;
        Ok(addresses
            .map(|address| SocketAddr::new(address.ip(), port))
            .collect())
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, egress, named_by) = (Arc::clone(&self.lookup), Arc::clone(&self.egress), self.named_by);
        let under_way = self.lookups.begin(name.as_str());
        Box::pin(async move {
            let _under_way = under_way;
            Ok(guarded(&*lookup, &egress, named_by, name.as_str()).await?)
        })
    }
}

async fn guarded(lookup: &dyn Lookup, egress: &Rules, named_by: NamedBy, name: &str) -> Result<Addrs, Error> {
    let addresses = lookup.lookup(name).await.map_err(Error::Lookup)?;
    if addresses.is_empty() {
        return Err(Error::Lookup(LookupError::NoAddress));
    }
    for address in &addresses {
        egress.check_address(named_by, *address).map_err(Error::Refused)?;
    }
    // Port 0: the client puts the URL's port in.
    Ok(Box::new(
        addresses.into_iter().map(|address| SocketAddr::new(address, 0)),
    ))
}

#[cfg(test)]
mod tests;
