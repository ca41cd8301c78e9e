//! Results and errors as modern clients expect them (2026-07-28).
//!
//! The endpoint completes every response with [`complete`], whether a legacy server or the gateway wrote it, and builds
//! the results of `server/discover` and of lists here.
//!
//! Invariant: a member that a result already has is never replaced, and all others keep their bytes.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::code::Code;
use crate::initialize::InitializeResult;
use crate::listing::{self, Entry, Kind};
use crate::message::{Outcome, Response};
use crate::raw::RawObject;
use crate::tools::{self, Tool};
use crate::version::Version;

/// The `_meta` key of a result that contains the server's name and version.
const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// "Resource not found" up to 2025-11-25; not used from 2026-07-28 on.
const NOT_FOUND: i64 = -32002;

/// How long and by whom a result may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caching {
    /// For how long it is fresh, in milliseconds.
    pub ttl_ms: u64,
    /// Whether it is for this client's credentials alone.
    pub is_private: bool,
}

/// Completes a response: a result gets its type, and the code of an error that newer versions do not use is replaced.
/// Returns whether anything was changed.
pub fn complete(response: &mut Response) -> bool {
    let changed = match &response.outcome {
        Outcome::Result(result) => typed(result).map(Outcome::Result),
        Outcome::Error(error) => renumbered(error).map(Outcome::Error),
    };
    let is_changed = changed.is_some();
    if let Some(outcome) = changed {
        response.outcome = outcome;
    }
    is_changed
}

/// The result with its type in front; everything behind it keeps its bytes. `None` where it has one.
pub(crate) fn typed(result: &RawValue) -> Option<Box<RawValue>> {
    let object = RawObject::parse(result.get().as_bytes()).ok()?;
    if object.get("resultType").is_some() {
        return None;
    }
    let members = result.get().strip_prefix('{')?;
    let comma = if object.is_empty() { "" } else { "," };
    RawValue::from_string(format!("{{\"resultType\":\"complete\"{comma}{members}")).ok()
}

pub(crate) fn renumbered(error: &RawValue) -> Option<Box<RawValue>> {
    let mut object = RawObject::parse(error.get().as_bytes()).ok()?;
    let code: i64 = object.get("code")?.get().parse().ok()?;
    if code != NOT_FOUND {
        return None;
    }
    object.set_value("code", &Code::InvalidParams.value());
    Some(object.to_raw())
}

/// The `result` of `tools/list`. Tools lose `execution`, which belongs to the tasks of 2025-11-25.
pub fn tool_list(mut tools: Vec<Tool>, caching: Caching) -> Box<RawValue> {
    tools.iter_mut().for_each(Tool::without_execution);
    let mut result = tools::list(&tools);
    caching.write(&mut result);
    result.to_raw()
}

/// The `result` of another list.
pub fn list(kind: Kind, page: (&[Entry], Option<&str>), caching: Caching) -> Box<RawValue> {
    let mut result = listing::result(kind, page.0, page.1);
    caching.write(&mut result);
    result.to_raw()
}

/// Completes the response to `resources/read` as well, whose result says how long it may be kept: not at all, where its
/// server did not say. Returns whether anything was changed.
pub fn complete_read(response: &mut Response) -> bool {
    let is_completed = complete(response);
    let Outcome::Result(result) = &response.outcome else {
        return is_completed;
    };
    let Ok(mut object) = RawObject::parse(result.get().as_bytes()) else {
        return is_completed;
    };
    let is_read = object.text("resultType").as_deref() == Some("complete");
    if !is_read || (object.get("ttlMs").is_some() && object.get("cacheScope").is_some()) {
        return is_completed;
    }
    for (key, value) in [("ttlMs", "0"), ("cacheScope", "\"private\"")] {
        if object.get(key).is_none() {
            let value = RawValue::from_string(value.to_owned()).expect("it is JSON");
            object.set(key, value);
        }
    }
    response.outcome = Outcome::Result(object.to_raw());
    true
}

/// The `result` of `server/discover`, with what `initialize` would return.
pub fn discover(initialized: &InitializeResult, caching: Caching) -> Box<RawValue> {
    let mut meta = RawObject::new();
    meta.set(META_SERVER_INFO, initialized.server_info.to_raw());
    let mut result = RawObject::new();
    // The same list as in the error for an unknown version: a client that finds no modern one falls back to the others.
    result.set_value("supportedVersions", &Version::ALL);
    result.set("capabilities", initialized.capabilities.to_raw());
    if let Some(instructions) = &initialized.instructions {
        result.set_value("instructions", instructions);
    }
    caching.write(&mut result);
    result.set("_meta", meta.to_raw());
    result.to_raw()
}

impl Caching {
    /// Not at all, unless `is_whole`: what is missing may be there in a moment.
    #[must_use]
    pub fn only_if(self, is_whole: bool) -> Self {
        Self {
            ttl_ms: if is_whole { self.ttl_ms } else { 0 },
            ..self
        }
    }

    /// For this client's credentials alone, where a server says so of what it lists.
    #[must_use]
    pub fn private_if(self, is_private: bool) -> Self {
        Self {
            is_private: self.is_private || is_private,
            ..self
        }
    }

    /// For no longer than this, where a server says how long what it lists may be kept.
    #[must_use]
    pub fn at_most(self, ttl: Option<Duration>) -> Self {
        let ttl = ttl.map_or(u64::MAX, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        Self {
            ttl_ms: self.ttl_ms.min(ttl),
            ..self
        }
    }

    fn write(self, result: &mut RawObject) {
        result.set_value("ttlMs", &self.ttl_ms);
        let scope = if self.is_private { "private" } else { "public" };
        result.set_value("cacheScope", scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn completed(outcome: &str) -> String {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,{outcome}}}"#);
        let Ok(Message::Response(mut response)) = Message::parse(text.as_bytes()) else {
            panic!("no response: {text}")
        };
        complete(&mut response);
        let text = String::from_utf8(response.to_bytes()).unwrap();
        let outcome = text.strip_prefix(r#"{"jsonrpc":"2.0","id":1,"#).unwrap();
        outcome.strip_suffix('}').unwrap().to_owned()
    }

    #[test]
    fn a_result_gets_its_type_and_keeps_every_byte() {
        for (result, expected) in [
            (
                r#"{ "content":[ ], "n":1e400, "\u0061":{ } }"#,
                r#"{"resultType":"complete", "content":[ ], "n":1e400, "\u0061":{ } }"#,
            ),
            ("{}", r#"{"resultType":"complete"}"#),
            ("{ }", r#"{"resultType":"complete" }"#),
            (r#"{"resultType":"x"}"#, r#"{"resultType":"x"}"#),
            ("[ ]", "[ ]"),
        ] {
            assert_eq!(
                completed(&format!("\"result\":{result}")),
                format!("\"result\":{expected}")
            );
        }
    }

    #[test]
    fn what_was_read_says_how_long_it_may_be_kept() {
        let read = |result: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            let Ok(Message::Response(mut response)) = Message::parse(text.as_bytes()) else {
                panic!("no response: {text}")
            };
            complete_read(&mut response);
            let Outcome::Result(result) = response.outcome else {
                panic!("no result")
            };
            result.get().to_owned()
        };
        assert_eq!(
            read(r#"{"contents":[ 1.0 ]}"#),
            r#"{"resultType":"complete","contents":[ 1.0 ],"ttlMs":0,"cacheScope":"private"}"#
        );
        for untouched in [
            r#"{ "resultType":"complete","contents":[ ],"ttlMs":7,"cacheScope":"public"}"#,
            r#"{ "resultType":"input_required","inputRequests":{ }}"#,
        ] {
            assert_eq!(read(untouched), untouched);
        }
    }

    #[test]
    fn only_the_code_that_is_gone_is_replaced() {
        for (error, expected) in [
            (
                r#"{"code":-32002,"message":"m","data":{ }}"#,
                r#"{"code":-32602,"message":"m","data":{ }}"#,
            ),
            (
                r#"{ "code":-32001, "message":"m"}"#,
                r#"{ "code":-32001, "message":"m"}"#,
            ),
        ] {
            assert_eq!(
                completed(&format!("\"error\":{error}")),
                format!("\"error\":{expected}")
            );
        }
    }

    #[test]
    fn a_discovery_names_every_version_and_what_initialize_names() {
        let initialized =
            InitializeResult::of_gateway(Version::V2026_07_28, "1.2.3", Some("say please".into()));
        let caching = Caching {
            ttl_ms: 5,
            is_private: true,
        };
        assert_eq!(
            discover(&initialized, caching).get(),
            concat!(
                r#"{"supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"#,
                r#""capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}},"instructions":"say please","#,
                r#""ttlMs":5,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":"#,
                r#"{"name":"asyncmcp","version":"1.2.3"}}}"#
            )
        );
    }

    #[test]
    fn listed_tools_lose_execution_alone() {
        let tool = r#"{"name":"t","inputSchema":{ "type":"object" },"execution":{"taskSupport":"optional"},"x":1e400}"#;
        let tool = Tool::parse(serde_json::from_str(tool).unwrap()).unwrap();
        let caching = Caching {
            ttl_ms: 0,
            is_private: false,
        };
        assert_eq!(
            tool_list(vec![tool], caching).get(),
            r#"{"tools":[{"name":"t","inputSchema":{ "type":"object" },"x":1e400}],"ttlMs":0,"cacheScope":"public"}"#
        );
    }
}
