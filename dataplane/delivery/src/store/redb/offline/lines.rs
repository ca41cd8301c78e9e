//! The lines of an export, as JSON.
//!
//! Invariant: a line only grows by fields; what an earlier version wrote is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the lines' form.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    pub(super) asyncmcp_store: u32,
    /// The route for which values are encrypted.
    pub(super) route: String,
    pub(super) high_water: u64,
}

/// Bytes as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base64(pub(super) Vec<u8>);

/// A value as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The key that it is encrypted with; 0 is plain.
    pub(super) key: u32,
    pub(super) value: Base64,
}

/// An entry of a job's history.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) value: Base64,
}

/// A job. `exec` and `push` are for people: the header has them, too.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JobLine {
    pub(super) job: String,
    pub(super) exec: String,
    pub(super) push: String,
    pub(super) header: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dedupe: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<Stored>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) params: Option<Stored>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Stored>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Stored>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attempts: Vec<Attempt>,
}

/// A session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SessionLine {
    pub(super) session: Base64,
    pub(super) expires: u64,
    #[serde(flatten)]
    pub(super) row: Stored,
}

/// A line after the first.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Job(Box<JobLine>),
    Session(SessionLine),
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}
