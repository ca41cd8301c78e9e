//! Every fenced block is of a kind that some test reads.
//!
//! `sh`: commands, see `commands`; `sh background` are some that keep running. `yaml`: see `yaml`. `json`: parsed here. `http`
//! and the languages of programs: see `receivers`. `text`: what is printed, or a figure.

use anyhow::{Context as _, Result};
use asyncmcp_tests::pages;

const KINDS: [&str; 9] = [
    "sh",
    "sh background",
    "yaml",
    "json",
    "http",
    "text",
    "python",
    "js",
    "go",
];

#[test]
fn every_block_is_of_a_known_kind_and_at_the_margin() -> Result<()> {
    for page in pages::all()? {
        let path = page.path.display();
        for line in page.text.lines() {
            let is_indented = line.starts_with(' ') && line.trim_start().starts_with("```");
            assert!(
                !is_indented,
                "{path}: a fence that is indented is not read: {line:?}"
            );
            assert!(!line.starts_with("~~~"), "{path}: use ``` for blocks");
        }
        for block in page.blocks() {
            let kind = block.language.as_str();
            assert!(KINDS.contains(&kind), "{path}, {:?}: {kind:?}", block.section);
        }
        let fences = page.text.lines().filter(|line| line.starts_with("```")).count();
        assert_eq!(fences, 2 * page.blocks().len(), "{path}: a block does not end");
    }
    Ok(())
}

#[test]
fn every_json_block_is_json() -> Result<()> {
    for page in pages::all()? {
        for block in page.blocks().iter().filter(|block| block.language == "json") {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
            parsed.with_context(|| format!("{}, {:?}", page.path.display(), block.section))?;
        }
    }
    Ok(())
}
