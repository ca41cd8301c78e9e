//! What is wrong with a route, for people: the field, what to write, and the line.
//!
//! `load` and `validate` return them. Invariant: a problem names a field.

use std::fmt;

use crate::lines::Lines;

/// One mistake: the field, and what its value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `spec.servers[1].url`.
    pub path: String,
    /// What its value must be.
    pub message: String,
    /// Where it stands in the text, if there is one; counted from 1.
    pub line: Option<usize>,
}

/// All mistakes in a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems; at least one.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    /// The same problems with their lines, in the order of the text.
    #[must_use]
    pub fn at(mut self, lines: &Lines) -> Self {
        for problem in &mut self.0 {
            problem.line = lines.line(&problem.path);
        }
        self.0.sort_by_key(|problem| problem.line);
        self
    }
}

/// At least one.
impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

/// `path: message`, after the line if it is known.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The problems, separated by `; `.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
