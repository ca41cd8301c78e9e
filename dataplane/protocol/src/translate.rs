//! A response of one era, as a client of the other one reads it.
//!
//! Called where the endpoint answers modern clients, and where a modern server answers a legacy client.
//!
//! Invariant: only what the other era does not know is added, renamed or removed; all other values keep their bytes, and
//! a response that needs no change keeps all of them.

use serde_json::value::RawValue;

use crate::message::{Outcome, Response};
use crate::raw::{RawObject, raw};

/// "Not found", as legacy servers say it.
const LEGACY_NOT_FOUND: &str = "-32002";
/// The same in the modern era, which has no code of its own for it.
const MODERN_NOT_FOUND: &str = "-32602";

/// Makes a response one of the modern era; returns whether it changed.
pub fn to_modern(response: &mut Response) -> bool {
    match &response.outcome {
        Outcome::Result(result) => {
            let Some(mut object) = parse(result).filter(|object| object.get("resultType").is_none()) else {
                return false;
            };
            object.set_value("resultType", "complete");
            response.outcome = Outcome::Result(object.to_raw());
            true
        }
        Outcome::Error(error) => {
            let Some(mut object) = parse(error).filter(|object| has_code(object, LEGACY_NOT_FOUND)) else {
                return false;
            };
            object.set_value("code", &-32602);
            response.outcome = Outcome::Error(object.to_raw());
            true
        }
    }
}

/// Makes the response to a request of this method one of the legacy era; returns whether it changed.
pub fn to_legacy(method: &str, response: &mut Response) -> bool {
    match &response.outcome {
        Outcome::Result(result) => {
            let Some(mut object) = parse(result) else {
                return false;
            };
            let before = object.len();
            object.retain(|key| !matches!(key, "resultType" | "ttlMs" | "cacheScope"));
            let changed = before != object.len();
            if !(structured(&mut object) || changed) {
                return false;
            }
            response.outcome = Outcome::Result(object.to_raw());
            true
        }
        Outcome::Error(error) if method == "resources/read" => {
            let Some(mut object) = parse(error).filter(|object| has_code(object, MODERN_NOT_FOUND)) else {
                return false;
            };
            object.set_value("code", &-32002);
            response.outcome = Outcome::Error(object.to_raw());
            true
        }
        Outcome::Error(_) => false,
    }
}

/// Structured content that is not an object becomes text, unless the server sent text already.
fn structured(result: &mut RawObject) -> bool {
    let Some(content) = result.get("structuredContent") else {
        return false;
    };
    if content.get().starts_with('{') {
        return false;
    }
    let text = content.get().to_owned();
    result.remove("structuredContent");
    let empty = result.get("content").is_none_or(|content| {
        serde_json::from_str::<Vec<&RawValue>>(content.get()).is_ok_and(|all| all.is_empty())
    });
    if empty {
        result.set(
            "content",
            raw(&serde_json::json!([{"type": "text", "text": text}])),
        );
    }
    true
}

fn has_code(error: &RawObject, code: &str) -> bool {
    error.get("code").is_some_and(|value| value.get() == code)
}

fn parse(value: &RawValue) -> Option<RawObject> {
    RawObject::parse(value.get().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn response(json: &str) -> Response {
        match Message::parse(json.as_bytes()).unwrap() {
            Message::Response(response) => response,
            other => panic!("{other:?}"),
        }
    }

    fn modern(outcome: &str) -> String {
        let mut response = response(&format!(r#"{{"jsonrpc":"2.0","id":1,{outcome}}}"#));
        to_modern(&mut response);
        inner(&response)
    }

    fn legacy(method: &str, outcome: &str) -> String {
        let mut response = response(&format!(r#"{{"jsonrpc":"2.0","id":1,{outcome}}}"#));
        to_legacy(method, &mut response);
        inner(&response)
    }

    fn inner(response: &Response) -> String {
        match &response.outcome {
            Outcome::Result(value) | Outcome::Error(value) => value.get().to_owned(),
        }
    }

    #[test]
    fn a_modern_result_says_what_it_is_and_keeps_its_bytes() {
        assert_eq!(
            modern(r#""result":{ "content":[ {"n":1e400} ],"x":{ } }"#),
            r#"{"content":[ {"n":1e400} ],"x":{ },"resultType":"complete"}"#
        );
        let whole = r#"{ "resultType":"input_required", "x":1.0 }"#;
        assert_eq!(modern(&format!(r#""result":{whole}"#)), whole);
        assert_eq!(modern(r#""result":[ 1.0 ]"#), "[ 1.0 ]");
    }

    #[test]
    fn what_a_legacy_server_does_not_find_is_an_invalid_parameter() {
        assert_eq!(
            modern(r#""error":{"code":-32002,"message":"no","data":{ "u":1.0 }}"#),
            r#"{"code":-32602,"message":"no","data":{ "u":1.0 }}"#
        );
        let other = r#"{ "code":-32003, "message":"no" }"#;
        assert_eq!(modern(&format!(r#""error":{other}"#)), other);
    }

    #[test]
    fn a_legacy_result_has_nothing_of_the_modern_era() {
        assert_eq!(
            legacy(
                "tools/call",
                r#""result":{"resultType":"complete","content":[ 1.0 ],"ttlMs":1,"cacheScope":"public","structuredContent":{ }}"#
            ),
            r#"{"content":[ 1.0 ],"structuredContent":{ }}"#
        );
        let untouched = r#"{ "content":[ ] }"#;
        assert_eq!(
            legacy("tools/call", &format!(r#""result":{untouched}"#)),
            untouched
        );
    }

    #[test]
    fn structured_content_of_another_type_becomes_text_where_there_is_none() {
        assert_eq!(
            legacy(
                "tools/call",
                r#""result":{"structuredContent":[1.0, 2],"content":[]}"#
            ),
            r#"{"content":[{"text":"[1.0, 2]","type":"text"}]}"#
        );
        assert_eq!(
            legacy(
                "tools/call",
                r#""result":{"structuredContent":7,"content":[{"type":"text"}]}"#
            ),
            r#"{"content":[{"type":"text"}]}"#
        );
    }

    #[test]
    fn a_resource_that_is_not_found_has_its_legacy_code_and_nothing_else_has() {
        let error = r#"{"code":-32602,"message":"no"}"#;
        assert_eq!(
            legacy("resources/read", &format!(r#""error":{error}"#)),
            r#"{"code":-32002,"message":"no"}"#
        );
        assert_eq!(legacy("tools/call", &format!(r#""error":{error}"#)), error);
    }
}
