//! The route's `webhook` section, as the delivery engine reads it.
//!
//! [`follow`] sends a new policy for each new configuration. Invariant: what delivery may do is
//! decided here and nowhere else in the data plane.

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_crds::effective::{DefaultReceiver, FromClients, Webhook};
use asyncmcp_crds::v1alpha1::{Breaker, ReceiverPolicy, Scheme};
use asyncmcp_delivery::egress::{self, ClientPolicy, Rules};
use asyncmcp_delivery::job::{Key, NoticeTo};
use asyncmcp_delivery::policy::{Notify, PerReceiver, Policy, Signing, ToolLimit, ToolLimits};
use asyncmcp_delivery::signature::SigningKey;
use http::{HeaderMap, HeaderName};
use tokio::sync::watch;

use crate::config::{Config, Live, Refs, retry};
use crate::servers::catalogue;

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

fn policy(config: &Arc<Config>) -> Policy {
    let route = &config.route;
    let webhook = &route.webhook;
    Policy {
        egress: Rules {
            from_clients: from_clients(&webhook.receivers.from_clients),
        },
        signing: signing(webhook, &config.refs),
        attempt_timeout: webhook.timeout,
        default_headers: match &webhook.receivers.default {
            Some(receiver) => headers(receiver, &config.refs),
            None => Some(HeaderMap::new()),
        },
        notify: webhook.notify.as_ref().map(|receiver| Notify {
            to: NoticeTo {
                url: receiver.url.clone(),
                retry: retry::of(&webhook.retry.waits),
            },
            headers: headers(receiver, &config.refs),
        }),
        max_age: webhook.max_age,
        retry_after_max: webhook.retry.retry_after_max,
        result_retention: webhook.result_retention,
        dead_retention: webhook.dead_retention,
        servers: route
            .servers
            .iter()
            .map(|server| (server.name.clone(), number(server.max_concurrent_jobs)))
            .collect(),
        tools: tool_limits(config),
        max_result_size: usize::try_from(webhook.max_result_size).unwrap_or(usize::MAX),
        longest_timeout: longest_timeout(config),
        max_running: number(webhook.max_running),
        max_running_percent: webhook.per_client.max_running_percent.into(),
        per_receiver: PerReceiver {
            max_in_flight: number(webhook.per_receiver.max_in_flight),
            rate: webhook.per_receiver.rate_per_second,
            breaker: webhook.per_receiver.breaker == Breaker::Enabled,
        },
        namespace: route.namespace.clone(),
        route: route.name.clone(),
    }
}

fn longest_timeout(config: &Config) -> Duration {
    let timeouts = config.route.webhook_tools.iter().map(|tool| tool.timeout);
    timeouts.max().unwrap_or_default()
}

/// All tools of an entry share its limit. Tools are matched to entries when a job's turn has come.
fn tool_limits(config: &Arc<Config>) -> ToolLimits {
    let entries = &config.route.webhook_tools;
    if entries.iter().all(|entry| entry.max_concurrent.is_none()) {
        return ToolLimits::default();
    }
    let config = Arc::clone(config);
    ToolLimits::new(move |tool| {
        let entry = catalogue::webhook(&config.route, tool)?;
        Some(ToolLimit {
            tools: Key::of(entry.name.as_str()),
            room: number(entry.max_concurrent?),
        })
    })
}

fn number(given: u32) -> usize {
    usize::try_from(given).unwrap_or(usize::MAX)
}

fn from_clients(given: &FromClients) -> egress::FromClients {
    egress::FromClients {
        policy: match given.policy {
            ReceiverPolicy::Deny => ClientPolicy::Deny,
            ReceiverPolicy::Allowlist => ClientPolicy::Allowlist,
            ReceiverPolicy::Any => ClientPolicy::Any,
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

/// A key that cannot be used is skipped, and named by `config::notices`; with none left deliveries wait.
fn signing(webhook: &Webhook, refs: &Refs) -> Signing {
    if webhook.signing.is_empty() {
        return Signing::Off;
    }
    let keys = webhook.signing.iter().map(|named| refs.signing_key(named));
    let keys: Vec<SigningKey> = keys.filter_map(Result::ok).collect();
    if keys.is_empty() {
        Signing::Waiting
    } else {
        Signing::Keys(keys)
    }
}

/// All of them or none: a receiver refuses what comes without its credentials, and each refusal costs a retry.
fn headers(receiver: &DefaultReceiver, refs: &Refs) -> Option<HeaderMap> {
    let parsed = receiver.headers.iter().map(|header| {
        let value = refs.header(header).ok()?;
        Some((header.name.parse::<HeaderName>().ok()?, value))
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use asyncmcp_delivery::egress::NamedBy;
    use asyncmcp_delivery::job::Retry;

    use super::*;
    use crate::tests::route::config;

    #[test]
    fn the_limits_are_the_routes() {
        let policy = policy(&config(
            "servers: [{name: a, url: \"http://a\", maxConcurrentJobs: 3}]\n\
             webhookTools: [{name: \"a_*\", maxConcurrent: 2}, {name: a_x}]\n\
             webhook:\n  \
               maxRunning: 5\n  \
               maxResultSize: 1Ki\n  \
               perReceiver: {maxInFlight: 4, ratePerSecond: 7, breaker: Disabled}\n  \
               resultRetention: 1h\n  \
               deadLetter: {retention: 2h}\n",
        ));
        assert_eq!(policy.room_on(Key::of("a")), Some(3));
        assert_eq!(
            (
                policy.max_running,
                policy.max_result_size,
                policy.per_receiver.max_in_flight
            ),
            (5, 1024, 4)
        );
        assert_eq!(
            (policy.per_receiver.rate, policy.per_receiver.breaker),
            (Some(7), false)
        );
        assert_eq!(policy.result_retention, Duration::from_hours(1));
        assert_eq!(policy.dead_retention, Duration::from_hours(2));
        let shared = policy.tools.of("a_1").unwrap();
        assert_eq!((shared.room, policy.tools.of("a_2")), (2, Some(shared)));
        assert_eq!(policy.tools.of("a_x"), None, "an exact entry beats the pattern");
        assert_eq!(policy.tools.of("b"), None);
    }

    #[test]
    fn a_receiver_waits_for_every_header_that_it_was_given() {
        let with = |header: &str| {
            policy(&config(&format!(
                "servers: [{{name: a, url: \"http://a\"}}]\nwebhook:\n  receivers:\n    default:\n      url: http://r\n      \
                 headers: [{{name: x-one, value: \"1\"}}{header}]\n"
            )))
        };
        assert_eq!(with("").default_headers.unwrap()["x-one"], "1");
        let secret = ", {name: x-two, valueFrom: {secretKeyRef: {name: s, key: k}}}";
        assert_eq!(with(secret).default_headers, None);
    }

    #[test]
    fn events_have_a_receiver_a_schedule_and_headers_of_their_own() {
        let route = |notify: &str| {
            policy(&config(&format!(
                "servers: [{{name: a, url: \"http://a\"}}]\nwebhook:\n  retry: {{schedule: [5s]}}\n{notify}"
            )))
        };
        assert_eq!(route("").notify, None);
        let url = "  deadLetter: {notify: {url: \"http://ops/\", headers: [{name: x-a, ";
        let notify = route(&format!("{url}value: b}}]}}}}\n")).notify.unwrap();
        let waits = vec![Duration::from_secs(5)];
        let jitter_percent = 0;
        assert_eq!(notify.to.url, "http://ops/");
        assert_eq!(
            notify.to.retry,
            Retry::Schedule {
                waits,
                jitter_percent
            }
        );
        assert_eq!(notify.headers.unwrap()["x-a"], "b");
        let unread = route(&format!(
            "{url}valueFrom: {{secretKeyRef: {{name: s, key: k}}}}}}]}}}}\n"
        ));
        assert!(!unread.can_send_to(NamedBy::Notify) && unread.can_send_to(NamedBy::Default));
    }

    #[test]
    fn no_tool_is_looked_up_where_none_has_a_limit() {
        let policy = policy(&config(
            "servers: [{name: a, url: \"http://a\"}]\nwebhookTools: [{name: \"a_*\"}]\n",
        ));
        assert!(!policy.tools.any());
    }
}
