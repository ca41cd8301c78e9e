//! A route in a few lines: what a check found, for a person.
//!
//! `asyncmcp-dataplane --check` and `asyncmcp check` print it. Invariant: nothing of a Secret's value, and of a receiver's
//! URL no query.

use std::fmt::Write as _;

use url::Url;

use crate::effective::{FromClients, Route, Store, Waits};
use crate::problem::Problem;
use crate::span::words;
use crate::v1alpha1::ReceiverPolicy;

/// A key of a Secret or ConfigMap that the route references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// The key, as `secrets/<name>/<key>`.
    pub key: String,
    /// Why it cannot be used; `None` if it can.
    pub trouble: Option<String>,
}

/// What a check says about a valid route: the summary, then one line for each warning.
pub fn report(route: &Route, keys: &[KeyState], warnings: &[String]) -> String {
    let mut lines = vec![format!("route {:?} is valid", route.name)];
    for server in &route.servers {
        let prefix = prefix(&server.tool_prefix);
        lines.push(line(
            "server",
            &format!("{} at {}{prefix}", server.name, bare(&server.url)),
        ));
    }
    if route.webhook_tools.is_empty() {
        lines.push(line("webhook tools", "none: a plain gateway"));
    } else {
        let names: Vec<_> = route
            .webhook_tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        lines.push(line("webhook tools", &names.join(", ")));
        lines.push(line("receivers", &receivers(route)));
        lines.push(line("retries", &retries(route)));
    }
    for key in keys {
        let state = key.trouble.as_deref().unwrap_or("ok");
        lines.push(line("key", &format!("{}: {state}", key.key)));
    }
    lines.push(line("store", &store(&route.store)));
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    let mut text = lines.join("\n");
    let _ = write!(text, "\n{}", count(warnings.len())); // writing to a String cannot fail
    text
}

/// The warnings of a check: the advice, and the keys that cannot be used.
pub fn warnings(advice: &[Problem], keys: &[KeyState]) -> Vec<String> {
    let advice = advice.iter().map(ToString::to_string);
    let keys = keys
        .iter()
        .filter_map(|key| Some(format!("{}: {}", key.key, key.trouble.as_ref()?)));
    advice.chain(keys).collect()
}

/// The retries and how long they take, such as `16 retries in 8 h 16 min`.
pub fn retry_total(waits: &Waits) -> String {
    let (retries, total) = waits.total();
    let word = if retries == 1 { "retry" } else { "retries" };
    format!("{retries} {word} in {}", words(total))
}

fn count(warnings: usize) -> String {
    match warnings {
        0 => "no warnings".to_owned(),
        1 => "1 warning".to_owned(),
        count => format!("{count} warnings"),
    }
}

fn line(name: &str, text: &str) -> String {
    format!("  {name:14} {text}")
}

fn prefix(prefix: &str) -> String {
    if prefix.is_empty() {
        String::new()
    } else {
        format!(", prefix {prefix}")
    }
}

fn receivers(route: &Route) -> String {
    let receivers = &route.webhook.receivers;
    let default = receivers.default.as_ref().map(|default| bare(&default.url));
    let default = default.unwrap_or_else(|| "none of the route's own".to_owned());
    let notified = route.webhook.notify.as_ref();
    let notified = notified.map(|to| format!("; events about dead letters to {}", bare(&to.url)));
    format!(
        "{default}; clients may name {}{}",
        from_clients(&receivers.from_clients),
        notified.unwrap_or_default()
    )
}

fn from_clients(given: &FromClients) -> String {
    let schemes: Vec<_> = given.schemes.iter().map(|scheme| scheme.as_str()).collect();
    let over = schemes.join(" and ");
    match given.policy {
        ReceiverPolicy::Deny => "none".to_owned(),
        ReceiverPolicy::Any => format!("any public host over {over}"),
        ReceiverPolicy::Allowlist => {
            let hosts = given.allowed_hosts.iter().map(ToString::to_string);
            let ranges = given.allowed_cidrs.iter().map(ToString::to_string);
            let all: Vec<_> = hosts.chain(ranges).collect();
            if all.is_empty() {
                "none".to_owned()
            } else {
                format!("{} over {over}", all.join(", "))
            }
        }
    }
}

fn retries(route: &Route) -> String {
    let webhook = &route.webhook;
    format!(
        "{}, then a dead letter for {}",
        retry_total(&webhook.retry.waits),
        words(webhook.dead_retention)
    )
}

fn store(store: &Store) -> String {
    match store {
        Store::Embedded(store) => format!("embedded, {}", store.size.as_str()),
        Store::Memory => "memory".to_owned(),
    }
}

/// A URL without its query, which may hold a credential.
fn bare(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return String::new(); // `validate` refuses it
    };
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::advice;
    use crate::load::{Unknown, load};
    use crate::{effective, validate};

    #[test]
    fn a_route_is_summed_up_in_lines() {
        let text = r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: analytics}
spec:
  servers:
  - {name: ex, url: "http://127.0.0.1:1/mcp?key=hidden", toolPrefix: ex_}
  webhookTools: [{name: run}, {name: "batch_*"}]
  webhook:
    retry: {max: 8}
    signing: {secretRefs: [{name: s, key: k}]}
    receivers:
      fromClients: {allowedHosts: ["*.example.com"]}
      default: {url: "http://127.0.0.1:2/hook?key=hidden"}
"#;
        let loaded = load(text, Unknown::Refuse).unwrap();
        validate(&loaded.route).unwrap();
        let route = effective(&loaded.route);
        let keys = [KeyState {
            key: "secrets/s/k".to_owned(),
            trouble: Some("cannot be read".to_owned()),
        }];
        let warnings = warnings(&advice(&route), &keys);
        assert_eq!(
            report(&route, &keys, &warnings),
            "route \"analytics\" is valid\n  \
             server         ex at http://127.0.0.1:1/mcp, prefix ex_\n  \
             webhook tools  run, batch_*\n  \
             receivers      http://127.0.0.1:2/hook; clients may name *.example.com over https\n  \
             retries        8 retries in 4 min 15 s, then a dead letter for 168 h\n  \
             key            secrets/s/k: cannot be read\n  \
             store          embedded, 8Gi\n\
             warning: secrets/s/k: cannot be read\n\
             1 warning"
        );
    }
}
