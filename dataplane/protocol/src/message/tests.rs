//! Parsing, errors and serialization of messages.

use super::*;
use crate::code::Code;

fn parse(json: &str) -> Message {
    Message::parse(json.as_bytes()).unwrap()
}

fn request(json: &str) -> Request {
    match parse(json) {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn refusal(json: &str) -> (Code, String) {
    let error = Message::parse(json.as_bytes()).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_call_is_serialized_with_every_byte_of_its_arguments() {
    let json = concat!(
        r#"{"jsonrpc":"2.0","id":"a\/b","method":"tools/call","params":{"name":"t","#,
        r#""arguments":{ "z":12345678901234567890, "a":1.50 },"_meta":{"x":[ 1 ]}},"vendor":{ }}"#
    );
    let call = request(json);
    assert_eq!(call.tool_name().as_deref(), Some("t"));
    assert_eq!(
        call.arguments().unwrap().get(),
        r#"{ "z":12345678901234567890, "a":1.50 }"#
    );
    assert_eq!(String::from_utf8(call.to_bytes()).unwrap(), json);
}

#[test]
fn distinguishes_the_four_kinds_of_messages() {
    assert!(matches!(
        parse(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
        Message::Notification(_)
    ));
    assert!(matches!(
        parse(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
        Message::Request(_)
    ));
    let result = parse(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[ ]}}"#);
    let Message::Response(Response {
        outcome: Outcome::Result(value),
        ..
    }) = &result
    else {
        panic!("{result:?}")
    };
    assert_eq!(value.get(), r#"{"content":[ ]}"#);
    let error = parse(r#"{"error":{"code":-32000,"message":"m"},"id":null,"jsonrpc":"2.0"}"#);
    let Message::Response(response) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (response.id.is_none(), response.error_object().unwrap().code),
        (true, -32000)
    );
}

#[test]
fn null_stands_for_params_and_meta_that_are_absent() {
    let ping = request(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#);
    assert!(ping.params.is_none());
    let ping = request(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":null,"a":1}}"#);
    assert_eq!(ping.params.unwrap().to_bytes(), br#"{"a":1}"#);
    let note = parse(r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":null}"#);
    assert!(matches!(note, Message::Notification(note) if note.params.is_none()));
    let (code, _) = refusal(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#);
    assert_eq!(code, Code::InvalidRequest);
}

#[test]
fn duplicate_keys_are_named_and_refused_wherever_the_gateway_reads() {
    for (json, place) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}"#,
            "the message key \"id\"",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"ok","na\u006de":"no"}}"#,
            "`params` key \"name\"",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"a":1,"a":2}}}"#,
            "`params._meta` key \"a\"",
        ),
    ] {
        let (code, message) = refusal(json);
        assert_eq!(code, Code::InvalidRequest, "{json}");
        assert!(message.contains(place), "{message}");
    }
}

#[test]
fn every_other_flaw_has_a_code_and_names_the_member() {
    for (json, code, word) in [
        ("{", Code::ParseError, "JSON"),
        ("", Code::ParseError, "JSON"),
        ("5", Code::InvalidRequest, "object"),
        ("[]", Code::InvalidRequest, "batch"),
        (r#"{"id":1,"method":"m"}"#, Code::InvalidRequest, "jsonrpc"),
        (
            r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
            Code::InvalidRequest,
            "jsonrpc",
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
            Code::InvalidRequest,
            "`id`",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#,
            Code::InvalidRequest,
            "`id`",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            Code::InvalidRequest,
            "`method`",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#,
            Code::InvalidRequest,
            "`params`",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":5}}"#,
            Code::InvalidRequest,
            "`params._meta`",
        ),
        (r#"{"jsonrpc":"2.0","id":1}"#, Code::InvalidRequest, "method"),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#,
            Code::InvalidRequest,
            "exactly one",
        ),
        (r#"{"jsonrpc":"2.0","result":1}"#, Code::InvalidRequest, "`id`"),
    ] {
        let (found, message) = refusal(json);
        assert_eq!(found, code, "{json}");
        assert!(message.contains(word), "{json}: {message}");
    }
}

#[test]
fn the_error_response_has_the_id_of_the_refused_request() {
    let error =
        Message::parse(br#"{"jsonrpc":"2.0","id":"x","method":"m","params":{"a":1,"a":1}}"#).unwrap_err();
    let answer = String::from_utf8(error.to_response().to_bytes()).unwrap();
    assert!(
        answer.starts_with(r#"{"jsonrpc":"2.0","id":"x","error":{"code":-32600,"#),
        "{answer}"
    );
    let unreadable = Message::parse(b"{").unwrap_err().to_response().to_bytes();
    assert!(
        String::from_utf8(unreadable)
            .unwrap()
            .starts_with(r#"{"jsonrpc":"2.0","id":null,"error""#)
    );
}

#[test]
fn nesting_is_bounded_although_nothing_is_parsed() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"a":{}{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    assert!(refusal(&deep).1.contains("128"));
}

#[test]
fn meta_can_be_read_replaced_and_removed() {
    let mut call = request(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":"p","webhookUrl":"u"},"name":"t"}}"#,
    );
    assert_eq!(call.progress_token(), Some(Id::text("p")));
    let mut meta = call.meta().unwrap();
    meta.remove("webhookUrl");
    call.set_meta(&meta);
    assert_eq!(
        String::from_utf8(call.params.as_ref().unwrap().to_bytes()).unwrap(),
        r#"{"_meta":{"progressToken":"p"},"name":"t"}"#
    );
    call.set_meta(&RawObject::new());
    assert!(call.meta().is_none());
}

#[test]
fn a_cancellation_names_its_request_with_its_own_bytes() {
    let id = request(r#"{"jsonrpc":"2.0","id":"\u0061","method":"m"}"#).id;
    let bytes = Notification::cancelled(&id, "timeout").to_bytes();
    let Message::Notification(read) = Message::parse(&bytes).unwrap() else {
        panic!()
    };
    assert_eq!(read.cancelled_request(), Some(id));
    assert!(
        String::from_utf8(bytes)
            .unwrap()
            .contains(r#""requestId":"\u0061""#)
    );
}
