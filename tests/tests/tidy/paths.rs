//! The documents name files that exist, and say of a file only what is written in it.
//!
//! A path is what stands in backticks and looks like one; it may leave out where it begins (`route/build.rs`). Behind
//! it, in parentheses, may follow what to look for there: `forward.rs` (`call`, an ordinary one). Invariant: a document
//! is checked whole, but for a section about what does not exist yet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Result;
use regex::Regex;

use super::{git_files, read};

const DOCUMENTS: [&str; 5] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "charts/asyncmcp/README.md",
    "tests/cluster/README.md",
];

/// Its paths are plans.
const PLANS: &str = "## Where the next things will live";

/// Where the local cluster keeps what it makes.
const MADE: &str = "tests/.run/";

/// A name in backticks, and what the parentheses behind it hold.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"`([A-Za-z0-9_.][A-Za-z0-9_./-]*)`(?:\s+\(([^)]*)\))?").expect("a regex"));
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([A-Za-z_][A-Za-z0-9_]*)`").expect("a regex"));

#[test]
fn documents_name_files_that_exist_and_what_is_in_them() -> Result<()> {
    let files = git_files("*")?;
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = read(Path::new(document))?;
        wrong.extend(
            mistakes(&text, &files, &read)
                .into_iter()
                .map(|mistake| format!("{document}: {mistake}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What a text says of these files that is not so.
fn mistakes(text: &str, files: &[PathBuf], read: &dyn Fn(&Path) -> Result<String>) -> Vec<String> {
    let mut found = Vec::new();
    let text = without_plans(text);
    for named in NAMED.captures_iter(&text) {
        let path = &named[1];
        if !is_path(path, files) {
            continue;
        }
        let meant = matching(path, files);
        if meant.is_empty() {
            found.push(format!("there is no {path}"));
            continue;
        }
        let words: BTreeSet<&str> = named
            .get(2)
            .map_or_else(BTreeSet::new, |said| words(said.as_str()));
        let has_all =
            |file: &&PathBuf| read(file).is_ok_and(|text| words.iter().all(|word| is_in(word, &text)));
        if !words.is_empty() && !meant.iter().any(has_all) {
            found.push(format!("{path} does not have all of {words:?}"));
        }
    }
    found
}

fn without_plans(text: &str) -> String {
    let Some((before, plans)) = text.split_once(PLANS) else {
        return text.to_owned();
    };
    let after = plans.find("\n## ").map_or("", |end| &plans[end..]);
    format!("{before}{after}")
}

/// Other things have a slash too: methods of MCP, places on a volume.
fn is_path(name: &str, files: &[PathBuf]) -> bool {
    let has = |known: &[&str]| {
        let extension = Path::new(name)
            .extension()
            .and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| known.contains(&extension))
    };
    let begins_at_the_top = name
        .split_once('/')
        .is_some_and(|(top, _)| files.iter().any(|file| file.starts_with(top)));
    !name.starts_with(MADE)
        && (has(&["rs"])
            || begins_at_the_top
            || (name.contains('/') && has(&["md", "yaml", "toml", "json", "sh"])))
}

/// The files that a path means, itself or as their directory.
fn matching<'a>(path: &str, files: &'a [PathBuf]) -> Vec<&'a PathBuf> {
    let ends = |file: &&PathBuf| file.ancestors().any(|part| part.ends_with(path));
    files.iter().filter(ends).collect()
}

fn words(said: &str) -> BTreeSet<&str> {
    WORD.captures_iter(said)
        .filter_map(|word| Some(word.get(1)?.as_str()))
        .collect()
}

fn is_in(word: &str, text: &str) -> bool {
    let pattern = format!(r"\b(fn|struct|enum|trait|const|static|type|mod) {word}\b");
    Regex::new(&pattern).is_ok_and(|definition| definition.is_match(text))
}

#[test]
fn what_is_not_so_is_found() {
    let files: Vec<PathBuf> = ["a/src/one.rs", "a/src/two/one.rs", "docs/page.md"]
        .iter()
        .map(PathBuf::from)
        .collect();
    let text = |file: &Path| {
        let is_later = file.starts_with("a/src/two");
        Ok(if is_later {
            "pub(super) async fn run() {}"
        } else {
            "pub struct Answer;"
        }
        .to_owned())
    };
    let found = |document: &str| mistakes(document, &files, &text);
    for right in [
        "`one.rs` (`run`, later) and `src/one.rs` (`Answer`), in `a/src/two/` or `a/src`",
        "`tools/list`, `/status`, `store.json`, `tests/.run/x`, `.rs`",
        "## Where the next things will live\n`a/src/three.rs`\n## Then\n`docs/page.md`",
    ] {
        assert_eq!(found(right), [""; 0], "{right}");
    }
    for (wrong, named) in [
        ("`three.rs`", "there is no three.rs"),
        ("`a/doc`", "there is no a/doc"),
        (
            "`src/one.rs` (`run`)",
            "src/one.rs does not have all of {\"run\"}",
        ),
        ("`ne.rs`", "there is no ne.rs"),
        (
            "## Where the next things will live\nx\n## Then\n`docs/other.md`",
            "there is no docs/other.md",
        ),
    ] {
        assert_eq!(found(wrong), [named], "{wrong}");
    }
}
