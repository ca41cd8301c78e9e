//! The route's `webhook` section, as the delivery engine reads it.
//!
//! [`follow`] sends a new policy for each new configuration. Invariant: what delivery may do is
//! decided here and nowhere else in the data plane.

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_crds::effective::{FromClients, Webhook};
use asyncmcp_crds::v1alpha1::{ReceiverPolicy, Scheme};
use asyncmcp_delivery::egress::{self, ClientPolicy, Egress};
use asyncmcp_delivery::engine::{Policy, Signing};
use asyncmcp_delivery::signature::SigningKey;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;

use crate::config::{Config, Live, Refs};

/// Jobs that run at once on one server.
const ROOM_ON_A_SERVER: usize = 16;
/// Jobs that run at once on all servers.
const MAX_RUNNING: usize = 256;
/// Attempts under way at once to one receiver.
const MAX_IN_FLIGHT: usize = 8;
/// How long a job that is over is kept, so that the same call finds it again.
const RESULT_RETENTION: Duration = Duration::from_hours(24);
/// How long a dead letter is kept.
const DEAD_RETENTION: Duration = Duration::from_hours(168);

/// The policy of the configuration that is served now, and of each one after it. Ends with `live`.
pub fn follow(mut live: Live) -> watch::Receiver<Arc<Policy>> {
    let sender = watch::Sender::new(Arc::new(policy(&live.borrow_and_update())));
    let receiver = sender.subscribe();
    tokio::spawn(async move {
        while live.changed().await.is_ok() {
            sender.send_replace(Arc::new(policy(&live.borrow_and_update())));
        }
    });
    receiver
}

fn policy(config: &Config) -> Policy {
    let route = &config.route;
    let webhook = &route.webhook;
    Policy {
        egress: Egress {
            from_clients: from_clients(&webhook.receivers.from_clients),
        },
        signing: signing(webhook, &config.refs),
        attempt_timeout: webhook.timeout,
        default_headers: default_headers(webhook, &config.refs),
        max_age: webhook.max_age,
        retry_after_max: webhook.retry.retry_after_max,
        result_retention: RESULT_RETENTION,
        dead_retention: DEAD_RETENTION,
        servers: route
            .servers
            .iter()
            .map(|server| (server.name.clone(), ROOM_ON_A_SERVER))
            .collect(),
        max_running: MAX_RUNNING,
        max_in_flight: MAX_IN_FLIGHT,
        namespace: route.namespace.clone(),
        route: route.name.clone(),
    }
}

fn from_clients(given: &FromClients) -> egress::FromClients {
    egress::FromClients {
        policy: match given.policy {
            ReceiverPolicy::Deny => ClientPolicy::Deny,
            ReceiverPolicy::Allowlist => ClientPolicy::Allowlist,
        },
        // `validate` refuses what does not parse; a host that would not is not allowed.
        hosts: given
            .allowed_hosts
            .iter()
            .filter_map(|host| host.as_str().parse().ok())
            .collect(),
        cidrs: given.allowed_cidrs.clone(),
        schemes: given.schemes.iter().copied().map(scheme).collect(),
    }
}

fn scheme(given: Scheme) -> egress::Scheme {
    match given {
        Scheme::Http => egress::Scheme::Http,
        Scheme::Https => egress::Scheme::Https,
    }
}

/// A key that cannot be read, or is none, is skipped and said; with none left deliveries wait.
fn signing(webhook: &Webhook, refs: &Refs) -> Signing {
    if webhook.signing.is_empty() {
        return Signing::Off;
    }
    let keys: Vec<SigningKey> = webhook
        .signing
        .iter()
        .filter_map(|named| {
            let text = refs.secret(named)?.text()?;
            let key = text.parse::<SigningKey>();
            key.inspect_err(|error| {
                tracing::error!(secret = %named.name, key = %named.key, %error, "a signing key is skipped");
            })
            .ok()
        })
        .collect();
    if keys.is_empty() {
        Signing::Waiting
    } else {
        Signing::Keys(keys)
    }
}

fn default_headers(webhook: &Webhook, refs: &Refs) -> HeaderMap {
    let given = webhook
        .receivers
        .default
        .as_ref()
        .map(|receiver| refs.headers(&receiver.headers));
    let parsed = given.unwrap_or_default().into_iter().filter_map(|(name, value)| {
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true); // any of them may come from a Secret
        Some((name.parse::<HeaderName>().ok()?, value))
    });
    parsed.collect()
}
