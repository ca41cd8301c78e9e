//! The parts of a `tools/call` result that the gateway and the client read or write.
//!
//! The gateway creates acknowledgements with it; the client library reads acknowledgements and results.
//!
//! Invariant: a server's result is only read here, never changed.

use serde_json::json;
use serde_json::value::RawValue;

use crate::raw::{RawObject, raw};

/// The `_meta` key of an acknowledgement, with `{id, status, webhookId}` of the accepted call's job. The last one is
/// the `webhook-id` of its delivery.
pub const META_JOB: &str = "dev.asyncmcp/job";

/// A result with one text for the model.
pub fn text(text: &str, is_error: bool) -> RawObject {
    let mut result = RawObject::new();
    result.set("content", raw(&json!([{"type": "text", "text": text}])));
    result.set_value("isError", &is_error);
    result
}

/// A job, as its acknowledgement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedJob {
    /// Its id, a capability: whoever has it may ask for the result.
    pub id: String,
    /// The `webhook-id` of its delivery, by which a receiver's log is matched with the call.
    pub webhook_id: Option<String>,
}

/// The acknowledgement of a call whose result is delivered by webhook.
pub fn acknowledgement(message: &str, job: &AcceptedJob, status: &str) -> RawObject {
    let mut result = text(message, false);
    name_job(&mut result, job, status);
    result
}

/// Names the job that is delivered in the result of its call.
pub fn name_job(result: &mut RawObject, job: &AcceptedJob, status: &str) {
    let mut meta = RawObject::new();
    meta.set(
        META_JOB,
        raw(&json!({"id": job.id, "status": status, "webhookId": job.webhook_id})),
    );
    result.set("_meta", meta.to_raw());
}

/// Whether the tool itself reports failure: `isError` is true.
pub fn is_error(result: &RawValue) -> bool {
    RawObject::parse(result.get().as_bytes())
        .is_ok_and(|result| result.get("isError").is_some_and(|value| value.get() == "true"))
}

/// The job in an acknowledgement.
pub fn acknowledged_job(result: &RawValue) -> Option<AcceptedJob> {
    let result = RawObject::parse(result.get().as_bytes()).ok()?;
    let meta = result.object("_meta").ok()??;
    let job = meta.object(META_JOB).ok()??;
    Some(AcceptedJob {
        id: job.text("id")?,
        webhook_id: job.text("webhookId"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_contains_its_job_and_is_not_an_error() {
        let job = AcceptedJob {
            id: "01abc".to_owned(),
            webhook_id: Some("msg_1".to_owned()),
        };
        let result = acknowledgement("accepted", &job, "working").to_raw();
        assert_eq!(acknowledged_job(&result), Some(job));
        assert!(!is_error(&result));
        assert_eq!(
            result.get(),
            concat!(
                r#"{"content":[{"text":"accepted","type":"text"}],"isError":false,"#,
                r#""_meta":{"dev.asyncmcp/job":{"id":"01abc","status":"working","webhookId":"msg_1"}}}"#
            )
        );
    }

    #[test]
    fn an_ordinary_result_contains_no_job() {
        let result = text("no", true).to_raw();
        assert!(is_error(&result) && acknowledged_job(&result).is_none());
    }
}
