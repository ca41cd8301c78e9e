//! `/status`: what this pod reports to the operator.
//!
//! Called by the admin port through [`crate::app::App`]. Invariant: it reports counts and the route's own names, never a
//! client or a receiver.

use asyncmcp_crds::v1alpha1::DeliveryStatus;
use asyncmcp_crds::{StatusReport, StoreKeyReport};
use asyncmcp_delivery::clock::{Clock, Millis};
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::store::{self, KeyUse, Store};

use crate::config::Config;
use crate::servers::catalogue::Catalogue;

/// The report of this moment.
pub(super) async fn report(
    config: &Config,
    (catalogue, engine): (&Catalogue, &Engine),
    (store, clock): (&dyn Store, &Clock),
) -> Result<StatusReport, store::Error> {
    Ok(StatusReport {
        config_hash: config.hash.clone(),
        refused: config.refused.clone(),
        missing_keys: config.refs.missing(),
        servers: catalogue.servers(),
        webhook_tools: catalogue.webhook_tools(),
        delivery: delivery(store, clock).await?,
        disabled_receivers: u32::try_from(engine.disabled_receivers()).unwrap_or(u32::MAX),
        draining: config.route.deleting,
        unsigned: config.route.webhook.signing.is_empty(),
        unknown_fields: config.unknown_fields.clone(),
        store_keys: store.keys().into_iter().map(key).collect(),
    })
}

fn key(key: KeyUse) -> StoreKeyReport {
    StoreKeyReport {
        id: key.id,
        values: key.values,
        missing: !key.known,
    }
}

async fn delivery(store: &dyn Store, clock: &Clock) -> Result<DeliveryStatus, store::Error> {
    let counts = store.counts();
    let oldest = store.oldest_waiting().await?;
    Ok(DeliveryStatus {
        pending: i64::try_from(counts.pending()).unwrap_or(i64::MAX),
        dead_lettered: i64::try_from(counts.dead).unwrap_or(i64::MAX),
        oldest_pending_time: oldest.and_then(|at| time(clock.shown(at))),
    })
}

fn time(at: Millis) -> Option<asyncmcp_crds::Time> {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    Some(asyncmcp_crds::Time(at))
}
