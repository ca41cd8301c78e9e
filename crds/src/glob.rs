//! Globs over tool names: literal characters, and `*`, which matches any number of characters, including none.
//!
//! The data plane evaluates them for every list and every call. There are no classes, no `?` and no escapes.
//!
//! Invariant: matching takes time linear in the name for a bounded pattern; there is no backtracking blow-up.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pattern over tool names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// Makes a glob from a text; every text is valid.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text the user wrote.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a plain name, which takes precedence over every pattern with a `*`.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// The length of the text before the first `*`; the longer one is the more specific pattern.
    pub fn literal_prefix_len(&self) -> usize {
        self.0.find('*').unwrap_or(self.0.len())
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(name) = name.strip_prefix(first) else {
            return false;
        };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(mut name) = name.strip_suffix(last) else {
            return false;
        };
        // Each middle piece matches as far left as possible, which leaves the most for the pieces after it.
        middle.split('*').all(|piece| match name.find(piece) {
            Some(at) => {
                name = &name[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}

impl AsRef<str> for Glob {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(glob: &str, name: &str, expect: bool) {
        assert_eq!(Glob::new(glob).matches(name), expect, "{glob} on {name}");
    }

    #[test]
    fn a_star_matches_any_number_of_characters_including_none() {
        check("analyze_*", "analyze_", true);
        check("analyze_*", "analyze_all", true);
        check("*_batch", "process_batch", true);
        check("a*b*c", "a-b-b-c", true);
        check("**", "", true);
    }

    #[test]
    fn the_whole_name_must_match() {
        check("analyze", "analyze_all", false);
        check("analyze_*", "reanalyze_all", false);
        check("ab*ba", "aba", false);
        check("a*b*c", "a-c-b", false);
    }

    proptest! {
        #[test]
        fn agrees_with_the_regular_expression(glob in "[ab*]{0,8}", name in "[ab]{0,10}") {
            let regex = regex::Regex::new(&format!("^{}$", glob.replace('*', ".*"))).unwrap();
            prop_assert_eq!(Glob::new(glob).matches(&name), regex.is_match(&name));
        }

        #[test]
        fn replacing_each_star_gives_a_name_that_matches(glob in "[a-z*]{0,12}", run in "[a-z]{0,4}") {
            prop_assert!(Glob::new(glob.clone()).matches(&glob.replace('*', &run)));
        }
    }
}
