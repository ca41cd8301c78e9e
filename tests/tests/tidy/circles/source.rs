//! What one Rust file says about others: its modules, what it imports, and the paths it names.
//!
//! [`super::tree`] reads the files. It goes by tokens, so that comments and strings say nothing and the arguments of
//! macros do. Invariant: what is compiled for tests only is not read.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as it was written: `crate::raw::write`.
pub(super) type Names = Vec<String>;

/// A module, of a file or inside one.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Modules in files of their own.
    pub(super) children: BTreeSet<String>,
    /// Modules in this file.
    pub(super) inline: BTreeMap<String, Module>,
    /// Names that `use` brings in, re-exports included, with the path each stands for.
    pub(super) imports: BTreeMap<String, Names>,
    /// Every path of two or more names, and every `use`, with its line.
    pub(super) paths: Vec<(usize, Names)>,
}

/// Reads the text of a file.
pub(super) fn read(text: &str) -> Result<Module> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("no Rust: {error}"))?;
    let mut module = Module::default();
    module.read(tokens);
    Ok(module)
}

impl Module {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.step(&tokens, at);
        }
    }

    /// Reads what begins at `at`; where the next begins.
    fn step(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if is_for_tests(tokens, at) {
            return end_of_item(tokens, at + 2);
        }
        match &tokens[at] {
            TokenTree::Group(group) => self.read(group.stream()),
            TokenTree::Ident(word) if word == "mod" => return self.declaration(tokens, at),
            TokenTree::Ident(word) if word == "use" && !is_punct(tokens.get(at + 1), '<') => {
                let end = end_of_item(tokens, at);
                self.import(&tokens[at + 1..end - 1], &[]);
                return end;
            }
            TokenTree::Ident(_) if !follows_a_path(tokens, at) => return self.path(tokens, at),
            _ => {}
        }
        at + 1
    }

    fn declaration(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else {
            return at + 1;
        };
        match tokens.get(at + 2) {
            Some(TokenTree::Group(body)) => self
                .inline
                .entry(name.to_string())
                .or_default()
                .read(body.stream()),
            _ => drop(self.children.insert(name.to_string())),
        }
        at + 3
    }

    fn path(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let (names, end) = names(tokens, at);
        if names.len() > 1 {
            self.paths.push((line(&tokens[at]), names));
        }
        end
    }

    /// Reads `a::{b, c as d}` under what was written before it.
    fn import(&mut self, tokens: &[TokenTree], before: &[String]) {
        for branch in tokens.split(|token| is_punct(Some(token), ',')) {
            let Some(first) = branch.first() else { continue };
            let (written, end) = names(branch, 0);
            let path = [before, &written].concat();
            match branch[end..].iter().find(|token| !is_punct(Some(token), ':')) {
                Some(TokenTree::Group(group)) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    self.import(&inner, &path);
                }
                Some(TokenTree::Ident(_)) => self.bind(branch.last(), path, line(first)),
                Some(_) => self.paths.push((line(first), path)),
                None => self.bind(None, path, line(first)),
            }
        }
    }

    /// `alias` is what follows `as`; else the path's last name, or with `self` the one before it, is the one.
    fn bind(&mut self, alias: Option<&TokenTree>, mut path: Names, line: usize) {
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if path.is_empty() {
            return; // `use ::a`: another crate's
        }
        let name = alias.map_or_else(|| path.last().cloned().unwrap_or_default(), ToString::to_string);
        self.paths.push((line, path.clone()));
        self.imports.insert(name, path);
    }
}

/// The names from `at` that `::` joins, and where they end.
fn names(tokens: &[TokenTree], at: usize) -> (Names, usize) {
    let mut names = Names::new();
    let mut next = at;
    while let Some(TokenTree::Ident(name)) = tokens.get(next) {
        names.push(name.to_string());
        let joined = is_punct(tokens.get(next + 1), ':') && is_punct(tokens.get(next + 2), ':');
        if !joined || !matches!(tokens.get(next + 3), Some(TokenTree::Ident(_))) {
            return (names, next + 1);
        }
        next += 3;
    }
    (names, next.max(at))
}

/// `#[cfg(test)]`, also among others.
fn is_for_tests(tokens: &[TokenTree], at: usize) -> bool {
    let (Some(TokenTree::Group(group)), true) = (tokens.get(at + 1), is_punct(tokens.get(at), '#')) else {
        return false;
    };
    let mut words = Vec::new();
    words_of(group.stream(), &mut words);
    let says = |word: &str| words.iter().any(|said| said == word);
    words.first().is_some_and(|word| word == "cfg") && says("test") && !says("not")
}

fn words_of(tokens: TokenStream, words: &mut Names) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => words.push(word.to_string()),
            TokenTree::Group(group) => words_of(group.stream(), words),
            _ => {}
        }
    }
}

/// Behind the `;` or the `{}` that ends the item at `at`.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let is_use = matches!(tokens.get(at), Some(TokenTree::Ident(word)) if word == "use");
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
        other => is_punct(Some(other), ';'),
    };
    tokens[at..]
        .iter()
        .position(ends)
        .map_or(tokens.len(), |found| at + found + 1)
}

fn follows_a_path(tokens: &[TokenTree], at: usize) -> bool {
    at > 0 && (is_punct(tokens.get(at - 1), ':') && at > 1 && is_punct(tokens.get(at - 2), ':'))
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}
