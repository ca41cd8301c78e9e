//! The list of problems found so far, and the checks that many fields share.
//!
//! Invariant: a check adds a problem or does nothing; it never prevents other checks.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::Duration;
use crate::form::{self, Form};
use crate::problem::Problem;

/// Problems in the order in which they were found.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Problem>);

impl Findings {
    /// Adds a problem.
    pub(super) fn add(&mut self, path: impl Display, message: impl Into<String>) {
        self.0.push(Problem {
            path: path.to_string(),
            message: message.into(),
            line: None,
        });
    }

    /// Adds a problem unless the rule holds.
    pub(super) fn require(&mut self, holds: bool, path: impl Display, message: &str) {
        if !holds {
            self.add(path, message);
        }
    }

    /// Requires a text to match its format.
    pub(super) fn form(&mut self, path: impl Display, form: &Form, text: &str) {
        if let Some(fault) = form.fault(text) {
            self.add(path, fault);
        }
    }

    /// Requires each text of a list to match its format, and limits the length of the list.
    pub(super) fn forms<T: AsRef<str>>(&mut self, path: &str, form: &Form, max: usize, texts: Option<&[T]>) {
        let texts = texts.unwrap_or_default();
        self.count(path, 0..=max, texts.len());
        for (index, text) in texts.iter().enumerate() {
            self.form(format_args!("{path}[{index}]"), form, text.as_ref());
        }
    }

    /// Requires the length of a list to be in a range.
    pub(super) fn count(&mut self, path: &str, range: RangeInclusive<usize>, count: usize) {
        if count < *range.start() {
            self.add(path, format!("must have at least {} item", range.start()));
        } else if count > *range.end() {
            self.add(
                path,
                format!("must have at most {} items, but has {count}", range.end()),
            );
        }
    }

    /// Requires a number to be in a range.
    pub(super) fn range(&mut self, path: impl Display, range: RangeInclusive<u32>, number: u32) {
        if !range.contains(&number) {
            self.add(
                path,
                format!(
                    "must be between {} and {}, but is {number}",
                    range.start(),
                    range.end()
                ),
            );
        }
    }

    /// Requires a number, if it is set, to be in a range.
    pub(super) fn maybe_range(
        &mut self,
        path: impl Display,
        range: RangeInclusive<u32>,
        number: Option<u32>,
    ) {
        if let Some(number) = number {
            self.range(path, range, number);
        }
    }

    /// Requires a duration to be longer than zero.
    pub(super) fn not_zero(&mut self, path: impl Display, duration: Option<&Duration>) {
        let is_zero = duration.is_some_and(|duration| duration.as_std().is_zero());
        self.require(!is_zero, path, form::NOT_ZERO);
    }

    /// Requires exactly one member of a union.
    pub(super) fn exactly_one(&mut self, path: &str, members: &[&str], given: &[bool]) {
        let holds = given.iter().filter(|given| **given).count() == 1;
        self.require(holds, path, &form::one_of_message(members));
    }

    /// Requires unique names in a list; the problem is reported at the second of two equal names.
    pub(super) fn unique<'a>(&mut self, path: &str, names: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            if !seen.insert(name.to_ascii_lowercase()) {
                self.add(
                    format_args!("{path}[{index}].name"),
                    format!("duplicate name {name:?}; names must be unique"),
                );
            }
        }
    }

    /// Requires a URL to match its format and to parse.
    pub(super) fn url(&mut self, path: &str, form: &Form, url: Option<&str>) {
        let Some(text) = url else { return };
        let before = self.0.len();
        self.form(path, form, text);
        if self.0.len() == before
            && let Err(error) = url::Url::parse(text)
        {
            self.add(path, format!("is not a URL ({error}); {}", form.message()));
        }
    }
}
