//! What `make setup` says on machines that it may not change, and that every part of the tests can be set up.
//!
//! Invariant: nothing is installed here. A made-up PATH has the shell's tools, and what a case adds.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::{root, run};

/// What the scripts themselves use.
const TOOLS: [&str; 9] = [
    "bash", "cat", "dirname", "env", "id", "sed", "sort", "tr", "uname",
];

/// `tests/setup/all PART` with nothing but the tools and these programs, each a line of shell.
fn setup(part: &str, programs: &[(&str, &str)]) -> Result<Output> {
    let path = tempfile::tempdir()?;
    for tool in TOOLS {
        let found = run("bash", &["-c", "command -v \"$0\"", tool])?;
        symlink(found.trim(), path.path().join(tool))?;
    }
    for (name, line) in programs {
        let _ = std::fs::remove_file(path.path().join(name));
        program(&path.path().join(name), line)?;
    }
    Command::new(root().join("tests/setup/all"))
        .arg(part)
        .current_dir(root())
        .env_clear()
        .env("PATH", path.path())
        .env("HOME", path.path())
        .output()
        .context("tests/setup/all")
}

fn program(file: &Path, line: &str) -> Result<()> {
    std::fs::write(file, format!("#!/bin/sh\n{line}\n"))?;
    Ok(std::fs::set_permissions(
        file,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn without_debian_it_names_all_that_is_missing_and_fails() -> Result<()> {
    let said = refused(&setup("faults", &[])?);
    for named in [
        "missing: Rust. Install rustup",
        "missing: gcc. These are the names of Debian's packages",
        "missing: iproute2.",
        "setup is not complete, see above: build network",
    ] {
        assert!(said.contains(named), "{named:?} is not in: {said}");
    }
    Ok(())
}

#[test]
fn on_debian_who_is_not_root_is_told_the_command() -> Result<()> {
    let programs = [
        ("apt-get", "echo called >&2; exit 1"),
        ("cargo", ""),
        ("rustc", ""),
        ("id", "echo 1000"),
    ];
    let said = refused(&setup("unit", &programs)?);
    assert!(
        said.contains("sudo apt-get install --no-install-recommends gcc"),
        "{said}"
    );
    assert!(!said.contains("called"), "{said}");
    Ok(())
}

#[test]
fn a_toolchain_that_rustup_does_not_install_is_named() -> Result<()> {
    let rustc = (
        "rustc",
        "echo \"error: toolchain '1' is not installed\" >&2; exit 1",
    );
    let said = refused(&setup("unit", &[("cargo", ""), ("cc", ""), rustc])?);
    assert!(said.contains("rustup toolchain install"), "{said}");
    Ok(())
}

#[test]
fn what_is_there_is_left_alone() -> Result<()> {
    let output = setup("unit", &[("cargo", ""), ("cc", ""), ("rustc", "")])?;
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Ok(())
}

#[test]
fn every_part_says_what_it_needs() -> Result<()> {
    let names = |script: &str| -> Result<BTreeSet<String>> {
        let printed = run("bash", &["-c", script])?;
        Ok(printed.split_whitespace().map(str::to_owned).collect())
    };
    let mut parts = names("source tests/setup/parts; echo \"${PARTS[@]}\"")?;
    parts.insert("check".to_owned());
    assert_eq!(names("source tests/setup/needs; echo \"${!NEEDS[@]}\"")?, parts);
    Ok(())
}
