//! The modules of one crate, and which file names what of which other.
//!
//! [`super`] asks. Invariant: a name that a module only passes on leads to the file where it is from, so that a
//! re-export hides no arrow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::source::{self, Module, Names};

/// A re-export of a re-export of ... is followed at most this far.
const DEEPEST: usize = 16;

/// A crate: `src/lib.rs`, `src/main.rs` or a file of `src/bin`, and all that it declares.
#[derive(Debug, Default)]
pub(super) struct Tree {
    modules: BTreeMap<Names, Placed>,
}

#[derive(Debug)]
struct Placed {
    module: Module,
    file: PathBuf,
    /// The path of the module that is the file: its own, or that of the one around it.
    file_path: Names,
}

/// One file names something of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    /// `12: crate::raw::write`
    pub(super) said: String,
    /// Their top-level modules; none for the root.
    pub(super) rooms: (Option<String>, Option<String>),
    /// One declares the other, directly or not.
    pub(super) is_of_family: bool,
}

impl Tree {
    /// Reads a crate from its root file and those it declares.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        let directory = root.parent().context("a file in no directory")?;
        tree.add_file(root, directory, &Names::new())?;
        Ok(tree)
    }

    fn add_file(&mut self, file: &Path, directory: &Path, path: &Names) -> Result<()> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let module = source::read(&text).with_context(|| file.display().to_string())?;
        self.add(module, file, directory, path, path.clone())
    }

    fn add(
        &mut self,
        mut module: Module,
        file: &Path,
        directory: &Path,
        file_path: &Names,
        path: Names,
    ) -> Result<()> {
        for child in &module.children {
            let file = directory.join(format!("{child}.rs"));
            self.add_file(&file, &directory.join(child), &joined(&path, child))?;
        }
        for (name, inner) in std::mem::take(&mut module.inline) {
            module.children.insert(name.clone());
            self.add(
                inner,
                file,
                &directory.join(&name),
                file_path,
                joined(&path, &name),
            )?;
        }
        let placed = Placed {
            module,
            file: file.to_owned(),
            file_path: file_path.clone(),
        };
        self.modules.insert(path, placed);
        Ok(())
    }

    /// The top-level modules.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &String> {
        self.modules[&Names::new()].module.children.iter()
    }

    /// Every arrow between two files, as often as it is said.
    pub(super) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        for (path, from) in &self.modules {
            for (line, names) in &from.module.paths {
                let to = self.resolve(path, names, 0).and_then(|to| self.modules.get(&to));
                arrows.extend(
                    to.filter(|to| to.file != from.file)
                        .map(|to| arrow(from, to, *line, names)),
                );
            }
        }
        arrows
    }

    /// The module in which the thing that `names` means inside `at` is written; none if it is another crate's.
    fn resolve(&self, at: &Names, names: &[String], depth: usize) -> Option<Names> {
        let (first, rest) = names.split_first()?;
        if depth > DEEPEST {
            return None;
        }
        match first.as_str() {
            "crate" => self.descend(&Names::new(), rest, depth),
            "self" => self.descend(at, rest, depth),
            "super" => self.above(at, rest, depth),
            name => {
                let module = &self.modules[at].module;
                if module.children.contains(name) {
                    return self.descend(at, names, depth);
                }
                let import = module
                    .imports
                    .get(name)
                    .filter(|import| import.first() != Some(first))?;
                self.resolve(at, &[import, rest].concat(), depth + 1)
            }
        }
    }

    fn above(&self, at: &Names, rest: &[String], depth: usize) -> Option<Names> {
        let (_, parent) = at.split_last()?;
        match rest.split_first() {
            Some((next, rest)) if next == "super" => self.above(&parent.to_vec(), rest, depth),
            _ => self.descend(&parent.to_vec(), rest, depth),
        }
    }

    /// Follows `names` from module to module, then what the last one imports under the next name.
    fn descend(&self, from: &Names, names: &[String], depth: usize) -> Option<Names> {
        let Some((first, rest)) = names.split_first() else {
            return Some(from.clone());
        };
        let inner = joined(from, first);
        if self.modules.contains_key(&inner) {
            return self.descend(&inner, rest, depth);
        }
        match self.modules[from].module.imports.get(first) {
            Some(import) => self.resolve(from, &[import, rest].concat(), depth + 1),
            None => Some(from.clone()),
        }
    }
}

fn arrow(from: &Placed, to: &Placed, line: usize, names: &[String]) -> Arrow {
    let room = |placed: &Placed| placed.file_path.first().cloned();
    Arrow {
        from: from.file.clone(),
        to: to.file.clone(),
        said: format!("{line}: {}", names.join("::")),
        rooms: (room(from), room(to)),
        is_of_family: from.file_path.starts_with(&to.file_path) || to.file_path.starts_with(&from.file_path),
    }
}

fn joined(path: &[String], name: &str) -> Names {
    [path, &[name.to_owned()]].concat()
}
