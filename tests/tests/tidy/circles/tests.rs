//! The check is checked: made-up crates with a known circle, and without one.

use anyhow::{Context as _, Result};

use super::between_files;
use super::tree::Tree;

/// The circles of a crate made of these files.
fn found(files: &[(&str, &str)]) -> Result<Vec<String>> {
    let dir = tempfile::tempdir()?;
    for (name, text) in files {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().context("a file in no directory")?)?;
        std::fs::write(file, text)?;
    }
    let arrows = Tree::read(&dir.path().join("lib.rs"))?.arrows();
    let found = between_files(&arrows);
    let dir = format!("{}/", dir.path().display());
    Ok(found.iter().map(|circle| circle.replace(&dir, "")).collect())
}

#[test]
fn a_circle_is_named_with_what_ties_it() -> Result<()> {
    let found = found(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
        ("a.rs", "use crate::b::B;\nuse crate::d;"),
        ("b.rs", "use std::fmt;\n\nfn f() { super::c::f(&fmt::X); }"),
        ("c.rs", "fn f() { println!(\"{}\", crate::a::A); }"),
        ("d.rs", ""),
    ])?;
    assert_eq!(
        found,
        [
            ": a circle of 3 files\n  a.rs:1: crate::b::B -> b.rs\n  b.rs:3: super::c::f -> c.rs\n  c.rs:1: crate::a::A -> a.rs"
        ]
    );
    Ok(())
}

#[test]
fn a_re_export_hides_no_arrow() -> Result<()> {
    let circle = found(&[
        ("lib.rs", "mod a;\npub mod b;\npub use a::A;"),
        ("a.rs", "use crate::b::{inner as deep};\nfn f() { deep::f() }"),
        ("b.rs", "pub(crate) mod inner;"),
        ("b/inner.rs", "use crate::A as First;"),
    ])?;
    assert_eq!(circle.len(), 1, "{circle:?}");
    assert!(
        circle[0].contains("b/inner.rs:1: crate::A -> a.rs"),
        "{}",
        circle[0]
    );
    Ok(())
}

#[test]
fn a_module_imported_by_name_is_followed() -> Result<()> {
    let circle = found(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use super::b;\nfn f() { b::f() }"),
        ("b.rs", "mod inner { use crate::a::{self, A}; }"),
    ])?;
    assert_eq!(circle.len(), 1, "{circle:?}");
    Ok(())
}

#[test]
fn parent_and_child_are_no_circle_but_siblings_are() -> Result<()> {
    let family = found(&[
        ("lib.rs", "mod a; use a::b::B; pub struct Top;"),
        ("a.rs", "pub mod b; use self::b::B; use crate::Top;"),
        ("a/b.rs", "use super::*; use crate::a::A; use crate::Top;"),
    ])?;
    assert!(family.is_empty(), "{family:?}");
    let siblings = found(&[
        ("lib.rs", "mod a;"),
        ("a.rs", "mod b; mod c;"),
        ("a/b.rs", "use super::c::C;"),
        ("a/c.rs", "use super::super::a::b::B;"),
    ])?;
    assert_eq!(siblings.len(), 1, "{siblings:?}");
    Ok(())
}

#[test]
fn tests_comments_and_strings_are_not_read() -> Result<()> {
    let none = found(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B;"),
        (
            "b.rs",
            "//! See [`crate::a::A`].\n// crate::a::A\nconst S: &str = \"crate::a::A\";\n\
             #[cfg(test)]\nuse crate::a::{A};\n#[cfg(test)]\nmod tests;\n\
             #[cfg(test)]\nmod inner { use crate::a::A; }",
        ),
    ])?;
    assert!(none.is_empty(), "{none:?}");
    Ok(())
}
