//! References to Services, Secrets and ConfigMaps.
//!
//! Invariant: only the format is checked; the operator and the pods find out whether the object exists.

use super::Findings;
use crate::form;
use crate::v1alpha1::{CertificateRef, SecretKeyRef, ServiceRef};

pub(super) fn check_service(path: &str, service: &ServiceRef, findings: &mut Findings) {
    findings.form(format_args!("{path}.name"), &form::SERVICE_NAME, &service.name);
    findings.range(format_args!("{path}.port"), 1..=65535, u32::from(service.port));
    if let Some(url_path) = &service.path {
        findings.form(format_args!("{path}.path"), &form::PATH, url_path);
    }
}

pub(super) fn check_secret_key(path: &str, reference: &SecretKeyRef, findings: &mut Findings) {
    findings.form(format_args!("{path}.name"), &form::OBJECT_NAME, &reference.name);
    findings.form(format_args!("{path}.key"), &form::SECRET_KEY, &reference.key);
}

pub(super) fn check_certificate(path: &str, reference: &CertificateRef, findings: &mut Findings) {
    findings.form(format_args!("{path}.name"), &form::OBJECT_NAME, &reference.name);
}
