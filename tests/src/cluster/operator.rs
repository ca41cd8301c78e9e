//! The operators of releases, as tests find them.
//!
//! Invariant: a release, its namespace and its Deployment have one name.

use crate::command::run;

/// The name of the release that serves the routes without a class.
pub const NAME: &str = "asyncmcp";

/// What the operator's pods of a release logged.
pub fn log(release: &str) -> String {
    let pods = "--selector=app.kubernetes.io/component=operator";
    let log = run(
        "kubectl",
        &["--namespace", release, "logs", pods, "--prefix", "--tail=200"],
    );
    log.unwrap_or_else(|error| error.to_string())
}
