//! The formats in which commands write what they found: one flag, `-o`, with the same names everywhere.
//!
//! Used by every subcommand with a result. Invariant: one document on standard output, whatever the format; `name` is made for
//! other commands to read.

use std::io;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::Value;

use super::print;

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Human-readable.
    #[value(alias = "text")]
    Table,
    /// The same with more columns.
    Wide,
    /// Names or ids alone, one per line.
    Name,
    /// As JSON.
    Json,
    /// The same as YAML.
    Yaml,
}

/// The names of all formats.
pub(crate) const ALL: [&str; 5] = ["table", "wide", "name", "json", "yaml"];

/// Some of the formats, for a command to which the others mean nothing.
pub(crate) fn one_of(names: &'static [&'static str]) -> impl TypedValueParser<Value = Output> {
    PossibleValuesParser::new(names)
        .map(|name| Output::from_str(&name, false).expect("the parser lets only names of formats through"))
}

impl Output {
    /// Whether people read it.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// Writes a document that is not for people.
    pub(crate) fn document(self, value: &Value) -> anyhow::Result<()> {
        match self {
            Self::Yaml => print::line(serde_yaml::to_string(value)?.trim_end())?,
            Self::Table | Self::Wide | Self::Name | Self::Json => print::line(value)?,
        }
        Ok(())
    }

    /// Writes one of several documents: a line of JSON, or a YAML document that begins with `---`.
    pub(crate) fn one_more(self, value: &Value) -> anyhow::Result<()> {
        if self == Self::Yaml {
            print::line("---")?;
        }
        self.document(value)
    }

    /// Writes this field of each item.
    pub(crate) fn names(items: &[Value], field: &str) -> io::Result<()> {
        items
            .iter()
            .try_for_each(|item| print::line(print::text(&item[field])))
    }
}
