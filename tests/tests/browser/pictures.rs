//! The pictures of the documentation: taken by every run, and kept in `docs/images` where `ASYNCMCP_PICTURES=keep` says so.
//!
//! Invariant: the documentation has exactly the pictures that a run takes, each of the same size.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::root;

/// The start of a PNG up to its size.
const HEADER: usize = 24;

/// A directory for the pictures of this run.
pub(crate) fn made_in() -> Result<PathBuf> {
    let place = root().join("target/console-pictures");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir_all(&place)?;
    Ok(place)
}

/// Compares them with those of the documentation, after these were replaced if that is wanted.
pub(crate) fn compare(taken: &Path) -> Result<()> {
    let kept = root().join("docs/images");
    if std::env::var_os("ASYNCMCP_PICTURES").is_some_and(|value| value == "keep") {
        std::fs::create_dir_all(&kept)?;
        for name in sizes(taken)?.keys() {
            std::fs::copy(taken.join(name), kept.join(name))?;
        }
    }
    assert_eq!(
        sizes(&kept)?,
        sizes(taken)?,
        "docs/images is stale: run ASYNCMCP_PICTURES=keep make test ONLY=console"
    );
    Ok(())
}

/// The width and height of each picture of the console.
fn sizes(place: &Path) -> Result<BTreeMap<String, [u32; 2]>> {
    let mut sizes = BTreeMap::new();
    for entry in std::fs::read_dir(place).with_context(|| place.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("console-") {
            continue;
        }
        let bytes = std::fs::read(entry.path())?;
        let header = bytes
            .first_chunk::<HEADER>()
            .with_context(|| format!("{name} is no PNG"))?;
        let number =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        sizes.insert(name, [number(16), number(20)]);
    }
    Ok(sizes)
}
