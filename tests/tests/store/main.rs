//! The embedded store as a process has it: on a volume that is really full, and under the commands that look
//! after it.
//!
//! Invariant: what was acknowledged is delivered, whatever the volume did meanwhile.

mod commands;
mod dead;
mod full;

use anyhow::Result;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Reply, Session};
use serde_json::json;

/// A route whose deliveries are tried every few seconds, for long.
fn route(example: &Example, receiver: &Receiver) -> String {
    let (server, receiver) = (&example.url, receiver.url("/hook"));
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: store}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools: [{{name: process_batch}}]
  webhook:
    retry: {{max: 50, exponential: {{initial: 2s, max: 4s}}}}
    perReceiver: {{breaker: Disabled}}
    receivers: {{default: {{url: "{receiver}"}}}}
"#
    )
}

async fn call(session: &Session, id: u64, seconds: f64) -> Result<Reply> {
    call_with(session, id, seconds, "a").await
}

async fn call_with(session: &Session, id: u64, seconds: f64, item: &str) -> Result<Reply> {
    let arguments = json!({"items": [item], "seconds": seconds});
    Ok(session.call(id, "process_batch", &arguments).await?)
}
