//! The targets of make that README.md names exist.
//!
//! Everything else that it says is held by the tests of all pages (`tests/tests/docs/`), and the commands of its section on
//! clusters are run by the end-to-end tests. Invariant: targets in blocks and in sentences are both looked at.

use anyhow::Result;
use asyncmcp_tests::command::root;
use asyncmcp_tests::readme;

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
