//! Which keys of Secrets and ConfigMaps that the route refers to cannot be used, and what that prevents. Called by `draft`.
//!
//! Invariant: pure. What a key contains is known to the pods alone, which report what is wrong with it, never its value.

use super::conditions::{
    KEY_INVALID, KEY_NOT_FOUND, NO_CERTIFICATE, NO_CREDENTIALS, NO_HEADER, NO_SIGNING_KEY, Verdict,
};
use crate::kinds::Key;
use crate::route::apply::Problem;
use crate::route::feedback::Observed;
use crate::route::resolve::Found;
use crate::route::validate::Valid;
use asyncmcp_crds::effective::{DefaultReceiver, HeaderValue};
use asyncmcp_crds::v1alpha1::SecretKeyRef;
use asyncmcp_crds::{ObjectKey, StatusReport};
use std::fmt;

/// A key that the pods cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unusable<'a> {
    key: &'a ObjectKey,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    NoObject,
    /// The pods do not find it.
    Unread,
    /// In the words of a pod, such as `is empty`.
    Invalid(String),
}

impl fmt::Display for Unusable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectKey { kind, name, key } = self.key;
        let kind = kind.as_str();
        match &self.why {
            Why::NoObject => write!(f, "{kind} {name} does not exist"),
            Why::Unread => write!(
                f,
                "the pods cannot read key {key} of {kind} {name}; does it have that key?"
            ),
            Why::Invalid(message) => write!(f, "key {key} of {kind} {name} {message}"),
        }
    }
}

/// The keys that cannot be used, according to the cluster and to the pods of the current revision. A pod of an earlier
/// one may not have the Secret mounted.
pub(super) fn unusable<'a>(valid: &'a Valid, template: &str, found: &Found) -> Vec<Unusable<'a>> {
    let reports: Vec<&StatusReport> = reports(template, found).collect();
    let unusable = valid.keys.iter().filter_map(|key| {
        let why = why(key, &found.missing, &reports)?;
        Some(Unusable { key, why })
    });
    unusable.collect()
}

/// What the pods of the current revision report.
pub(super) fn reports<'a>(template: &str, found: &'a Found) -> impl Iterator<Item = &'a StatusReport> {
    let is_current =
        move |pod: &&Observed| pod.trusted && !pod.pod.terminating && pod.pod.template == template;
    let pods = found.pods.iter().filter(is_current);
    pods.filter_map(|pod| pod.report.as_deref())
}

fn why(key: &ObjectKey, missing: &[Key], reports: &[&StatusReport]) -> Option<Why> {
    if missing.contains(&Key::new(key.kind.into(), &key.name)) {
        return Some(Why::NoObject);
    }
    let path = key.to_string();
    if reports.iter().any(|report| report.missing_keys.contains(&path)) {
        return Some(Why::Unread);
    }
    let mut invalid = reports.iter().flat_map(|report| &report.unusable_keys);
    let invalid = invalid.find(|unusable| unusable.key == path)?;
    Some(Why::Invalid(invalid.message.clone()))
}

/// The verdict on everything that the route refers to.
pub(super) fn resolved(missing: &[Key], unusable: &[Unusable<'_>]) -> Verdict {
    let keys = unusable.iter().filter(|unusable| unusable.why != Why::NoObject);
    let mut texts: Vec<String> = keys.clone().map(ToString::to_string).collect();
    let is_read = keys.clone().all(|unusable| unusable.why != Why::Unread);
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        texts.insert(0, format!("not found in this namespace: {}", names.join(", ")));
        return Verdict::no("RefNotFound", texts.join("; "));
    }
    match (texts.is_empty(), is_read) {
        (true, _) => Verdict::yes("ResolvedRefs", "all references exist"),
        (false, true) => Verdict::no(KEY_INVALID, texts.join("; ")),
        (false, false) => Verdict::no(KEY_NOT_FOUND, texts.join("; ")),
    }
}

/// Why clients cannot connect, if they cannot.
pub(super) fn no_certificate(valid: &Valid, unusable: &[Unusable<'_>]) -> Option<Problem> {
    let secret = valid.route.transport.certificate.as_ref()?;
    let keys = ObjectKey::certificate(secret);
    let why = unusable.iter().find(|unusable| keys.contains(unusable.key))?;
    Some(Problem {
        reason: NO_CERTIFICATE,
        message: format!(
            "clients can connect only to pods that still have an earlier certificate (transport.tls): {why}"
        ),
    })
}

/// Why every client is refused, if it is.
pub(super) fn keeping_out(valid: &Valid, unusable: &[Unusable<'_>]) -> Option<Problem> {
    let auth = valid.route.auth.as_ref()?;
    let tokens = &auth.bearer;
    let why: Vec<_> = tokens.iter().filter_map(|key| about(key, unusable)).collect();
    let refuses = auth.jwt.is_empty() && why.len() == tokens.len();
    refuses.then(|| Problem {
        reason: NO_CREDENTIALS,
        message: format!(
            "no client's token can be used, so every request is refused: {}",
            why.join("; ")
        ),
    })
}

/// Why deliveries wait, if they do.
pub(super) fn holding_back(valid: &Valid, unusable: &[Unusable<'_>]) -> Option<Problem> {
    if valid.route.webhook_tools.is_empty() {
        return None;
    }
    let webhook = &valid.route.webhook;
    let default = (
        "deliveries to the default receiver",
        webhook.receivers.default.as_ref(),
    );
    let notified = ("events about dead letters", webhook.notify.as_ref());
    signing(valid, unusable)
        .or_else(|| headers(default, unusable))
        .or_else(|| headers(notified, unusable))
}

/// One key that can be used is enough: the others may be about to come, or to go.
fn signing(valid: &Valid, unusable: &[Unusable<'_>]) -> Option<Problem> {
    let keys = &valid.route.webhook.signing;
    let why: Vec<_> = keys.iter().filter_map(|key| about(key, unusable)).collect();
    let waits = !keys.is_empty() && why.len() == keys.len();
    waits.then(|| Problem {
        reason: NO_SIGNING_KEY,
        message: format!(
            "no delivery can be signed, so all of them wait: {}",
            why.join("; ")
        ),
    })
}

/// Every header counts: a receiver refuses what comes without its credentials.
fn headers((what, receiver): (&str, Option<&DefaultReceiver>), unusable: &[Unusable<'_>]) -> Option<Problem> {
    let secrets = receiver?.headers.iter().filter_map(|header| match &header.value {
        HeaderValue::Literal(_) => None,
        HeaderValue::Secret(secret) => Some((&header.name, secret)),
    });
    let why: Vec<_> = secrets
        .filter_map(|(name, secret)| Some(format!("{name} ({})", about(secret, unusable)?)))
        .collect();
    (!why.is_empty()).then(|| Problem {
        reason: NO_HEADER,
        message: format!("{what} wait for a header: {}", why.join("; ")),
    })
}

fn about(secret: &SecretKeyRef, unusable: &[Unusable<'_>]) -> Option<String> {
    let key = ObjectKey::from(secret.clone());
    let found = unusable.iter().find(|unusable| *unusable.key == key)?;
    Some(found.to_string())
}
