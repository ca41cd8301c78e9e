//! Routes over fake servers, and what else a test of the side towards servers starts with.
//!
//! Invariant: nothing here outlives the test's runtime.

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_crds::load::{Unknown, load};
use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::store::{self, memory::Memory};
use asyncmcp_protocol::Version;
use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::caller::access::Access;
use crate::caller::session::LegacySession;
use crate::config::{Config, Refs};
use crate::servers::{Metrics, Upstreams};

/// How long a test waits for what is to happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The route of this YAML `spec`.
pub(crate) fn config(spec: &str) -> Arc<Config> {
    let indented: Vec<_> = spec.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n{}",
        indented.concat()
    );
    let route = asyncmcp_crds::effective(&load(&text, Unknown::Refuse).unwrap().route);
    Arc::new(Config {
        route,
        hash: String::new(),
        refs: Refs::default(),
        unknown_fields: Vec::new(),
        refused: None,
    })
}

/// The servers of a route, and the hand that changes it.
pub(crate) fn upstreams(spec: &str) -> (Upstreams, watch::Sender<Arc<Config>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (change, live) = watch::channel(config(spec));
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    (Upstreams::new(live, metrics), change)
}

/// A client with roots, of the session with this number.
pub(crate) fn client(number: u8) -> Caller {
    let session = LegacySession {
        sid: [number; 16],
        principal: None,
        opened: asyncmcp_delivery::clock::Millis(0),
        expires: Millis(u64::MAX),
        version: Version::V2025_06_18,
        client_info: Implementation::new("agent", "7"),
        capabilities: ClientCapabilities::from_bits(1),
        receiver: None,
    };
    Caller::in_session(session, &Access::anonymous())
}

/// An empty store.
pub(crate) fn store() -> Arc<Memory> {
    Arc::new(Memory::new(store::metrics::Metrics::default()))
}
