//! The receiver that a call names for itself: `_meta["dev.asyncmcp/webhook"] = {url, secret}`.
//!
//! [`super`] asks for it before it looks for any other. Invariant: what a client asks of its delivery
//! is done or refused, never ignored.

use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::job::Target;
use asyncmcp_protocol::{RawObject, Request};

use crate::caller::respond::Error;

/// The `_meta` key.
pub(super) const META_KEY: &str = "dev.asyncmcp/webhook";

/// Said where the tool's result never goes by webhook.
pub(super) const NOT_A_WEBHOOK_TOOL: &str = "params._meta[\"dev.asyncmcp/webhook\"] is for tools whose result goes by \
    webhook; this one answers in the conversation, so leave it out";

const NO_OBJECT: &str =
    "params._meta[\"dev.asyncmcp/webhook\"] must be an object: {\"url\": ..., \"secret\": ...}";
const NO_URL: &str = "params._meta[\"dev.asyncmcp/webhook\"].url must be a string of at most 2048 bytes: where the result is POSTed to";
const NO_SECRET: &str = "params._meta[\"dev.asyncmcp/webhook\"].secret must be \"whsec_\" and the base64 of 24 to 64 bytes \
    (Standard Webhooks); leave it out to have a key sign that is derived from the route's for this receiver";
/// As long as a receiver's URL in the route may be.
const MAX_URL: usize = 2048;

/// The receiver that `request` names. The egress policy decides whether it may be used.
pub(super) fn receiver(request: &Request) -> Result<Option<Target>, Error> {
    let meta = request.meta().unwrap_or_default();
    if meta.get(META_KEY).is_none() {
        return Ok(None);
    }
    let named = meta.object(META_KEY).ok().flatten();
    let named = named.ok_or(Error::Params(NO_OBJECT))?;
    let url = named
        .text("url")
        .filter(|url| !url.is_empty() && url.len() <= MAX_URL);
    Ok(Some(Target {
        url: url.ok_or(Error::Params(NO_URL))?,
        named_by: NamedBy::Call,
        secret: secret(&named)?,
    }))
}

fn secret(named: &RawObject) -> Result<Option<asyncmcp_delivery::signature::SigningKey>, Error> {
    if named.get("secret").is_none() {
        return Ok(None);
    }
    let parsed = named.text("secret").and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or(Error::Params(NO_SECRET))
}
