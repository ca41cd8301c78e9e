//! What status says about authorization servers whose keys no pod could read. Called by `draft`.
//!
//! Invariant: pure. A pod that has read an issuer's keys once does not report it any more, so this does not alternate.

use std::collections::BTreeMap;

use super::conditions::NO_ISSUER_KEYS;
use super::secrets::reports;
use crate::route::apply::Problem;
use crate::route::resolve::Found;

/// Why the clients of an issuer are refused, if they are.
pub(super) fn without_keys(template: &str, found: &Found) -> Option<Problem> {
    let issuers = reports(template, found).flat_map(|report| &report.issuers_without_keys);
    let issuers: BTreeMap<_, _> = issuers.map(|report| (&report.issuer, &report.message)).collect();
    let why = issuers
        .iter()
        .map(|(issuer, message)| format!("{issuer} ({message})"));
    let why: Vec<_> = why.collect();
    (!why.is_empty()).then(|| Problem {
        reason: NO_ISSUER_KEYS,
        message: format!(
            "clients with tokens of these issuers get 503, since the pods cannot read the issuers' keys: {}",
            why.join("; ")
        ),
    })
}
