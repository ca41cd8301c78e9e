//! The files of a release, as `release/build` makes them.
//!
//! `ASYNCMCP_RELEASE` names their directory; `make test ONLY=image` makes those of this machine's architecture and says so.
//! Invariant: only what people download is looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::{refused, root, run};
use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ARCH: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};

fn files() -> Result<PathBuf> {
    let named = std::env::var_os("ASYNCMCP_RELEASE");
    named
        .map(|named| root().join(named))
        .context("ASYNCMCP_RELEASE is not set: run `make test ONLY=image`, which makes the files")
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

#[test]
fn every_file_is_there_under_its_version_and_has_its_checksum() -> Result<()> {
    let files = files()?;
    let listed = std::fs::read_to_string(files.join("SHA256SUMS"))?;
    let listed: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.split("  ").nth(1))
        .collect();
    let expected = [
        format!("asyncmcp-{VERSION}-linux-{ARCH}.tar.gz"),
        format!("asyncmcp-{VERSION}.cdx.json"),
        format!("asyncmcp-{VERSION}.tgz"),
        format!("asyncmcp-crds-{VERSION}.yaml"),
        format!("asyncmcp-dataplane-{VERSION}-{ARCH}.oci.tar"),
        format!("asyncmcp-dataplane-{VERSION}.cdx.json"),
        format!("asyncmcp-operator-{VERSION}-{ARCH}.oci.tar"),
        format!("asyncmcp-operator-{VERSION}.cdx.json"),
    ];
    assert_eq!(listed, expected.iter().map(String::as_str).collect());
    let check = format!("cd {} && sha256sum --check --strict SHA256SUMS", files.display());
    run("bash", &["-c", &check])?;
    Ok(())
}

#[test]
fn the_archive_holds_programs_that_run_and_need_no_library() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let name = format!("asyncmcp-{VERSION}-linux-{ARCH}");
    let archive = files()?.join(format!("{name}.tar.gz"));
    run("tar", &["-C", text(dir.path())?, "-xzf", text(&archive)?])?;
    for program in ["asyncmcp", "asyncmcp-dataplane"] {
        let path = dir.path().join(&name).join(program);
        let said = run(text(&path)?, &["--version"])?;
        assert!(said.contains(VERSION), "{said}");
        let linked = run("file", &["-b", text(&path)?])?;
        assert!(linked.contains("static"), "{program}: {linked}");
    }
    Ok(())
}

#[test]
fn the_sbom_of_a_program_names_what_it_is_made_of() -> Result<()> {
    for (program, part) in [
        ("asyncmcp-dataplane", "redb"),
        ("asyncmcp-operator", "kube"),
        ("asyncmcp", "clap"),
    ] {
        let file = files()?.join(format!("{program}-{VERSION}.cdx.json"));
        let sbom: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
        assert_eq!(sbom["bomFormat"], "CycloneDX");
        let parts = sbom["components"].as_array().context("no components")?;
        let found = parts.iter().find(|component| component["name"] == part);
        let found = found.with_context(|| format!("{program} has no {part}"))?;
        let url = found["purl"].as_str().unwrap_or_default();
        assert!(url.starts_with(&format!("pkg:cargo/{part}@")), "{url}");
    }
    Ok(())
}

#[test]
fn the_chart_is_of_the_same_version_and_has_the_definition() -> Result<()> {
    let chart = files()?.join(format!("asyncmcp-{VERSION}.tgz"));
    let shown = run("helm", &["template", "asyncmcp", text(&chart)?])?;
    let definition = std::fs::read_to_string(files()?.join(format!("asyncmcp-crds-{VERSION}.yaml")))?;
    assert!(definition.contains("kind: CustomResourceDefinition"));
    assert!(shown.contains("kind: CustomResourceDefinition"));
    assert!(
        shown.contains(&format!("asyncmcp-operator:{VERSION}")),
        "the image's tag is the version"
    );
    Ok(())
}

#[test]
fn a_version_that_the_sources_do_not_have_is_not_released() -> Result<()> {
    let script = root().join("release/check");
    let said = refused(text(&script)?, &["9.9.9"])?;
    for place in [
        "Cargo.toml",
        "Chart.yaml: version",
        "Chart.yaml: appVersion",
        "CHANGELOG.md",
        "tests/fixtures/golden/9.9.9",
    ] {
        assert!(said.contains(place), "{said}");
    }
    Ok(())
}
