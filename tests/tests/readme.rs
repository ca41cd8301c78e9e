//! README.md holds what it says: its routes are valid, its commands exist, its links lead somewhere.
//!
//! The commands of its section on clusters are run by the end-to-end tests. Invariant: no block is left out because of
//! how it is written.

use anyhow::{Context as _, Result};
use asyncmcp_crds::summary::retry_total;
use asyncmcp_crds::{Unknown, effective, load, validate};
use asyncmcp_tests::command::root;
use asyncmcp_tests::readme;

#[test]
fn every_route_is_valid() -> Result<()> {
    let blocks = readme::blocks()?;
    let routes = blocks.iter().filter(|block| block.language == "yaml");
    let mut count = 0;
    for block in routes {
        let loaded = load(&block.text, Unknown::Refuse).with_context(|| block.section.clone())?;
        assert_eq!(validate(&loaded.route), Ok(()), "{}", block.section);
        count += 1;
    }
    assert!(count > 0, "README shows no route");
    Ok(())
}

#[test]
fn retries_are_totalled_as_they_are() -> Result<()> {
    let blocks = readme::blocks()?;
    let mut count = 0;
    for block in blocks.iter().filter(|block| block.language == "yaml") {
        let Some(line) = block
            .text
            .lines()
            .find(|line| line.trim_start().starts_with("retry:"))
        else {
            continue;
        };
        let mut route = load(&block.text, Unknown::Refuse)?.route;
        let total = retry_total(&effective(&route).webhook.retry.waits);
        assert!(line.contains(&total), "{line}: {total}");
        route.spec.webhook = None;
        let default = retry_total(&effective(&route).webhook.retry.waits);
        assert!(line.contains(&default), "{line}: {default}");
        count += 1;
    }
    assert!(count > 0, "README shows no retries");
    Ok(())
}

#[test]
fn every_make_target_exists() -> Result<()> {
    let makefile = std::fs::read_to_string(root().join("Makefile"))?;
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let inline = readme.split("`make ").skip(1).map(str::to_owned);
    let blocks = readme::blocks()?
        .into_iter()
        .filter(|block| block.language == "sh");
    let typed = blocks.flat_map(|block| readme::commands(&block.text));
    let typed = typed.filter_map(|command| command.strip_prefix("make ").map(str::to_owned));
    let targets: Vec<String> = inline.chain(typed).filter_map(|words| first(&words)).collect();
    for expected in ["run", "test"] {
        assert!(targets.iter().any(|target| target == expected), "{targets:?}");
    }
    for target in targets {
        assert!(
            makefile.contains(&format!("\n{target}:")),
            "`make {target}` does not exist"
        );
    }
    Ok(())
}

fn first(words: &str) -> Option<String> {
    let target = words.split([' ', '`', '\n']).next()?;
    Some(target.to_owned())
}

#[test]
fn every_link_to_a_file_leads_to_one() -> Result<()> {
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let links = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let mut count = 0;
    for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
        let (file, anchor) = link
            .split_once('#')
            .map_or((link, None), |(file, anchor)| (file, Some(anchor)));
        let text = std::fs::read_to_string(root().join(file)).with_context(|| link.to_owned())?;
        let mut headings = text.lines().filter(|line| line.starts_with('#')).map(slug);
        assert!(
            anchor.is_none_or(|anchor| headings.any(|heading| heading == anchor)),
            "{link}"
        );
        count += 1;
    }
    assert!(count > 0);
    Ok(())
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
