//! The two forms of a report: for people, and as the data plane sent it.
//!
//! `status`, `receivers`, `why` and `try` take it as `--output`. Invariant: the JSON is the answer, unchanged.

use clap::ValueEnum;

/// Output format.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Human-readable.
    Text,
    /// The answer as it is.
    Json,
}
