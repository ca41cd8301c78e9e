//! The pages for users, as a reader takes them: README.md and every page below `docs/`.
//!
//! Used by `tests/tests/docs/`. Invariant: a page that is added is read without being named here.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::root;
use crate::readme::{Block, parse};

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its path in the checkout.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// A link of a page to a file of the checkout.
#[derive(Clone, Debug)]
pub struct Link {
    /// The file, by its path in the checkout.
    pub file: PathBuf,
    /// The heading in it, as links name it.
    pub anchor: Option<String>,
}

/// README.md and all pages below `docs/`, in the order of their paths.
pub fn all() -> Result<Vec<Page>> {
    let mut paths = vec![PathBuf::from("README.md")];
    walk(Path::new("docs"), &mut paths)?;
    paths.sort();
    paths.iter().map(Page::read).collect()
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(root().join(dir))? {
        let entry = entry?;
        let path = dir.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

impl Page {
    /// The page at this path in the checkout.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(root().join(path));
        Ok(Self {
            text: text.with_context(|| path.display().to_string())?,
            path: path.to_owned(),
        })
    }

    /// Its fenced blocks.
    pub fn blocks(&self) -> Vec<Block> {
        parse(&self.text)
    }

    /// Its fenced blocks of a section.
    pub fn section(&self, title: &str) -> Vec<Block> {
        let mut blocks = self.blocks();
        blocks.retain(|block| block.section == title);
        blocks
    }

    /// Its lines outside of fenced blocks.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        })
    }

    /// Its headings, as links name them.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        headings.map(slug).collect()
    }

    /// Its links into the checkout.
    pub fn links(&self) -> Vec<Link> {
        let prose: String = self.prose().flat_map(|line| [line, "\n"]).collect();
        let targets = prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let inside = targets.filter(|target| !target.contains("://"));
        inside.map(|target| self.link(target)).collect()
    }

    fn link(&self, target: &str) -> Link {
        let (file, anchor) = match target.split_once('#') {
            Some((file, anchor)) => (file, Some(anchor.to_owned())),
            None => (target, None),
        };
        let dir = self.path.parent().unwrap_or(Path::new(""));
        let file = if file.is_empty() {
            self.path.clone()
        } else {
            plain(&dir.join(file))
        };
        Link { file, anchor }
    }

    /// The cells of the table under a heading, row by row, without its head; code marks are left out.
    pub fn table(&self, title: &str) -> Vec<Vec<String>> {
        let after = self.prose().skip_while(|line| {
            !line.starts_with('#') || line.trim_start_matches('#').trim().replace('`', "") != title
        });
        let section = after.skip(1).take_while(|line| !line.starts_with('#'));
        let rows = section.filter(|line| line.starts_with('|')).skip(2);
        rows.map(cells).collect()
    }
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_matches('|').replace("\\|", "\u{1}");
    let cells = row.split('|').map(|cell| cell.trim().replace('`', ""));
    cells.map(|cell| cell.replace('\u{1}', "|")).collect()
}

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    plain
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page {
            path: "docs/how-to/a.md".into(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn links_are_followed_from_the_page_that_has_them() {
        let links = page("[a](../b.md#c-d) [e](https://x/) [f](#g)\n```sh\n[h](i)\n```\n").links();
        let links: Vec<_> = links
            .iter()
            .map(|link| (link.file.to_str().unwrap(), link.anchor.as_deref()))
            .collect();
        assert_eq!(
            links,
            [("docs/b.md", Some("c-d")), ("docs/how-to/a.md", Some("g"))]
        );
    }

    #[test]
    fn a_table_is_read_without_its_head_and_its_marks() {
        let page = page("# T\n| a | b |\n|---|---|\n| `x\\|y` | 2 |\n## U\n| c |\n|---|\n| 3 |\n");
        assert_eq!(page.table("T"), [["x|y", "2"]]);
        assert_eq!(page.table("U"), [["3"]]);
        assert!(page.table("V").is_empty());
    }

    #[test]
    fn a_heading_is_an_anchor_and_a_comment_of_a_script_is_none() {
        let page = page("# What `x_y` is, and why\n```sh\n# no\n```\n");
        assert_eq!(page.anchors(), ["what-x_y-is-and-why"]);
    }
}
