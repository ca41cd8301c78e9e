//! The answers of modern servers as legacy clients read them (up to 2025-11-25).
//!
//! Called where a modern server answers a legacy client or a job.
//!
//! Invariant: only what the legacy era does not know is removed or renamed; all other values keep their bytes, and a
//! response that needs no change keeps all of them.

use serde_json::value::RawValue;

use crate::message::{Outcome, Response};
use crate::raw::{RawObject, raw};

/// "Not found" in the modern era, which has no code of its own for it. Legacy clients know it as -32002.
const MODERN_NOT_FOUND: &str = "-32602";

/// Makes the response to a request of this method one of the legacy era; returns whether it changed.
pub fn translate(method: &str, response: &mut Response) -> bool {
    match &response.outcome {
        Outcome::Result(result) => {
            let Some(mut object) = parse(result) else {
                return false;
            };
            if matches!(
                object.text("resultType").as_deref(),
                Some("input_required" | "task")
            ) {
                return false; // no answer yet, and nothing that a legacy client would read
            }
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

    fn legacy(method: &str, outcome: &str) -> String {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,{outcome}}}"#);
        let Ok(Message::Response(mut response)) = Message::parse(text.as_bytes()) else {
            panic!("no response: {text}")
        };
        translate(method, &mut response);
        match response.outcome {
            Outcome::Result(value) | Outcome::Error(value) => value.get().to_owned(),
        }
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
