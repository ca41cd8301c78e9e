//! An error and its causes in one line, for the log. Called by whoever logs one.
//!
//! Invariant: what the API server said is written once and without its debug form, which kube's own text repeats.

use kube::core::Status;
use std::error::Error;

/// The error's text and those of its causes, outermost first.
pub(crate) fn line(error: &(dyn Error + 'static)) -> String {
    let mut text = word(error);
    let mut next = error.source();
    while let Some(cause) = next {
        let is_repetition = cause.is::<Status>();
        if !is_repetition {
            text = format!("{text}: {}", word(cause));
        }
        next = cause.source();
    }
    text
}

fn word(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => format!("{} ({})", status.message, status.code),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to apply")]
    struct Outer(#[source] kube::Error);

    #[test]
    fn what_the_api_server_said_is_written_once() {
        let status = Status { code: 409, message: "the object has been modified".to_owned(), ..Status::default() };
        let error = Outer(kube::Error::Api(Box::new(status)));
        assert_eq!(line(&error), "failed to apply: the object has been modified (409)");
    }
}
