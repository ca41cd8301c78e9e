//! Every link of a page leads to a file or a heading, and every page can be found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::root;
use asyncmcp_tests::pages::{self, Link, Page};

#[test]
fn every_link_leads_somewhere() -> Result<()> {
    let mut count = 0;
    for page in pages::all()? {
        for link in page.links() {
            leads(&link).with_context(|| format!("{}: {link:?}", page.path.display()))?;
            count += 1;
        }
    }
    assert!(count > 50, "{count} links");
    Ok(())
}

fn leads(link: &Link) -> Result<()> {
    anyhow::ensure!(root().join(&link.file).exists(), "there is no such file");
    let Some(anchor) = &link.anchor else {
        return Ok(());
    };
    let anchors = Page::read(&link.file)?.anchors();
    anyhow::ensure!(anchors.contains(anchor), "there is no such heading: {anchors:?}");
    Ok(())
}

#[test]
fn the_index_lists_every_page_and_readme_links_it() -> Result<()> {
    let index = Path::new("docs/README.md");
    let linked =
        |page: &Page| -> BTreeSet<PathBuf> { page.links().into_iter().map(|link| link.file).collect() };
    let listed = linked(&Page::read(index)?);
    for page in pages::all()? {
        let is_listed =
            page.path == Path::new("README.md") || page.path == index || listed.contains(&page.path);
        assert!(is_listed, "{} is not in {}", page.path.display(), index.display());
    }
    assert!(
        linked(&Page::read("README.md")?).contains(index),
        "README does not link the index"
    );
    Ok(())
}

#[test]
fn a_page_is_of_one_of_the_four_kinds_and_has_one_title() -> Result<()> {
    for page in pages::all()? {
        let titles = page.prose().filter(|line| line.starts_with("# ")).count();
        assert_eq!(titles, 1, "titles of {}", page.path.display());
        let mut parts = page
            .path
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        let (first, kind) = (parts.next(), parts.next());
        let kinds = ["tutorials", "how-to", "reference", "explanation", "README.md"];
        let is_known = first.as_deref() != Some("docs") || kind.is_some_and(|kind| kinds.contains(&&*kind));
        assert!(is_known, "{} is in none of {kinds:?}", page.path.display());
    }
    Ok(())
}
