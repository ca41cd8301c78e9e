//! The installation on a laptop, as the page says it, with an archive of the programs that were just built.
//!
//! `tests/tests/release.rs` looks at the real archive. Invariant: what is installed is what the checksums are of.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::run;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::process::binary;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the page says, and a directory with what a release has.
fn downloaded(dir: &Path) -> Result<String> {
    let blocks = Page::read("docs/how-to/install.md")?.section("On a laptop");
    let arch = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let name = format!("asyncmcp-{VERSION}-linux-{arch}");
    std::fs::create_dir(dir.join(&name))?;
    for program in ["asyncmcp", "asyncmcp-dataplane"] {
        std::os::unix::fs::symlink(binary(program)?, dir.join(&name).join(program))?;
    }
    let place = dir.to_string_lossy();
    let archive = format!("{place}/{name}.tar.gz");
    // As a release has them, not as links.
    run("tar", &["-C", &place, "--dereference", "-czf", &archive, &name])?;
    std::fs::remove_dir_all(dir.join(&name))?;
    let sums = format!(
        "cd {place} && sha256sum {name}.tar.gz >SHA256SUMS && echo '{:064}  another-file' >>SHA256SUMS",
        0
    );
    run("bash", &["-c", &sums])?;
    Ok(blocks.first().context("no commands")?.text.clone())
}

fn typed(dir: &Path, text: &str) -> Result<Output> {
    let home = dir.join("home");
    std::fs::create_dir_all(&home)?;
    let path = format!("{}/.local/bin:{}", home.display(), std::env::var("PATH")?);
    let shell = Command::new("bash")
        .args(["-euo", "pipefail", "-c", text])
        .current_dir(dir)
        .env("HOME", &home)
        .env("PATH", path)
        .output();
    Ok(shell?)
}

#[test]
fn the_page_installs_the_programs_and_no_archive_that_was_changed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let text = downloaded(dir.path())?;
    let output = typed(dir.path(), &text)?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.lines().last().unwrap_or_default().contains(VERSION),
        "{said}"
    );
    assert!(dir.path().join("home/.local/bin/asyncmcp-dataplane").is_file());

    std::fs::remove_dir_all(dir.path().join("home"))?;
    let spoil = format!("printf x >>asyncmcp-{VERSION}-linux-*.tar.gz");
    assert!(typed(dir.path(), &spoil)?.status.success());
    assert!(
        !typed(dir.path(), &text)?.status.success(),
        "a changed archive was installed"
    );
    assert!(!dir.path().join("home/.local/bin/asyncmcp").exists());
    Ok(())
}
