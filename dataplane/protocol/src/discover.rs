//! `server/discover`: how a modern server describes itself (MCP 2026-07-28, Discovery).
//!
//! Written by the endpoint; read by the client for servers.
//!
//! Invariant: the gateway's description depends on no server being there, except for their instructions.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::initialize::Implementation;
use crate::modern::META_SERVER_INFO;
use crate::raw::{self, RawObject};
use crate::version::{Era, Version};

/// What a server says about itself.
#[derive(Clone, Debug)]
pub struct DiscoverResult {
    /// The names of the versions that it speaks, known or not.
    pub versions: Vec<String>,
    /// Its capabilities, one level deep.
    pub capabilities: RawObject,
    /// Instructions for a model on how to use it.
    pub instructions: Option<String>,
}

impl DiscoverResult {
    /// The gateway's, which it speaks itself.
    pub fn of_gateway(instructions: Option<String>) -> Self {
        let mut capabilities = RawObject::new();
        // No `listChanged`: that comes with `subscriptions/listen`.
        capabilities.set("tools", RawObject::new().to_raw());
        Self {
            versions: Version::ALL.map(|version| version.to_string()).to_vec(),
            capabilities,
            instructions,
        }
    }

    /// Reads a server's `result`; `None` where it is none of this method.
    pub fn parse(result: &RawValue) -> Option<Self> {
        let result = RawObject::parse(result.get().as_bytes()).ok()?;
        Some(Self {
            versions: serde_json::from_str(result.get("supportedVersions")?.get()).ok()?,
            capabilities: result.object("capabilities").ok().flatten().unwrap_or_default(),
            instructions: result.text("instructions").filter(|text| !text.is_empty()),
        })
    }

    /// The newest modern version that both sides speak.
    pub fn modern_version(&self) -> Option<Version> {
        let known = self.versions.iter().filter_map(|name| Version::parse(name));
        known.filter(|version| version.era() == Era::Modern).max()
    }

    /// The gateway's `result`, which a client may keep for `ttl`.
    pub fn to_raw(&self, server_version: &str, ttl: Duration) -> Box<RawValue> {
        let mut result = RawObject::new();
        result.set_value("supportedVersions", &self.versions);
        result.set("capabilities", self.capabilities.to_raw());
        if let Some(instructions) = &self.instructions {
            result.set_value("instructions", instructions);
        }
        let mut meta = RawObject::new();
        let info = Implementation::new("asyncmcp", server_version);
        meta.set(META_SERVER_INFO, info.to_raw());
        result.set("_meta", meta.to_raw());
        cacheable(&mut result, ttl);
        result.to_raw()
    }
}

/// Lets a client keep a result for `ttl`, for itself only: another may see other tools.
pub fn cacheable(result: &mut RawObject, ttl: Duration) {
    result.set_value("resultType", "complete");
    let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    result.set("ttlMs", raw::raw(&ttl));
    result.set_value("cacheScope", "private");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_lists_both_eras_and_reads_what_it_writes() {
        let written =
            DiscoverResult::of_gateway(Some("Be kind.".to_owned())).to_raw("9", Duration::from_mins(1));
        let json: serde_json::Value = serde_json::from_str(written.get()).unwrap();
        assert_eq!(json["supportedVersions"][0], "2026-07-28");
        assert_eq!(json["supportedVersions"].as_array().unwrap().len(), 4);
        assert_eq!(json["resultType"], "complete");
        assert_eq!(
            (&json["ttlMs"], &json["cacheScope"]),
            (&60_000.into(), &"private".into())
        );
        assert_eq!(json["_meta"][META_SERVER_INFO]["version"], "9");
        let read = DiscoverResult::parse(&written).unwrap();
        assert_eq!(read.modern_version(), Some(Version::V2026_07_28));
        assert_eq!(read.instructions.as_deref(), Some("Be kind."));
    }

    #[test]
    fn a_server_without_a_modern_version_that_we_know_has_none() {
        for (result, version) in [
            (r#"{"supportedVersions":["2025-11-25"]}"#, None),
            (r#"{"supportedVersions":["2031-01-01"]}"#, None),
            (r#"{"supportedVersions":[]}"#, None),
            (
                r#"{"supportedVersions":["2031-01-01","2026-07-28"]}"#,
                Some(Version::V2026_07_28),
            ),
        ] {
            let result: Box<RawValue> = serde_json::from_str(result).unwrap();
            assert_eq!(DiscoverResult::parse(&result).unwrap().modern_version(), version);
        }
        for result in ["{}", "[]", r#"{"supportedVersions":7}"#] {
            let result: Box<RawValue> = serde_json::from_str(result).unwrap();
            assert!(DiscoverResult::parse(&result).is_none());
        }
    }
}
