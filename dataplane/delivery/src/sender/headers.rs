//! The headers of one attempt: Standard Webhooks 1.0, CloudEvents 1.0 (HTTP binding, binary mode),
//! W3C Trace Context, and the route author's own.
//!
//! Invariant: no header names the job (its id is a capability) or the MCP session.

use std::fmt::Write as _;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use super::Post;
use crate::egress::NamedBy;
use crate::policy::Signing;
use crate::signature;

/// Ours come last and replace the author's.
pub(super) fn of(post: &Post<'_>) -> HeaderMap {
    let mut headers = match post.target.named_by {
        NamedBy::Default => post.policy.default_headers.clone().unwrap_or_default(),
        NamedBy::Session | NamedBy::Call => HeaderMap::new(),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("asyncmcp/", env!("CARGO_PKG_VERSION"))),
    );
    standard_webhooks(&mut headers, post);
    cloud_event(&mut headers, post);
    set(&mut headers, "traceparent", &post.trace.parent);
    set(&mut headers, "tracestate", &post.trace.state);
    if post.job.replays > 0 {
        set(&mut headers, "asyncmcp-replay", &post.job.replays.to_string());
    }
    headers
}

fn standard_webhooks(headers: &mut HeaderMap, post: &Post<'_>) {
    let (id, timestamp) = (post.job.id.webhook_id(), post.at.as_secs());
    set(headers, "webhook-id", &id);
    set(headers, "webhook-timestamp", &timestamp.to_string());
    headers.remove("webhook-signature");
    let keys = match (&post.target.secret, &post.policy.signing) {
        (Some(secret), _) => std::slice::from_ref(secret),
        (None, Signing::Keys(keys)) => keys.as_slice(),
        (None, Signing::Off | Signing::Waiting) => &[],
    };
    if !keys.is_empty() {
        let signature = signature::sign(keys, &id, timestamp, post.body);
        set(headers, "webhook-signature", &signature);
    }
}

fn cloud_event(headers: &mut HeaderMap, post: &Post<'_>) {
    let policy = post.policy;
    let source = format!(
        "/namespaces/{}/mcpwebhookroutes/{}",
        policy.namespace, policy.route
    );
    set(headers, "ce-specversion", "1.0");
    set(headers, "ce-id", &post.job.id.webhook_id());
    set(headers, "ce-source", &encoded(&source));
    set(headers, "ce-type", "dev.asyncmcp.tool.result.v1");
    set(headers, "ce-subject", &encoded(&post.call.shown_as));
    set(headers, "ce-time", &post.ended.to_string());
}

/// Sets a header, unless its value is empty or invalid (a broken stored trace context).
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// CloudEvents HTTP binding §3.1.3.2: what is not printable ASCII, and space, `"` and `%`, is
/// percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'%' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // writing to a String cannot fail
        }
        out
    })
}
