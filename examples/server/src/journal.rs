//! A journal of executions, written before each one, in which crash tests count executions.
//!
//! Written by `tools` only.
//!
//! Invariant: a line is written to the kernel before the tool does anything, so that no line is lost when this process
//! is killed.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

/// A file of JSON lines, or nothing.
pub(crate) struct Journal(Option<Mutex<File>>);

impl Journal {
    /// Opens `path` for appending; without a path, `record` does nothing.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path| File::options().create(true).append(true).open(path);
        Ok(Self(path.map(open).transpose()?.map(Mutex::new)))
    }

    /// Records that `tool` is about to run with `key`.
    pub(crate) fn record(&self, tool: &str, key: Option<&str>) -> io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        let line = format!("{}\n", json!({"tool": tool, "key": key}));
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_appends_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        for key in [Some("a"), None] {
            Journal::open(Some(&path)).unwrap().record("fail", key).unwrap();
        }
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            lines,
            "{\"key\":\"a\",\"tool\":\"fail\"}\n{\"key\":null,\"tool\":\"fail\"}\n"
        );
    }

    #[test]
    fn without_a_file_nothing_is_recorded_and_nothing_fails() {
        Journal::open(None).unwrap().record("echo", None).unwrap();
    }
}
