//! An error and its causes in one line, for the log. Called wherever an error is logged.
//!
//! Invariant: an API server's message appears once, without the debug form that kube's own text adds.

use std::error::Error;

/// The error's text and those of its causes, outermost first.
pub(crate) fn line(error: &(dyn Error + 'static)) -> String {
    let own = api_message(error);
    match error.source().filter(|_| own.is_none()) {
        None => own.unwrap_or_else(|| error.to_string()),
        Some(cause) => format!("{error}: {}", line(cause)),
    }
}

/// The API server's message; the causes below it add nothing.
fn api_message(error: &(dyn Error + 'static)) -> Option<String> {
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
    fn the_api_servers_message_is_written_once() {
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
