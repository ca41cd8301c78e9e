//! No circle between files, in every package: whoever reads a file can read what it stands on first.
//!
//! A module and those it declares are one thing cut into files, so an arrow between them counts for nothing. Test code
//! is not read. Invariant: every package is held.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::root;

use self::graph::circles;
use self::tree::{Arrow, Tree};
use super::cargo;

mod graph;
mod source;
mod tests;
mod tree;

#[test]
fn no_files_of_a_package_use_each_other_in_a_circle() -> Result<()> {
    let mut found = String::new();
    for (package, roots) in packages()? {
        for tree in read(&roots)? {
            for circle in between_files(&tree.arrows()) {
                write!(found, "\n{package}{circle}")?;
            }
        }
    }
    assert!(found.is_empty(), "{found}");
    Ok(())
}

/// `cargo test -p asyncmcp-tests --test tidy figures -- --nocapture`
#[test]
fn figures_of_rooms_and_arrows() -> Result<()> {
    println!("package                     rooms  arrows  circles of rooms  circles of files");
    for (package, roots) in packages()? {
        for (tree, root) in read(&roots)?.iter().zip(&roots) {
            let arrows = tree.arrows();
            let rooms = between_rooms(&arrows);
            println!(
                "{:<27} {:>5} {:>7}  {:<16}  {}",
                format!("{package} {}", root.file_stem().unwrap_or_default().display()),
                tree.rooms().count(),
                rooms.len(),
                sizes(&circles(&rooms)),
                sizes(&circles(&between(&arrows))),
            );
        }
    }
    Ok(())
}

/// `2 (9, 3)`
fn sizes<N>(circles: &[BTreeSet<N>]) -> String {
    let sizes: Vec<String> = circles.iter().map(|circle| circle.len().to_string()).collect();
    match sizes.len() {
        0 => "none".to_owned(),
        count => format!("{count} (of {})", sizes.join(", ")),
    }
}

/// Each package with the roots of its crates, from cargo; tests, benches and examples are none of ours.
fn packages() -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let metadata = cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"])?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().context("no name")?;
            let targets = package["targets"].as_array().context("no targets")?;
            let ours = targets.iter().filter(|target| {
                target["kind"] == serde_json::json!(["lib"]) || target["kind"] == serde_json::json!(["bin"])
            });
            let roots = ours
                .filter_map(|target| target["src_path"].as_str())
                .map(PathBuf::from);
            Ok((name.to_owned(), roots.collect()))
        })
        .collect()
}

fn read(roots: &[PathBuf]) -> Result<Vec<Tree>> {
    roots.iter().map(|root| Tree::read(root)).collect()
}

/// The arrows that count: not those within a family.
fn between(arrows: &[Arrow]) -> BTreeSet<(PathBuf, PathBuf)> {
    arrows
        .iter()
        .filter(|arrow| !arrow.is_of_family)
        .map(|arrow| (arrow.from.clone(), arrow.to.clone()))
        .collect()
}

fn between_rooms(arrows: &[Arrow]) -> BTreeSet<(String, String)> {
    let rooms = arrows
        .iter()
        .filter_map(|arrow| arrow.rooms.0.clone().zip(arrow.rooms.1.clone()));
    rooms.filter(|(from, to)| from != to).collect()
}

/// Each circle with an example of every arrow that ties it.
fn between_files(arrows: &[Arrow]) -> Vec<String> {
    let found = circles(&between(arrows));
    found.iter().map(|circle| explained(circle, arrows)).collect()
}

fn explained(circle: &BTreeSet<PathBuf>, arrows: &[Arrow]) -> String {
    let ties =
        |arrow: &&Arrow| !arrow.is_of_family && circle.contains(&arrow.from) && circle.contains(&arrow.to);
    let mut first: BTreeMap<(&Path, &Path), &str> = BTreeMap::new();
    for arrow in arrows.iter().filter(ties) {
        first.entry((&arrow.from, &arrow.to)).or_insert(&arrow.said);
    }
    let ties = first
        .iter()
        .map(|((from, to), said)| format!("\n  {}:{said} -> {}", shown(from), shown(to)));
    format!(": a circle of {} files{}", circle.len(), ties.collect::<String>())
}

fn shown(file: &Path) -> String {
    let root = root().canonicalize().unwrap_or_default();
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}
