//! The house's rules as tests: which package may use which, and how a file must look.
//!
//! Invariant: every rule that ARCHITECTURE.md states about the tree is checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The arrows between our packages. They point down; what is not listed is forbidden.
const ARROWS: [(&str, &[&str]); 9] = [
    ("asyncmcp-crds", &[]),
    ("asyncmcp-protocol", &[]),
    ("asyncmcp-delivery", &[]),
    ("asyncmcp-example-server", &[]),
    ("asyncmcp-client", &["asyncmcp-protocol"]),
    ("asyncmcp-operator", &["asyncmcp-crds"]),
    (
        "asyncmcp-dataplane",
        &["asyncmcp-crds", "asyncmcp-delivery", "asyncmcp-protocol"],
    ),
    ("asyncmcp-bench", &["asyncmcp-delivery"]),
    // The tests may see everything.
    (
        "asyncmcp-tests",
        &[
            "asyncmcp-client",
            "asyncmcp-crds",
            "asyncmcp-dataplane",
            "asyncmcp-delivery",
            "asyncmcp-operator",
            "asyncmcp-protocol",
        ],
    ),
];

/// Lines in a file, its tests included.
const LONGEST_FILE: usize = 400;

/// Longer files, each with the reason why cutting it would make it worse.
const LONGER: [(&str, &str); 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo(args: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(root())
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "cargo {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn packages_use_only_what_lies_below_them() -> Result<()> {
    let metadata: serde_json::Value = serde_json::from_str(&cargo(&[
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
    ])?)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let allowed = BTreeMap::from(ARROWS);
    assert_eq!(
        packages.len(),
        allowed.len(),
        "a package without a row in ARROWS, or a row without a package"
    );
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        let used: BTreeSet<&str> = package["dependencies"]
            .as_array()
            .context("no dependencies")?
            .iter()
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|used| used.starts_with("asyncmcp-") && *used != name)
            .collect();
        let allowed: BTreeSet<&str> = allowed[name].iter().copied().collect();
        assert!(
            used.is_subset(&allowed),
            "{name} uses {:?}",
            used.difference(&allowed)
        );
    }
    Ok(())
}

#[test]
fn the_data_plane_has_no_kubernetes_client() -> Result<()> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "-p",
        "asyncmcp-dataplane",
        "-e",
        "normal",
        "--prefix",
        "none",
    ])?;
    for forbidden in ["kube-client", "kube-runtime"] {
        assert!(
            !tree.lines().any(|line| line.starts_with(forbidden)),
            "the data plane depends on {forbidden}"
        );
    }
    assert!(tree.contains("asyncmcp-crds"), "the tree was not read");
    Ok(())
}

#[test]
fn the_protocol_does_no_io() -> Result<()> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "-p",
        "asyncmcp-protocol",
        "-e",
        "normal",
        "--prefix",
        "none",
    ])?;
    for forbidden in ["tokio ", "hyper ", "reqwest ", "rand ", "axum "] {
        assert!(
            !tree.lines().any(|line| line.starts_with(forbidden)),
            "the protocol depends on {forbidden}"
        );
    }
    Ok(())
}

#[test]
fn versions_live_in_the_workspace_manifest() -> Result<()> {
    for manifest in git_files("*Cargo.toml")?
        .iter()
        .filter(|path| **path != Path::new("Cargo.toml"))
    {
        let text = std::fs::read_to_string(root().join(manifest))?;
        let parsed: toml::Table = toml::from_str(&text).with_context(|| format!("{}", manifest.display()))?;
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = parsed.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (name, value) in table {
                let inherits = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(
                    inherits,
                    "{}: {name} must say workspace = true",
                    manifest.display()
                );
            }
        }
        let lints = parsed.get("lints").and_then(|lints| lints.get("workspace"));
        assert!(
            lints.is_some(),
            "{} does not take the workspace's lints",
            manifest.display()
        );
    }
    Ok(())
}

#[test]
fn every_file_says_what_it_is_and_is_one_idea() -> Result<()> {
    let mut broken = Vec::new();
    let longer: BTreeMap<&str, &str> = LONGER.into_iter().collect();
    for file in git_files("*.rs")? {
        let text = std::fs::read_to_string(root().join(&file))?;
        let name = file.display().to_string();
        if !text.starts_with("//!") {
            broken.push(format!("{name} does not open with //!"));
        }
        if text.lines().count() > LONGEST_FILE && !longer.contains_key(name.as_str()) {
            broken.push(format!(
                "{name} has {} lines, more than {LONGEST_FILE}",
                text.lines().count()
            ));
        }
        let stem = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if ["mod", "utils", "util", "common", "helpers", "manager"].contains(&stem) {
            broken.push(format!("{name}: a module is a noun of the domain"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

fn git_files(pattern: &str) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "--", pattern])
        .current_dir(root())
        .output()?;
    anyhow::ensure!(output.status.success(), "git ls-files failed");
    let files: Vec<PathBuf> = String::from_utf8(output.stdout)?
        .lines()
        .map(PathBuf::from)
        .collect();
    anyhow::ensure!(!files.is_empty(), "no file matches {pattern}");
    Ok(files
        .into_iter()
        .filter(|file| root().join(file).exists())
        .collect())
}
