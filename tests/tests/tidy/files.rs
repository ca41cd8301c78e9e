//! How a file must look.
//!
//! Invariant: a file that may be longer than the others stands in a list with its reason.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{git_files, read};

/// Lines in a file, its tests included.
const LONGEST_FILE: usize = 400;

/// Longer files, each with the reason why cutting it would make it worse.
const LONGER: [(&str, &str); 0] = [];

#[test]
fn every_file_says_what_it_is_and_is_one_idea() -> Result<()> {
    let mut broken = Vec::new();
    let longer: BTreeMap<&str, &str> = LONGER.into_iter().collect();
    for file in git_files("*.rs")? {
        let text = read(&file)?;
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
