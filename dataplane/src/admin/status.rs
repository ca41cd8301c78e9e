//! `/status`: what this pod reports to the operator.
//!
//! Called by the admin port through [`crate::app::App`]. Invariant: it reports counts and the route's own names, never a
//! client or a receiver; and it never fails, since a store that is down is what it has to report.

use asyncmcp_crds::v1alpha1::DeliveryStatus;
use asyncmcp_crds::{StatusReport, StoreKeyReport, StoreProblem, StoreProblemReport, WaitingReport};
use asyncmcp_delivery::clock::{Clock, Millis};
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::waiting::Reason;
use asyncmcp_delivery::store::{KeyUse, Space, Store};

use crate::auth::Auth;
use crate::config::Config;
use crate::servers::catalogue::Catalogue;

/// The report of this moment.
pub(super) async fn report(
    config: &Config,
    (auth, catalogue, engine): (&Auth, &Catalogue, &Engine),
    (store, clock): (&dyn Store, &Clock),
) -> StatusReport {
    StatusReport {
        config_hash: config.hash.clone(),
        refused: config.refused.clone(),
        missing_keys: config.refs.missing(),
        unusable_keys: config.unusable_keys(),
        issuers_without_keys: auth.issuers_without_keys(),
        store_problem: store_problem(store.is_up(), &store.space()),
        servers: catalogue.servers(),
        webhook_tools: catalogue.webhook_tools(),
        delivery: delivery(store, clock).await,
        disabled_receivers: u32::try_from(engine.disabled_receivers()).unwrap_or(u32::MAX),
        waiting: waiting(engine),
        draining: config.route.deleting,
        unsigned: config.route.webhook.signing.is_empty(),
        unknown_fields: config.unknown_fields.clone(),
        store_keys: store.keys().into_iter().map(key).collect(),
    }
}

/// Why calls are refused. A full disk comes first: it takes the store down again and again, but what helps is space.
fn store_problem(is_up: bool, space: &Space) -> Option<StoreProblemReport> {
    let (reason, message) = if space.is_full {
        (
            StoreProblem::StoreFull,
            "the disk of the store is full: calls of webhook tools are refused, deliveries continue. Free space on it, or \
             enlarge the volume",
        )
    } else if space.refuses_jobs() {
        (
            StoreProblem::StoreFull,
            "the store is full: calls of webhook tools are refused until results are delivered or dead letters expire. \
             Look at what is pending (asyncmcp jobs list), or enlarge the store",
        )
    } else if !is_up {
        (
            StoreProblem::StoreDown,
            "the store cannot be written: calls of webhook tools are refused, and nothing is executed or delivered. The \
             pod's log has the cause",
        )
    } else {
        return None;
    };
    let message = message.to_owned();
    Some(StoreProblemReport { reason, message })
}

fn waiting(engine: &Engine) -> Vec<WaitingReport> {
    let report = |(reason, receivers): (Reason, usize)| WaitingReport {
        reason: reason.as_str().to_owned(),
        receivers: u32::try_from(receivers).unwrap_or(u32::MAX),
    };
    engine.waits().into_iter().map(report).collect()
}

fn key(key: KeyUse) -> StoreKeyReport {
    StoreKeyReport {
        id: key.id,
        values: key.values,
        missing: !key.known,
    }
}

/// The counts are in memory; the time of the oldest result is not known while the store is down.
async fn delivery(store: &dyn Store, clock: &Clock) -> DeliveryStatus {
    let counts = store.counts();
    let oldest = store.oldest_waiting().await.ok().flatten();
    DeliveryStatus {
        pending: i64::try_from(counts.pending()).unwrap_or(i64::MAX),
        dead_lettered: i64::try_from(counts.dead).unwrap_or(i64::MAX),
        oldest_pending_time: oldest.and_then(|at| time(clock.shown(at))),
    }
}

fn time(at: Millis) -> Option<asyncmcp_crds::Time> {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    Some(asyncmcp_crds::Time(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_reason_also_while_it_takes_the_store_down() {
        let roomy = Space::default();
        let used_up = Space {
            used: 90,
            budget: Some(100),
            is_full: false,
        };
        let full = Space {
            is_full: true,
            ..roomy
        };
        for (is_up, space, expect) in [
            (true, &roomy, None),
            (false, &roomy, Some(StoreProblem::StoreDown)),
            (true, &used_up, Some(StoreProblem::StoreFull)),
            (true, &full, Some(StoreProblem::StoreFull)),
            (false, &full, Some(StoreProblem::StoreFull)),
        ] {
            let problem = store_problem(is_up, space);
            assert_eq!(problem.map(|problem| problem.reason), expect, "{is_up} {space:?}");
        }
    }
}
