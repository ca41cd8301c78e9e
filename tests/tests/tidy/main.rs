//! The house's rules as tests: how packages and files may use each other, how a file must look, and that the documents
//! and the set-up say what is so.
//!
//! Invariant: every rule that ARCHITECTURE.md states about the tree is checked here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use asyncmcp_tests::command::root;

mod circles;
mod files;
mod packages;
mod paths;
mod setup;

fn cargo(args: &[&str]) -> Result<String> {
    asyncmcp_tests::command::run(env!("CARGO"), args)
}

/// The files of the checkout that git knows, or would know, by a pattern.
fn git_files(pattern: &str) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            pattern,
        ])
        .current_dir(root())
        .output()?;
    anyhow::ensure!(output.status.success(), "git ls-files failed");
    let files: Vec<PathBuf> = String::from_utf8(output.stdout)?
        .lines()
        .map(PathBuf::from)
        .filter(|file| root().join(file).exists())
        .collect();
    anyhow::ensure!(!files.is_empty(), "no file matches {pattern}");
    Ok(files)
}

/// A file of the checkout.
fn read(file: &Path) -> Result<String> {
    use anyhow::Context as _;
    std::fs::read_to_string(root().join(file)).with_context(|| file.display().to_string())
}
