//! Headers that the route adds to requests.
//!
//! Invariant: the name, and a literal value, of a header that passes can be used in a request without another check.

use super::{Findings, references};
use crate::form;
use crate::form::Form;
use crate::v1alpha1::{Header, HeaderSource, ServerHeader, header, server_header};

/// A header of either kind, and the rules of its kind.
struct Given<'a> {
    name: &'a str,
    value: Option<&'a str>,
    value_from: Option<&'a HeaderSource>,
    form: &'static Form,
    is_reserved: fn(&str) -> bool,
}

/// Headers to a receiver or a collector.
pub(super) fn check(path: &str, headers: Option<&[Header]>, findings: &mut Findings) {
    let given = headers.unwrap_or_default().iter().map(|header| Given {
        name: &header.name,
        value: header.value.as_deref(),
        value_from: header.value_from.as_ref(),
        form: &form::HEADER_VALUE,
        is_reserved: header::is_reserved,
    });
    check_all(path, &given.collect::<Vec<_>>(), findings);
}

/// Headers to a server.
pub(super) fn check_to_server(path: &str, headers: Option<&[ServerHeader]>, findings: &mut Findings) {
    let given = headers.unwrap_or_default().iter().map(|header| Given {
        name: &header.name,
        value: header.value.as_deref(),
        value_from: header.value_from.as_ref(),
        form: &form::SERVER_HEADER_VALUE,
        is_reserved: server_header::is_reserved,
    });
    check_all(path, &given.collect::<Vec<_>>(), findings);
}

fn check_all(path: &str, headers: &[Given<'_>], findings: &mut Findings) {
    findings.count(path, 0..=32, headers.len());
    findings.unique(path, headers.iter().map(|header| header.name));
    for (index, header) in headers.iter().enumerate() {
        check_header(&format!("{path}[{index}]"), header, findings);
    }
}

fn check_header(path: &str, header: &Given<'_>, findings: &mut Findings) {
    findings.exactly_one(
        path,
        &header::MEMBERS,
        &[header.value.is_some(), header.value_from.is_some()],
    );
    findings.form(format_args!("{path}.name"), &form::HEADER_NAME, header.name);
    findings.require(
        !(header.is_reserved)(header.name),
        format_args!("{path}.name"),
        header::RESERVED_MESSAGE,
    );
    if let Some(value) = header.value {
        findings.form(format_args!("{path}.value"), header.form, value);
    }
    if let Some(source) = header.value_from {
        references::check_secret_key(
            &format!("{path}.valueFrom.secretKeyRef"),
            &source.secret_key_ref,
            findings,
        );
    }
}
