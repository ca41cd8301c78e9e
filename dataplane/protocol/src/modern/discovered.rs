//! What a modern server says of itself: the result of `server/discover`.
//!
//! Read by the client for servers.
//!
//! Invariant: a server is modern only if it names a modern version that is known here.

use serde_json::value::RawValue;

use crate::offers::Offers;
use crate::raw::RawObject;
use crate::tasks;
use crate::version::{Era, Version};

/// A modern server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// The newest version that it and the gateway speak.
    pub version: Version,
    /// Instructions for a model on how to use it.
    pub instructions: Option<String>,
    /// What it offers.
    pub offers: Offers,
    /// Whether it offers the tasks extension.
    pub tasks: bool,
}

impl Discovered {
    /// Reads the `result`; `None` where it is not one of a modern server.
    pub fn parse(result: &RawValue) -> Option<Self> {
        let result = RawObject::parse(result.get().as_bytes()).ok()?;
        let names: Vec<String> = serde_json::from_str(result.get("supportedVersions")?.get()).ok()?;
        let known = names.iter().filter_map(|name| Version::parse(name));
        let capabilities = result.object("capabilities").ok().flatten().unwrap_or_default();
        let extensions = capabilities.object("extensions").ok().flatten();
        Some(Self {
            tasks: extensions.is_some_and(|all| all.get(tasks::EXTENSION).is_some()),
            version: known.filter(|version| version.era() == Era::Modern).max()?,
            instructions: result.text("instructions").filter(|text| !text.is_empty()),
            offers: Offers::of(&capabilities),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(result: &str) -> Option<Version> {
        let result: Box<RawValue> = serde_json::from_str(result).unwrap();
        Discovered::parse(&result).map(|server| server.version)
    }

    #[test]
    fn tasks_are_offered_as_an_extension() {
        for (capabilities, offered) in [
            (r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#, true),
            (r#"{"extensions":{"io.modelcontextprotocol/ui":{}}}"#, false),
            (r#"{"tasks":{}}"#, false),
        ] {
            let result = format!(r#"{{"supportedVersions":["2026-07-28"],"capabilities":{capabilities}}}"#);
            let result: Box<RawValue> = serde_json::from_str(&result).unwrap();
            assert_eq!(
                Discovered::parse(&result).unwrap().tasks,
                offered,
                "{capabilities}"
            );
        }
    }

    #[test]
    fn a_server_is_modern_if_it_names_a_modern_version_that_is_known() {
        for modern in [
            r#"{"supportedVersions":["2026-07-28"]}"#,
            r#"{"supportedVersions":["2031-01-01","2026-07-28","2025-11-25"]}"#,
        ] {
            assert_eq!(version(modern), Some(Version::V2026_07_28), "{modern}");
        }
        for other in [
            r#"{"supportedVersions":["2025-11-25"]}"#,
            r#"{"supportedVersions":["2031-01-01"]}"#,
            r#"{"supportedVersions":7}"#,
            "{}",
            "[]",
        ] {
            assert_eq!(version(other), None, "{other}");
        }
    }
}
