//! An error and its causes in one line, for the log. Called by whoever logs one.
//!
//! Invariant: what the API server said is written once and without its debug form, which kube's own text repeats.

use std::error::Error;

/// The error's text and those of its causes, outermost first.
pub(crate) fn line(error: &(dyn Error + 'static)) -> String {
    let own = own_word(error);
    match error.source().filter(|_| own.is_none()) {
        None => own.unwrap_or_else(|| error.to_string()),
        Some(cause) => format!("{error}: {}", line(cause)),
    }
}

/// The whole of what the API server said; nothing below it says more.
fn own_word(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref::<kube::Error>()? {
        kube::Error::Api(status) => Some(format!("{} ({})", status.message, status.code)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to apply")]
    struct Outer(#[source] kube::Error);

    #[test]
    fn what_the_api_server_said_is_written_once() {
        let status = Status {
            code: 409,
            message: "the object has been modified".to_owned(),
            ..Status::default()
        };
        let error = Outer(kube::Error::Api(Box::new(status)));
        assert_eq!(
            line(&error),
            "failed to apply: the object has been modified (409)"
        );
    }
}
