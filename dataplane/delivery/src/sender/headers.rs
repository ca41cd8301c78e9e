//! The headers of one attempt: Standard Webhooks 1.0, CloudEvents 1.0 (HTTP binding, binary mode),
//! W3C Trace Context, and the route author's own.
//!
//! Invariant: no header names the job (its id is a capability) or the MCP session, and what the route's own key signed
//! never goes to a receiver that a client named.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use super::Post;
use crate::egress::{Allowed, NamedBy};
use crate::policy::Signing;
use crate::signature::{self, SigningKey};

/// Ours come last and replace the author's.
pub(super) fn of(post: &Post<'_>, receiver: &Allowed) -> HeaderMap {
    let mut headers = match post.target.named_by {
        NamedBy::Default => post.policy.default_headers.clone().unwrap_or_default(),
        NamedBy::Session | NamedBy::Call => HeaderMap::new(),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("asyncmcp/", env!("CARGO_PKG_VERSION"))),
    );
    standard_webhooks(&mut headers, post, receiver);
    cloud_event(&mut headers, post);
    set(&mut headers, "traceparent", &post.trace.parent);
    set(&mut headers, "tracestate", &post.trace.state);
    if post.job.replays > 0 {
        set(&mut headers, "asyncmcp-replay", &post.job.replays.to_string());
    }
    headers
}

fn standard_webhooks(headers: &mut HeaderMap, post: &Post<'_>, receiver: &Allowed) {
    let (id, timestamp) = (post.job.id.webhook_id(), post.at.as_secs());
    set(headers, "webhook-id", &id);
    set(headers, "webhook-timestamp", &timestamp.to_string());
    headers.remove("webhook-signature");
    let keys = keys(post, receiver);
    if !keys.is_empty() {
        let signature = signature::sign(&keys, &id, timestamp, post.body);
        set(headers, "webhook-signature", &signature);
    }
}

/// A signature covers the body and not the receiver. If the route's keys signed for receivers of clients, one client
/// could have a body of its choice signed and send it to another receiver.
fn keys<'a>(post: &Post<'a>, receiver: &Allowed) -> Cow<'a, [SigningKey]> {
    match (&post.target.secret, &post.policy.signing) {
        (Some(secret), _) => Cow::Borrowed(std::slice::from_ref(secret)),
        (None, Signing::Keys(keys)) if post.target.named_by.is_client() => {
            let origin = receiver.url().origin().ascii_serialization();
            Cow::Owned(keys.iter().map(|key| key.for_origin(&origin)).collect())
        }
        (None, Signing::Keys(keys)) => Cow::Borrowed(keys),
        (None, Signing::Off | Signing::Waiting) => Cow::Borrowed(&[]),
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
    set(headers, "ce-type", post.kind.as_str());
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
