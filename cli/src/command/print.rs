//! Output to standard output and standard error.
//!
//! Used by every subcommand.
//!
//! Invariant: a closed standard output (`| head`) is an error that the caller returns, not a panic.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};

use asyncmcp_client::{Attempt, Outcome, RawObject, RawValue, ResponseOutcome};
use serde_json::{Value, json};

/// The type of the event of a dead letter.
const DEAD_LETTER: &str = "dev.asyncmcp.job.dead.v1";

/// Maximum length of a result in a line, in characters.
const SHOWN: usize = 300;

/// Writes a line to standard output.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a line to standard error, ignoring errors.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The innermost reason of an error: what the operating system or the other end said.
pub(crate) fn cause(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// A value as text.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        // A name from a client or server must not control the user's terminal.
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        other => other.to_string(),
    }
}

/// A time without fractions of a second.
pub(crate) fn time(at: &Value) -> String {
    match text(at).split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text(at),
    }
}

/// Formats an attempt as a line.
pub(crate) fn attempt(attempt: &Attempt) -> String {
    let id = attempt.webhook_id.as_deref().unwrap_or("no webhook-id");
    let trace = trace_id(attempt).map(|trace| format!("  trace {trace}"));
    let number = attempt.number;
    format!(
        "attempt {number}  {id}  {}{}",
        verdict(attempt),
        trace.unwrap_or_default()
    )
}

/// Whether the signature of an attempt is valid, and the status it was answered with.
pub(crate) fn verdict(attempt: &Attempt) -> String {
    let signature = if attempt.verified {
        "signature valid"
    } else {
        "signature not verified (no key given)"
    };
    let status = attempt.status.as_u16();
    match &attempt.outcome {
        Outcome::Delivered => format!("{signature}, answered {status}"),
        Outcome::FailedOnPurpose => format!("{signature}, answered {status} on purpose"),
        Outcome::Duplicate => format!("{signature}, duplicate, answered {status}"),
        Outcome::Refused(error) => format!("refused with {status}: {error}"),
    }
}

/// The trace id of the attempt (W3C Trace Context).
pub(crate) fn trace_id(attempt: &Attempt) -> Option<&str> {
    attempt.header("traceparent")?.split('-').nth(1)
}

/// An attempt as a JSON object.
pub(crate) fn attempt_json(attempt: &Attempt) -> Value {
    let (outcome, error) = match &attempt.outcome {
        Outcome::Delivered => ("delivered", None),
        Outcome::Duplicate => ("duplicate", None),
        Outcome::FailedOnPurpose => ("failed_on_purpose", None),
        Outcome::Refused(error) => ("refused", Some(error.to_string())),
    };
    let headers: serde_json::Map<_, _> = attempt
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    json!({
        "outcome": outcome,
        "error": error,
        "verified": attempt.verified,
        "webhookId": attempt.webhook_id,
        "attempt": attempt.number,
        "status": attempt.status.as_u16(),
        "traceparent": attempt.header("traceparent"),
        "headers": headers,
        // As text, because a JSON value would not keep the exact bytes.
        "body": String::from_utf8_lossy(&attempt.body),
    })
}

/// The content of a delivery: its tool result or its error.
pub(crate) fn delivered(attempt: &Attempt) -> String {
    match attempt
        .response()
        .map(|response| (response.error_object(), response.outcome))
    {
        Ok((Some(error), _)) => format!("error {}: {}", error.code, error.message),
        Ok((None, ResponseOutcome::Result(result))) => result_text(&result),
        Ok((None, ResponseOutcome::Error(error))) => shortened(error.get()),
        Err(error) => dead_letter(&attempt.body).unwrap_or_else(|| error.to_string()),
    }
}

/// The event of a dead letter (`webhook.deadLetter.notify`) as a line.
fn dead_letter(body: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(body).ok()?;
    let data = &event["data"];
    let text = |field: &str| data[field].as_str().unwrap_or("-").to_owned();
    let line = format!(
        "dead letter {} of {}: {} after {} attempts",
        text("webhookId"),
        text("tool"),
        text("reason"),
        data["attempts"]
    );
    let line = line.chars().filter(|c| !c.is_control()).collect::<String>();
    (event["type"] == DEAD_LETTER).then(|| shortened(&line))
}

/// The texts in a tool result; the whole result if it contains none. Cut to what fits a line or two.
pub(crate) fn result_text(result: &RawValue) -> String {
    shortened(&whole_text(result))
}

/// The same as a whole.
pub(crate) fn whole_text(result: &RawValue) -> String {
    let texts = texts(result).filter(|texts| !texts.is_empty());
    texts.map_or_else(|| result.get().to_owned(), |texts| texts.join("\n"))
}

fn texts(result: &RawValue) -> Option<Vec<String>> {
    let content = RawObject::parse(result.get().as_bytes()).ok()?;
    let blocks: Vec<&RawValue> = serde_json::from_str(content.get("content")?.get()).ok()?;
    let text = |block: &RawValue| RawObject::parse(block.get().as_bytes()).ok()?.text("text");
    Some(blocks.into_iter().filter_map(text).collect())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ... ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_result_is_shown_as_its_texts_or_as_a_whole() {
        let texts = r#"{"content":[{"type":"text","text":"a"},{"type":"image"},{"text":"b"}]}"#;
        assert_eq!(result_text(&raw(texts)), "a\nb");
        assert_eq!(result_text(&raw(r#"{"content":[]}"#)), r#"{"content":[]}"#);
        assert_eq!(result_text(&raw("5")), "5");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = shortened(&"é".repeat(SHOWN + 1));
        assert!(long.ends_with("(602 bytes)") && long.starts_with('é'), "{long}");
        assert_eq!(shortened("short"), "short");
    }
}
