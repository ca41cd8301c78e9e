//! The parts of a `tools/call` result that the gateway and the client read or write.
//!
//! The gateway creates acknowledgements with it; the client library reads acknowledgements and results.
//!
//! Invariant: a server's result is only read here, never changed.

use serde_json::json;
use serde_json::value::RawValue;

use crate::raw::{RawObject, raw};

/// The `_meta` key of an acknowledgement, with `{id, status}` of the accepted call's job.
pub const META_JOB: &str = "dev.asyncmcp/job";

/// A result with one text for the model.
pub fn text(text: &str, is_error: bool) -> RawObject {
    let mut result = RawObject::new();
    result.set("content", raw(&json!([{"type": "text", "text": text}])));
    result.set_value("isError", &is_error);
    result
}

/// The acknowledgement of a call whose result is delivered by webhook.
pub fn acknowledgement(message: &str, job: &str, status: &str) -> RawObject {
    let mut meta = RawObject::new();
    meta.set(META_JOB, raw(&json!({"id": job, "status": status})));
    let mut result = text(message, false);
    result.set("_meta", meta.to_raw());
    result
}

/// Whether the tool itself reports failure: `isError` is true.
pub fn is_error(result: &RawValue) -> bool {
    RawObject::parse(result.get().as_bytes())
        .is_ok_and(|result| result.get("isError").is_some_and(|value| value.get() == "true"))
}

/// The id of the job in an acknowledgement.
pub fn acknowledged_job(result: &RawValue) -> Option<String> {
    let result = RawObject::parse(result.get().as_bytes()).ok()?;
    let meta = result.object("_meta").ok()??;
    meta.object(META_JOB).ok()??.text("id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_contains_its_job_and_is_not_an_error() {
        let result = acknowledgement("accepted", "01abc", "working").to_raw();
        assert_eq!(acknowledged_job(&result).as_deref(), Some("01abc"));
        assert!(!is_error(&result));
        assert_eq!(
            result.get(),
            concat!(
                r#"{"content":[{"text":"accepted","type":"text"}],"isError":false,"#,
                r#""_meta":{"dev.asyncmcp/job":{"id":"01abc","status":"working"}}}"#
            )
        );
    }

    #[test]
    fn an_ordinary_result_contains_no_job() {
        let result = text("no", true).to_raw();
        assert!(is_error(&result) && acknowledged_job(&result).is_none());
    }
}
