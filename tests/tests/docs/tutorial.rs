//! The tutorial for a laptop, typed as it stands there; and that the one for a cluster has the commands that are run on one.
//!
//! Needs `unshare` and `ip`. Invariant: everything that the page shows was printed.

use anyhow::Result;
use asyncmcp_tests::namespace::in_own_network;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::readme;

use crate::reader::Reader;

#[tokio::test]
async fn the_tutorial_for_a_laptop_works_as_it_is_typed() -> Result<()> {
    if !in_own_network("tutorial::the_tutorial_for_a_laptop_works_as_it_is_typed", &[])? {
        return Ok(());
    }
    let page = Page::read("docs/tutorials/laptop.md")?;
    let mut reader = Reader::new()?;
    let steps = reader.follow(&page, |section| !section.starts_with("7.")).await?;
    assert!(steps >= 25, "{steps} steps");
    let dir = reader.directory()?;
    for program in [
        "asyncmcp receive",
        "asyncmcp-dataplane",
        "asyncmcp-example-server",
    ] {
        reader.stop(program).await?;
    }
    reader.follow(&page, |section| section.starts_with("7.")).await?;
    assert!(!dir.exists(), "{} is left", dir.display());
    Ok(())
}

/// README's are run by the end-to-end tests.
#[test]
fn the_tutorial_for_a_cluster_has_the_commands_of_readme() -> Result<()> {
    let page = Page::read("docs/tutorials/cluster.md")?;
    let blocks = page.blocks().into_iter().filter(|block| block.language == "sh");
    let mut typed = blocks.flat_map(|block| readme::commands(&block.text));
    for command in readme::commands(&readme::block("On a cluster", "sh")?) {
        assert!(
            typed.any(|typed| typed == command),
            "it lacks, or has out of order: {command}"
        );
    }
    let shown = page
        .section("3. Create a route")
        .into_iter()
        .find(|block| block.language == "text");
    let readmes = readme::block("On a cluster", "text")?;
    assert!(
        shown.is_some_and(|shown| readmes.ends_with(&shown.text)),
        "another table"
    );
    Ok(())
}
