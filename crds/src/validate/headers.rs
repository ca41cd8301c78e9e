//! Headers that the route adds to requests.
//!
//! Invariant: the name, and a literal value, of a header that passes can be used in a request without another check.

use super::{Findings, references};
use crate::form;
use crate::v1alpha1::{Header, header};

pub(super) fn check(path: &str, headers: Option<&[Header]>, findings: &mut Findings) {
    let headers = headers.unwrap_or_default();
    findings.count(path, 0..=32, headers.len());
    findings.unique(path, headers.iter().map(|header| header.name.as_str()));
    for (index, header) in headers.iter().enumerate() {
        check_header(&format!("{path}[{index}]"), header, findings);
    }
}

fn check_header(path: &str, header: &Header, findings: &mut Findings) {
    findings.exactly_one(
        path,
        &header::MEMBERS,
        &[header.value.is_some(), header.value_from.is_some()],
    );
    findings.form(format_args!("{path}.name"), &form::HEADER_NAME, &header.name);
    findings.require(
        !header::is_reserved(&header.name),
        format_args!("{path}.name"),
        header::RESERVED_MESSAGE,
    );
    if let Some(value) = &header.value {
        findings.form(format_args!("{path}.value"), &form::HEADER_VALUE, value);
    }
    if let Some(source) = &header.value_from {
        references::check_secret_key(
            &format!("{path}.valueFrom.secretKeyRef"),
            &source.secret_key_ref,
            findings,
        );
    }
}
