//! Requests whose headers and bodies agree, and those that do not.

use proptest::prelude::*;

use super::*;
use crate::era::era_of;
use crate::message::{Message, Request};

const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"agent","version":"7"},"io.modelcontextprotocol/clientCapabilities":{"sampling":{}}}"#;

fn request(method: &str, params: &str) -> Request {
    let json = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    match Message::parse(json.as_bytes()).unwrap() {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn headers<'a>(version: &'a str, method: &'a str, name: &'a str) -> Headers<'a> {
    let field = |text| match text {
        "" => Field::Absent,
        "!" => Field::Unusable,
        text => Field::Text(text),
    };
    Headers {
        version: field(version),
        method: field(method),
        name: field(name),
    }
}

fn check(headers: &Headers<'_>, request: &Request) -> Result<Envelope, i64> {
    Envelope::of_request(headers, &request.method, request.params.as_ref())
        .map_err(|error| error.code().value())
}

#[test]
fn an_envelope_names_the_client_and_is_written_as_it_was_read() {
    let request = request("tools/list", &format!(r#"{{"_meta":{META}}}"#));
    let envelope = check(&headers("2026-07-28", "tools/list", ""), &request).unwrap();
    assert_eq!(envelope.info, Implementation::new("agent", "7"));
    assert!(envelope.capabilities.has(&["sampling"]));
    let mut meta = RawObject::new();
    envelope.write(&mut meta);
    assert_eq!(String::from_utf8(meta.to_bytes()).unwrap(), META);
}

#[test]
fn each_fault_has_its_code() {
    let call = request("tools/call", &format!(r#"{{"name":"a","_meta":{META}}}"#));
    let nameless = request("tools/call", &format!(r#"{{"name":7,"_meta":{META}}}"#));
    let newer = request(
        "tools/call",
        &format!(r#"{{"name":"a","_meta":{}}}"#, META.replace("2026", "2031")),
    );
    let bare = request("tools/call", r#"{"name":"a","_meta":{}}"#);
    let odd = request(
        "tools/call",
        &format!(r#"{{"_meta":{}}}"#, META.replace(r#""2026-07-28""#, "7")),
    );
    let poor = request(
        "tools/call",
        r#"{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
    );
    for (request, given, code) in [
        (&call, ("2026-07-28", "tools/call", "a"), None),
        (&call, ("2026-07-28", "tools/call", "=?base64?YQ==?="), None),
        (&call, ("", "tools/call", "a"), Some(-32020)),
        (&call, ("2025-11-25", "tools/call", "a"), Some(-32020)),
        (&call, ("2031-07-28", "tools/call", "a"), Some(-32020)),
        (&call, ("2026-07-28", "", "a"), Some(-32020)),
        (&call, ("2026-07-28", "TOOLS/CALL", "a"), Some(-32020)),
        (&call, ("2026-07-28", "tools/list", "a"), Some(-32020)),
        (&call, ("2026-07-28", "!", "a"), Some(-32020)),
        (&call, ("2026-07-28", "tools/call", ""), Some(-32020)),
        (&call, ("2026-07-28", "tools/call", "A"), Some(-32020)),
        (&call, ("2026-07-28", "tools/call", "!"), Some(-32020)),
        (
            &call,
            ("2026-07-28", "tools/call", "=?base64?YQ=?="),
            Some(-32020),
        ),
        // Without a name there is nothing to repeat; the call itself is refused for it.
        (&nameless, ("2026-07-28", "tools/call", ""), None),
        (&newer, ("2031-07-28", "tools/call", "a"), Some(-32022)),
        (&bare, ("2031-07-28", "", ""), Some(-32022)),
        (&bare, ("2026-07-28", "tools/call", "a"), Some(-32602)),
        (&odd, ("2026-07-28", "tools/call", ""), Some(-32602)),
        (&poor, ("2026-07-28", "tools/call", "a"), Some(-32602)),
    ] {
        let (version, method, name) = given;
        let checked = check(&headers(version, method, name), request);
        assert_eq!(checked.err(), code, "{given:?} {request:?}");
    }
}

#[test]
fn a_notification_needs_nothing_but_contradicts_nothing() {
    let note = |params: &str| {
        let json = format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{params}}}"#);
        match Message::parse(json.as_bytes()).unwrap() {
            Message::Notification(notification) => notification,
            other => panic!("{other:?}"),
        }
    };
    let with_meta = format!(r#"{{"_meta":{META}}}"#);
    for (params, given, code) in [
        ("{}", ("2026-07-28", ""), None),
        ("{}", ("2026-07-28", "notifications/x"), None),
        ("{}", ("2026-07-28", "notifications/y"), Some(-32020)),
        ("{}", ("2027-07-28", ""), Some(-32022)),
        (&with_meta, ("", ""), Some(-32020)),
        (&with_meta, ("2026-07-28", ""), None),
    ] {
        let checked = check_notification(&headers(given.0, given.1, ""), &note(params));
        assert_eq!(checked.err().map(|error| error.code().value()), code, "{given:?}");
    }
}

proptest! {
    /// Whatever the headers say, a request gets through only if every one of them repeats its body.
    #[test]
    fn only_headers_that_agree_get_a_request_through(
        version in "2026-07-28|2025-11-25|2031-01-01||[ -~]{0,12}",
        method in "tools/call|tools/list||[ -~]{0,12}",
        name in "quick|=\\?base64\\?cXVpY2s=\\?=||[ -~]{0,12}",
    ) {
        let call = request("tools/call", &format!(r#"{{"name":"quick","_meta":{META}}}"#));
        let agrees = version == "2026-07-28" && method == "tools/call" && header::decode(&name).as_deref() == Some("quick");
        prop_assert_eq!(check(&headers(&version, &method, &name), &call).is_ok(), agrees);
        prop_assert_eq!(era_of(Some(&version), &Message::Request(call)), Era::Modern);
    }

    /// Without `_meta` the header alone decides, and only a date of the modern era does.
    #[test]
    fn a_header_decides_the_era_by_its_date(year in 2000u32..2100, month in 1u32..13, day in 1u32..32) {
        let date = format!("{year:04}-{month:02}-{day:02}");
        let era = era_of(Some(&date), &Message::Request(request("tools/list", "{}")));
        let modern = (year, month, day) >= (2026, 7, 28);
        prop_assert_eq!(era == Era::Modern, modern, "{}", date);
    }
}
