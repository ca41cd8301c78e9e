//! Who may use the route.
//!
//! Invariant: an `auth` that passes names credentials: it never lets everybody in.

use std::collections::BTreeSet;

use super::{Findings, references};
use crate::v1alpha1::{Auth, SecretKeyRef, auth};

pub(super) fn check(auth: Option<&Auth>, findings: &mut Findings) {
    let Some(auth) = auth else { return };
    findings.require(
        auth.bearer_secret_refs.is_some(),
        "spec.auth",
        auth::CREDENTIALS_MESSAGE,
    );
    if let Some(refs) = &auth.bearer_secret_refs {
        check_bearer("spec.auth.bearerSecretRefs", refs, findings);
    }
}

fn check_bearer(path: &str, refs: &[SecretKeyRef], findings: &mut Findings) {
    findings.count(path, 1..=16, refs.len());
    let mut seen = BTreeSet::new();
    for (index, reference) in refs.iter().enumerate() {
        let path = format!("{path}[{index}]");
        references::check_secret_key(&path, reference, findings);
        findings.require(
            seen.insert(reference),
            &path,
            "is given twice; each key of a Secret is one client",
        );
    }
}
