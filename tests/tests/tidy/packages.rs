//! Which package may use which, and where versions are said.
//!
//! Invariant: an arrow that is not listed is forbidden.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{cargo, git_files, read};

/// What the tests of every package may use, and the product may not.
const FAKES: &str = "asyncmcp-fakes";

/// The arrows between our packages. They point down; what is not listed is forbidden.
const ARROWS: [(&str, &[&str]); 12] = [
    ("asyncmcp-crds", &[]),
    ("asyncmcp-protocol", &[]),
    (FAKES, &[]),
    ("asyncmcp-delivery", &[]),
    ("asyncmcp-example-server", &[]),
    ("asyncmcp-client", &["asyncmcp-protocol"]),
    (
        "asyncmcp-cli",
        &["asyncmcp-client", "asyncmcp-crds", "asyncmcp-delivery"],
    ),
    ("asyncmcp-operator", &["asyncmcp-crds"]),
    (
        "asyncmcp-dataplane",
        &["asyncmcp-crds", "asyncmcp-delivery", "asyncmcp-protocol"],
    ),
    ("asyncmcp-bench", &["asyncmcp-delivery"]),
    ("asyncmcp-rmcp-peer", &[]),
    // The tests may see everything.
    (
        "asyncmcp-tests",
        &[
            "asyncmcp-client",
            "asyncmcp-crds",
            "asyncmcp-dataplane",
            "asyncmcp-delivery",
            FAKES,
            "asyncmcp-operator",
            "asyncmcp-protocol",
        ],
    ),
];

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
            .filter(|dependency| dependency["name"] != FAKES || dependency["kind"] != "dev")
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
        let text = read(manifest)?;
        let parsed: toml::Table = toml::from_str(&text).with_context(|| format!("{}", manifest.display()))?;
        if parsed.contains_key("workspace") {
            continue; // the fuzz targets, which another compiler builds
        }
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
