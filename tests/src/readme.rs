//! README.md as a reader takes it: sections, and the blocks in them.
//!
//! Invariant: what README tells a reader to type or to write is what tests take from here.

use anyhow::{Context as _, Result};

use crate::command::root;

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The heading it stands under, without `#`.
    pub section: String,
    /// What it is written in: `sh`, `yaml`, `text`.
    pub language: String,
    /// Its lines.
    pub text: String,
}

/// Every fenced block of README.md.
pub fn blocks() -> Result<Vec<Block>> {
    let text = std::fs::read_to_string(root().join("README.md")).context("README.md")?;
    Ok(parse(&text))
}

/// The first block of a section in a language.
pub fn block(section: &str, language: &str) -> Result<String> {
    let mut blocks = blocks()?.into_iter();
    let found = blocks.find(|block| block.section == section && block.language == language);
    let found = found.with_context(|| format!("README.md has no {language} block under {section:?}"))?;
    Ok(found.text)
}

/// The commands of a `sh` block, each on one line, without their comments.
pub fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let bare = joined
        .lines()
        .map(|line| line.split("  #").next().unwrap_or(line).trim());
    bare.filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

pub(crate) fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut section = String::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        let fence = line.strip_prefix("```");
        match (fence, open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => open = Some(begin(&section, language)),
            (None, Some(block)) => open = Some(with(block, line)),
            (None, None) if line.starts_with('#') => {
                line.trim_start_matches('#').trim().clone_into(&mut section);
            }
            (None, None) => {}
        }
    }
    blocks
}

fn begin(section: &str, language: &str) -> Block {
    Block {
        section: section.to_owned(),
        language: language.trim().to_owned(),
        text: String::new(),
    }
}

fn with(mut block: Block, line: &str) -> Block {
    block.text.push_str(line);
    block.text.push('\n');
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_know_their_section_and_language() {
        let found = parse("# Title\n\n```sh\na  # why\n# b\nc \\\n  d\n```\n## Next\n```yaml\nx: 1\n```\n");
        let of = |block: &Block| (block.section.clone(), block.language.clone());
        assert_eq!(of(&found[0]), ("Title".to_owned(), "sh".to_owned()));
        assert_eq!(commands(&found[0].text), ["a", "c    d"]);
        assert_eq!(of(&found[1]), ("Next".to_owned(), "yaml".to_owned()));
        assert_eq!(found[1].text, "x: 1\n");
    }
}
