//! The lines of a YAML text on which the fields of its route stand.
//!
//! `load` reads them from a file that a person edits, so that a mistake is found without counting. Invariant: only a hint;
//! a text whose lines cannot be told has none, and everything else works as with them.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

use crate::KIND;

/// The line of each path, counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Those of the first route in `yaml`.
    pub(crate) fn of(yaml: &str) -> Self {
        let mut reader = Reader::default();
        for event in Parser::new_from_str(yaml) {
            let Ok((event, span)) = event else { break };
            if matches!(event, Event::DocumentEnd) {
                if reader.is_route {
                    return Self(reader.lines);
                }
                reader = Reader::default();
            }
            reader.read(&event, span.start.line());
        }
        Self::default()
    }

    /// The line of a field, or of what it is in if it is missing.
    pub(crate) fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// The collections that are open, and what was read of the document.
#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    lines: BTreeMap<String, usize>,
    is_route: bool,
}

/// A map or a list that is being read.
struct Open {
    path: String,
    next: Next,
}

/// What the next node of a collection is.
enum Next {
    Key,
    Value(String),
    Item(usize),
}

impl Reader {
    fn read(&mut self, event: &Event<'_>, line: usize) {
        match event {
            Event::MappingStart(..) => self.open(line, Next::Key),
            Event::SequenceStart(..) => self.open(line, Next::Item(0)),
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
            }
            Event::Scalar(text, ..) => self.scalar(text, line),
            Event::Alias(_) => drop(self.place(line)),
            _ => {}
        }
    }

    fn open(&mut self, line: usize, next: Next) {
        let path = self.place(line);
        self.open.push(Open { path, next });
    }

    fn scalar(&mut self, text: &str, line: usize) {
        if let Some(open @ Open { next: Next::Key, .. }) = self.open.last_mut() {
            open.next = Next::Value(text.to_owned());
            self.lines.insert(join(&open.path, text), line);
        } else {
            let path = self.place(line);
            self.is_route |= path == "kind" && text == KIND;
        }
    }

    /// The path of the node that begins here.
    fn place(&mut self, line: usize) -> String {
        let Some(open) = self.open.last_mut() else {
            return String::new();
        };
        match &mut open.next {
            // A key that is a collection; the strict parser refuses it.
            Next::Key => open.path.clone(),
            Next::Value(key) => {
                let path = join(&open.path, key);
                open.next = Next::Key;
                path
            }
            Next::Item(index) => {
                let path = format!("{}[{index}]", open.path);
                *index += 1;
                self.lines.insert(path.clone(), line);
                path
            }
        }
    }
}

/// The path of a field in an object.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "# a comment
kind: Secret
metadata: {name: other}
---
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata:
  name: a
spec:
  servers:
  - {name: a, url: http://a}
  - name: b
    tools:
      include:
      - one
      - &two two
      - *two
  webhook: {retry: {max: 1}}
";

    #[test]
    fn each_field_of_the_route_has_its_line() {
        let lines = Lines::of(YAML);
        for (path, line) in [
            ("metadata.name", 8),
            ("spec.servers[0].url", 11),
            ("spec.servers[1]", 12),
            ("spec.servers[1].tools.include[1]", 16),
            ("spec.servers[1].tools.include[2]", 17),
            ("spec.webhook.retry.max", 18),
        ] {
            assert_eq!(lines.line(path), Some(line), "{path}");
        }
    }

    #[test]
    fn a_missing_field_has_the_line_of_what_lacks_it() {
        let lines = Lines::of(YAML);
        assert_eq!(lines.line("spec.servers[1].url"), Some(12));
        assert_eq!(lines.line("spec.webhook.retry.exponential.max"), Some(18));
        assert_eq!(lines.line("status"), None);
    }

    #[test]
    fn what_is_no_route_has_no_lines() {
        assert_eq!(Lines::of("kind: Secret\n"), Lines::default());
        assert_eq!(Lines::of("a: [1, "), Lines::default());
    }
}
