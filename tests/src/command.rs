//! A program that is run to its end, such as helm or promtool.
//!
//! Invariant: a program that is not there is an error that says which target installs it.

use std::process::{Command, Output};

use anyhow::{Context as _, Result};

/// What a program wrote to standard output; an error with all it said unless it succeeded.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = output(program, arguments)?;
    anyhow::ensure!(
        output.status.success(),
        "{program} {}: {}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// What a program said when it refused; an error if it did not.
pub fn refused(program: &str, arguments: &[&str]) -> Result<String> {
    let output = output(program, arguments)?;
    anyhow::ensure!(
        !output.status.success(),
        "{program} {} should have refused: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(String::from_utf8(output.stderr)?)
}

fn output(program: &str, arguments: &[&str]) -> Result<Output> {
    Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .with_context(|| format!("{program} is missing; `make test ONLY=...` brings what its part needs"))
}

/// The checkout.
pub fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
