//! What is allowed in a route and most likely not meant.
//!
//! `--check` and `asyncmcp check` print it, the running data plane logs it once per change. Invariant: nothing here is
//! refused, and every piece of advice names the field and what to do.

mod receivers;
mod sizes;

use std::time::Duration;

use crate::effective::{Route, Store};
use crate::problem::Problem;
use crate::span::words;

/// Retries that end sooner do not survive the restart of a receiver.
const SHORT: Duration = Duration::from_mins(1);

/// The advice about a route that passed `validate`, in the order of its fields.
pub fn advice(route: &Route) -> Vec<Problem> {
    let mut advice = Advice::default();
    servers(route, &mut advice);
    sizes::check(route, &mut advice);
    if !route.webhook_tools.is_empty() {
        retries(route, &mut advice);
        signing(route, &mut advice);
        receivers::check_usable(route, &mut advice);
        store(route, &mut advice);
    }
    receivers::check_lists(&route.webhook.receivers.from_clients, &mut advice);
    advice.0
}

/// What was found so far.
#[derive(Default)]
struct Advice(Vec<Problem>);

impl Advice {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            path: path.into(),
            message: message.into(),
            line: None,
        });
    }
}

fn servers(route: &Route, advice: &mut Advice) {
    for (index, server) in route.servers.iter().enumerate() {
        let has_path = url::Url::parse(&server.url).is_ok_and(|url| url.path() != "/");
        if !has_path {
            let path = format!("spec.servers[{index}].url");
            advice.add(path, "has no path; MCP servers are usually at /mcp");
        }
    }
}

fn retries(route: &Route, advice: &mut Advice) {
    let (webhook, path) = (&route.webhook, "spec.webhook.retry");
    let (retries, total) = webhook.retry.waits.total();
    if total < SHORT {
        let message = format!(
            "a delivery becomes a dead letter after {retries} retries within {}: receivers that restart lose results; \
             the default is 16 retries",
            words(total)
        );
        advice.add(path, message);
    } else if total > webhook.max_age {
        let message = format!(
            "the retries would take {}, but webhook.maxAge ends a delivery after {}",
            words(total),
            words(webhook.max_age)
        );
        advice.add(path, message);
    }
}

fn signing(route: &Route, advice: &mut Advice) {
    if route.webhook.signing.is_empty() {
        let message = "is not set: deliveries are not signed, so that receivers cannot know who sent them; set secretRefs";
        advice.add("spec.webhook.signing", message);
    }
}

fn store(route: &Route, advice: &mut Advice) {
    if route.store == Store::Memory {
        let message =
            "accepted calls and dead letters are lost when the process ends; use embedded to keep them";
        advice.add("spec.store.memory", message);
    }
}

#[cfg(test)]
mod tests;
