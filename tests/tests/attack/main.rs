//! Attacks on the running process, each of which once worked.
//!
//! Invariant: an attack comes from one place, and what is asserted is what everybody else gets meanwhile.

mod addresses;
mod connections;
mod fan_out;
mod forgery;
mod hosts;
mod isolation;
mod oversized;
mod repeats;
mod signatures;
mod telemetry;

use std::time::Duration;

/// How long what should happen may take.
const SOON: Duration = Duration::from_secs(20);

/// A route in front of these servers (`name: url`), with `rest` as the rest of its spec.
fn route(servers: &[(&str, &str)], rest: &str) -> String {
    let servers: Vec<_> = servers
        .iter()
        .map(|(name, url)| format!("{{name: {name}, url: '{url}'}}"))
        .collect();
    let servers = servers.join(", ");
    let head = "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {name: attacked}\nspec:";
    format!("{head}\n  servers: [{servers}]\n{rest}\n")
}
