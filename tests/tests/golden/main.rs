//! What earlier versions wrote is read by this one: their stores are opened, their routes accepted.
//!
//! `release/golden` makes the files of a version in `tests/fixtures/golden/<version>/`, with the test in `store` that makes a
//! store anew. Invariant: every version that has files is read; none is named here.

mod routes;
mod store;
mod town;

use std::path::PathBuf;

use anyhow::Result;
use asyncmcp_tests::command::root;

/// The directories of all versions.
fn versions() -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root().join("tests/fixtures/golden"))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no version has files: run release/golden");
    Ok(found)
}
