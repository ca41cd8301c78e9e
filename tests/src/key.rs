//! What `asyncmcp keys derive` prints, for receivers of tests that a client names.
//!
//! Invariant: the key is always the command's, as a user would get it, never a computation of the test's own.

use std::process::Command;

use anyhow::Result;

use crate::process::binary;

/// The key of receivers at `origin`, where the route's key is `route`.
pub fn derived(route: &str, origin: &str) -> Result<String> {
    let mut command = Command::new(binary("asyncmcp")?);
    let output = command
        .args(["keys", "derive", "--origin", origin, "--secret", route])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
