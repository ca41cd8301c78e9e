//! `tools/list`: parses the tools of servers, edits them, and merges them into one list.
//!
//! The catalogue parses the pages of servers with it and creates the list for clients.
//!
//! Invariant: only the name, `outputSchema`, `execution` and one `_meta` key of a valid tool are ever changed; an invalid
//! entry is corrected or left out, and the others are not affected.

mod correct;
mod params;

use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;

pub use self::correct::Flaw;
pub use self::params::HeaderParam;
use crate::raw::{self, RawObject};
use crate::tasks::Support;

/// The `_meta` key that marks a tool whose result is delivered by webhook; its value is `"webhook"`.
pub const META_DELIVERY: &str = "dev.asyncmcp/delivery";
/// Maximum length of a tool name.
pub const MAX_NAME: usize = 128;
/// Maximum number of a server's tools, far more than any model can choose from.
pub const MAX_TOOLS: usize = 4096;

/// A tool, of which only the first level is parsed.
#[derive(Clone, Debug)]
pub struct Tool {
    name: String,
    object: RawObject,
}

/// One page of a server's tool list.
#[derive(Debug, Default)]
pub struct Page {
    /// The valid tools, and those that could be corrected.
    pub tools: Vec<Tool>,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
    /// How long a modern server lets the page be kept.
    pub ttl: Option<Duration>,
    /// The number of entries after the first [`MAX_TOOLS`], which are left out unread.
    pub beyond: usize,
    /// The number of entries without a valid name, which are left out.
    pub unreadable: usize,
    /// The tools that were corrected.
    pub corrected: Vec<Defect>,
    /// The tools that are left out.
    pub left_out: Vec<Defect>,
}

/// A tool that is not as its server listed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The tool's name on its server.
    pub tool: String,
    /// What was wrong with it.
    pub flaw: Flaw,
}

/// Why a tool list is invalid.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The result is not an object.
    #[error("the result of tools/list {0}")]
    Result(#[source] raw::Error),
    /// `tools` is missing or not an array.
    #[error("`tools` is missing or not an array")]
    Tools,
}

/// A tool's hints about repeated calls. The server sets them; the route decides whether they are trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// A second call has no further effect.
    pub idempotent: bool,
    /// A call changes nothing.
    pub read_only: bool,
}

impl Page {
    /// Parses the `result` of `tools/list`.
    pub fn parse(result: &RawValue) -> Result<Self, Error> {
        let result = RawObject::parse(result.get().as_bytes()).map_err(Error::Result)?;
        let tools = result.get("tools").ok_or(Error::Tools)?;
        // Go writes `null` for an empty list.
        let tools: Option<Vec<&RawValue>> = serde_json::from_str(tools.get()).map_err(|_| Error::Tools)?;
        let mut page = Self {
            next_cursor: result.text("nextCursor"),
            ttl: result
                .get("ttlMs")
                .and_then(|ttl| ttl.get().parse().ok())
                .map(Duration::from_millis),
            ..Self::default()
        };
        let mut tools = tools.unwrap_or_default();
        page.beyond = tools.len().saturating_sub(MAX_TOOLS);
        tools.truncate(MAX_TOOLS);
        for tool in tools {
            match Tool::parse(tool) {
                Some(tool) => page.add(tool),
                None => page.unreadable += 1,
            }
        }
        Ok(page)
    }

    fn add(&mut self, mut tool: Tool) {
        let name = tool.name.clone();
        let defect = |flaw| Defect { tool: name, flaw };
        match correct::correct(&mut tool.object) {
            Err(flaw) => return self.left_out.push(defect(flaw)),
            Ok(flaw) => self.corrected.extend(flaw.map(defect)),
        }
        self.tools.push(tool);
    }
}

impl Tool {
    /// Parses a tool; `None` if it is not an object with exactly one string `name`.
    pub fn parse(tool: &RawValue) -> Option<Self> {
        let object = RawObject::parse(tool.get().as_bytes()).ok()?;
        let name = object.text("name")?;
        Some(Self { name, object })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes the name in place.
    pub fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.object.set_value("name", name);
    }

    /// Marks the tool as one whose result is delivered by webhook. Removes the output schema, because SDKs validate
    /// results and an acknowledgement does not match it. Removes `execution` as well: what it says is about the server, and
    /// the gateway decides whether to call the tool as a task there.
    pub fn deliver_by_webhook(&mut self) {
        self.object.remove("outputSchema");
        self.object.remove("execution");
        // A `_meta` that is not an object is invalid and is replaced.
        let mut meta = self.object.object("_meta").ok().flatten().unwrap_or_default();
        meta.set_value(META_DELIVERY, "webhook");
        self.object.set("_meta", meta.to_raw());
    }

    /// Says that a client may call the tool as a task (2025-11-25).
    pub fn offer_as_task(&mut self) {
        self.object
            .set("execution", raw::raw(&json!({"taskSupport": "optional"})));
    }

    /// Removes `execution`: modern clients know no tasks of 2025-11-25.
    pub fn without_execution(&mut self) {
        self.object.remove("execution");
    }

    /// Whether the result is delivered by webhook.
    pub fn is_delivered_by_webhook(&self) -> bool {
        let meta = self.object.object("_meta").ok().flatten();
        meta.and_then(|meta| meta.text(META_DELIVERY)).as_deref() == Some("webhook")
    }

    /// The hints about repeated calls.
    pub fn annotations(&self) -> Annotations {
        let hints = self
            .object
            .object("annotations")
            .ok()
            .flatten()
            .unwrap_or_default();
        let says = |hint| hints.get(hint).is_some_and(|value| value.get() == "true");
        Annotations {
            idempotent: says("idempotentHint"),
            read_only: says("readOnlyHint"),
        }
    }

    /// The arguments that a modern call repeats in its headers.
    pub fn header_params(&self) -> Vec<HeaderParam> {
        let schema = self.object.object("inputSchema").ok().flatten();
        schema.map_or_else(Vec::new, |schema| HeaderParam::all(&schema))
    }

    /// Whether the tool can or must be called as a task.
    pub fn task_support(&self) -> Support {
        Support::of(self.object.object("execution").ok().flatten().as_ref())
    }

    /// The tool's JSON object.
    pub fn object(&self) -> &RawObject {
        &self.object
    }
}

/// The `result` of `tools/list` with all tools on one page.
pub fn list_result<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> Box<RawValue> {
    list(tools).to_raw()
}

/// The same as an object, for more members.
pub(crate) fn list<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> RawObject {
    let tools: Vec<_> = tools.into_iter().map(Tool::object).collect();
    let mut result = RawObject::new();
    result.set_value("tools", &tools);
    result
}

/// Whether `name` is a valid tool name: `[A-Za-z0-9_.-]{1,128}` (SEP-986).
pub fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(json: &str) -> Result<Page, Error> {
        Page::parse(serde_json::from_str(json).unwrap())
    }

    const TOOL: &str = r#"{"title":"T","name":"slow","inputSchema":{ "type":"object", "max":1e400 },"outputSchema":{"type":"object"},"execution":{"taskSupport":"required"},"_meta":{"v":[ 1 ]},"x-vendor":{ }}"#;

    #[test]
    fn a_webhook_tool_is_changed_in_four_places_only() {
        let mut tool = Tool::parse(serde_json::from_str(TOOL).unwrap()).unwrap();
        assert_eq!(tool.task_support(), Support::Required);
        tool.rename("a_slow");
        tool.deliver_by_webhook();
        assert!(tool.is_delivered_by_webhook());
        assert_eq!(tool.task_support(), Support::Forbidden);
        assert_eq!(
            list_result([&tool]).get(),
            concat!(
                r#"{"tools":[{"title":"T","name":"a_slow","inputSchema":{ "type":"object", "max":1e400 },"#,
                r#""_meta":{"v":[ 1 ],"dev.asyncmcp/delivery":"webhook"},"x-vendor":{ }}]}"#
            )
        );
    }

    #[test]
    fn a_webhook_tool_may_be_offered_as_a_task_whatever_its_server_says() {
        let mut tool = Tool::parse(serde_json::from_str(TOOL).unwrap()).unwrap();
        tool.deliver_by_webhook();
        tool.offer_as_task();
        assert_eq!(tool.task_support(), Support::Optional);
    }

    #[test]
    fn an_unchanged_tool_keeps_its_bytes() {
        let list = format!(r#"{{"tools":[{TOOL}]}}"#);
        let page = page(&list).unwrap();
        assert_eq!(list_result(&page.tools).get(), list);
    }

    #[test]
    fn invalid_entries_do_not_affect_the_valid_ones() {
        let page = page(
            r#"{"tools":[5,{"name":7},{"name":"a","name":"b"},{"name":"s","inputSchema":"no"},{"name":"ok"}],"nextCursor":"n"}"#,
        )
        .unwrap();
        assert_eq!((page.tools.len(), page.unreadable), (1, 3));
        let defect = |tool: &str, flaw| Defect {
            tool: tool.to_owned(),
            flaw,
        };
        assert_eq!(page.left_out, [defect("s", Flaw::Input)]);
        assert_eq!(page.corrected, [defect("ok", Flaw::InputType)]);
        assert_eq!(page.next_cursor.as_deref(), Some("n"));
    }

    #[test]
    fn a_list_without_tools_is_an_error() {
        for json in ["{}", r#"{"tools":{}}"#, "[]"] {
            assert!(page(json).is_err(), "{json}");
        }
        assert!(
            page(r#"{"tools":null,"nextCursor":null}"#)
                .unwrap()
                .tools
                .is_empty()
        );
    }

    #[test]
    fn hints_count_only_when_true() {
        let hints = |json: &str| {
            Tool::parse(serde_json::from_str(json).unwrap())
                .unwrap()
                .annotations()
        };
        let both = hints(r#"{"name":"a","annotations":{"idempotentHint":true,"readOnlyHint":true}}"#);
        assert!(both.idempotent && both.read_only);
        let none = hints(r#"{"name":"a","annotations":{"idempotentHint":"true","readOnlyHint":false}}"#);
        assert_eq!(none, Annotations::default());
    }

    #[test]
    fn valid_names_are_those_that_every_client_accepts() {
        for name in ["a", "A_b-c.9", &"x".repeat(128)] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", "a b", "a/b", "é", &"x".repeat(129)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
