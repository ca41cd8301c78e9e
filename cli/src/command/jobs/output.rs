//! How `asyncmcp jobs` writes what the API answered.
//!
//! Invariant: one document on standard output, whatever the format; `name` is made for other commands to read.

use std::io;

use clap::ValueEnum;
use serde_json::Value;

use super::{print, show};

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Human-readable.
    Table,
    /// The same with more columns.
    Wide,
    /// Ids alone, one per line.
    Name,
    /// The response of the jobs API.
    Json,
    /// The same as YAML.
    Yaml,
}

impl Output {
    /// Whether people read it.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// Writes a document that is not for people.
    pub(super) fn document(self, value: &Value) -> anyhow::Result<()> {
        match self {
            Self::Yaml => print::line(serde_yaml::to_string(value)?.trim_end())?,
            Self::Table | Self::Wide | Self::Name | Self::Json => print::line(value)?,
        }
        Ok(())
    }

    /// Writes the ids of these jobs.
    pub(super) fn names(jobs: &[Value]) -> io::Result<()> {
        jobs.iter()
            .try_for_each(|job| print::line(show::text(&job["id"])))
    }
}
