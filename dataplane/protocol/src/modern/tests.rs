//! Which messages open, and with which code the others are refused.

use super::*;

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"n","version":"1"}}"#;

fn message(method: &str, params: &str) -> Message {
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
    Message::parse(text.as_bytes()).unwrap()
}

fn notification(params: &str) -> Message {
    let text = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{{params}}}}}"#);
    Message::parse(text.as_bytes()).unwrap()
}

fn field(value: Option<&str>) -> Field<'_> {
    value.map_or(Field::Absent, |value| Field::Once(value.as_bytes()))
}

fn headers<'a>(version: Option<&'a str>, method: Option<&'a str>, name: Option<&'a str>) -> Headers<'a> {
    Headers {
        version: field(version),
        method: field(method),
        name: field(name),
    }
}

const NOW: Option<&str> = Some("2026-07-28");

#[test]
fn a_request_says_who_sent_it() {
    let opened = open(
        &headers(NOW, Some("tools/list"), None),
        &message("tools/list", META),
    );
    let opened = opened.unwrap();
    assert_eq!(opened.version, Version::V2026_07_28);
    assert_eq!(opened.client_info, Implementation::new("n", "1"));
    assert!(opened.capabilities.has(&["sampling"]));
}

/// The code that a message with these headers is refused with.
fn code(version: Option<&str>, method: Option<&str>, name: Option<&str>, message: &Message) -> i64 {
    let headers = headers(version, method, name);
    let opened = open(&headers, message);
    let error = opened.expect_err(&format!("{headers:?} {message:?}"));
    error.code().value()
}

#[test]
fn each_flaw_of_the_envelope_has_its_code() {
    let list = |params: &str| message("tools/list", params);
    let without = |key: &str| list(&META.replace(key, "x/y"));
    let loud = list(&META.replace(r#""1"}}"#, r#""1"},"io.modelcontextprotocol/logLevel":"loud"}"#));
    let future = list(&META.replace("2026-07-28", "2027-01-01"));
    let (later, older) = (Some("2027-01-01"), Some("2025-11-25"));
    for (version, message, expected) in [
        (NOW, list(""), -32602),
        (NOW, without(META_CLIENT_CAPABILITIES), -32602),
        (NOW, without(META_PROTOCOL_VERSION), -32602),
        (NOW, loud, -32602),
        (None, list(META), -32020),
        (older, list(META), -32020),
        (later, list(META), -32020),
        (later, future, -32022),
        (later, list(""), -32022),
    ] {
        assert_eq!(code(version, Some("tools/list"), None, &message), expected);
    }
    let response = Message::parse(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap();
    assert_eq!(code(NOW, None, None, &response), -32600);
}

#[test]
fn method_and_name_must_be_those_of_the_body() {
    let list = message("tools/list", META);
    for method in [None, Some("tools/call"), Some("Tools/list")] {
        assert_eq!(code(NOW, method, None, &list), -32020);
    }
    let call = message("tools/call", &format!(r#"{META},"name":"slow""#));
    for name in [
        None,
        Some("fast"),
        Some("=?base64?ZmFzdA==?="),
        Some("=?base64?!?="),
    ] {
        assert_eq!(code(NOW, Some("tools/call"), name, &call), -32020);
    }
    let read = message("resources/read", &format!(r#"{META},"uri":"a:c""#));
    assert_eq!(code(NOW, Some("resources/read"), Some("a:b"), &read), -32020);
    assert_eq!(code(NOW, Some("x"), None, &notification("")), -32020);
    assert_eq!(code(Some("2027-01-01"), None, None, &notification("")), -32022);
}

#[test]
fn a_name_may_be_encoded_and_one_that_is_missing_is_refused_elsewhere() {
    let call = format!(r#"{META},"name":"slow""#);
    for name in ["slow", "=?base64?c2xvdw==?="] {
        let headers = headers(NOW, Some("tools/call"), Some(name));
        assert!(open(&headers, &message("tools/call", &call)).is_ok(), "{name}");
    }
    let headers = headers(NOW, Some("tools/call"), None);
    assert!(open(&headers, &message("tools/call", META)).is_ok());
}

#[test]
fn a_notification_needs_the_version_header_alone() {
    assert!(open(&headers(NOW, None, None), &notification("")).is_ok());
    let method = Some("notifications/cancelled");
    assert!(open(&headers(NOW, method, None), &notification(META)).is_ok());
    let error = open(&headers(None, method, None), &notification(META)).unwrap_err();
    assert_eq!(error.code(), Code::HeaderMismatch);
}

#[test]
fn a_header_that_is_sent_twice_matches_nothing() {
    let twice = Headers {
        method: Field::Repeated,
        ..headers(NOW, None, None)
    };
    let error = open(&twice, &message("tools/list", META)).unwrap_err();
    assert_eq!(error.code(), Code::HeaderMismatch);
}
