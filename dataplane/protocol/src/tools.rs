//! The tools of servers: what they say of themselves, and what of them is edited for clients.
//!
//! The catalogue reads and edits them, and creates the list for clients.
//!
//! Invariant: only the name, `outputSchema`, `execution` and one `_meta` key of a valid tool are ever changed.

mod params;

use serde_json::json;
use serde_json::value::RawValue;

pub use self::params::HeaderParam;
use crate::listing::{self, Entry, Kind};
use crate::raw::{self, RawObject};
use crate::tasks::Support;

/// The `_meta` key that marks a tool whose result is delivered by webhook; its value is `"webhook"`.
pub const META_DELIVERY: &str = "dev.asyncmcp/delivery";
/// Maximum length of a tool name.
pub const MAX_NAME: usize = 128;

/// A tool, of which only the first level is parsed.
#[derive(Clone, Debug)]
pub struct Tool(Entry);

impl From<Entry> for Tool {
    /// An entry of a list of tools.
    fn from(entry: Entry) -> Self {
        Self(entry)
    }
}

/// A tool's hints about repeated calls. The server sets them; the route decides whether they are trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// A second call has no further effect.
    pub idempotent: bool,
    /// A call changes nothing.
    pub read_only: bool,
}

impl Tool {
    /// Parses a tool; `None` if it is not an object with exactly one string `name`.
    pub fn parse(tool: &RawValue) -> Option<Self> {
        Entry::parse(Kind::Tools, tool).map(Self)
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.0.key()
    }

    /// Changes the name in place.
    pub fn rename(&mut self, name: &str) {
        self.0.rename(name);
    }

    /// Marks the tool as one whose result is delivered by webhook. Removes the output schema, because SDKs validate
    /// results and an acknowledgement does not match it. Removes `execution` as well: what it says is about the server, and
    /// the gateway decides whether to call the tool as a task there.
    pub fn deliver_by_webhook(&mut self) {
        let object = self.0.object_mut();
        object.remove("outputSchema");
        object.remove("execution");
        // A `_meta` that is not an object is invalid and is replaced.
        let mut meta = object.object("_meta").ok().flatten().unwrap_or_default();
        meta.set_value(META_DELIVERY, "webhook");
        object.set("_meta", meta.to_raw());
    }

    /// Says that a client may call the tool as a task (2025-11-25).
    pub fn offer_as_task(&mut self) {
        let support = raw::raw(&json!({"taskSupport": "optional"}));
        self.0.object_mut().set("execution", support);
    }

    /// Removes `execution`: modern clients know no tasks of 2025-11-25.
    pub fn without_execution(&mut self) {
        self.0.object_mut().remove("execution");
    }

    /// Whether the result is delivered by webhook.
    pub fn is_delivered_by_webhook(&self) -> bool {
        let meta = self.object().object("_meta").ok().flatten();
        meta.and_then(|meta| meta.text(META_DELIVERY)).as_deref() == Some("webhook")
    }

    /// The hints about repeated calls.
    pub fn annotations(&self) -> Annotations {
        let hints = self.object().object("annotations").ok().flatten();
        let hints = hints.unwrap_or_default();
        let says = |hint| hints.get(hint).is_some_and(|value| value.get() == "true");
        Annotations {
            idempotent: says("idempotentHint"),
            read_only: says("readOnlyHint"),
        }
    }

    /// The arguments that a modern call repeats in its headers.
    pub fn header_params(&self) -> Vec<HeaderParam> {
        header_params(&self.0)
    }

    /// Whether the tool can or must be called as a task.
    pub fn task_support(&self) -> Support {
        Support::of(self.object().object("execution").ok().flatten().as_ref())
    }

    /// The tool's JSON object.
    pub fn object(&self) -> &RawObject {
        self.0.object()
    }
}

/// The arguments of a listed tool that a modern call repeats in its headers.
pub fn header_params(tool: &Entry) -> Vec<HeaderParam> {
    let schema = tool.object().object("inputSchema").ok().flatten();
    schema.map_or_else(Vec::new, |schema| HeaderParam::all(&schema))
}

/// The `result` of `tools/list` with all tools on one page.
pub fn list_result<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> Box<RawValue> {
    list(tools).to_raw()
}

/// The same as an object, for more members.
pub(crate) fn list<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> RawObject {
    listing::result(Kind::Tools, tools.into_iter().map(|Tool(entry)| entry), None)
}

/// Whether `name` is a valid tool name: `[A-Za-z0-9_.-]{1,128}` (SEP-986).
pub fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Page;

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
        let page = Page::parse(Kind::Tools, serde_json::from_str(&list).unwrap()).unwrap();
        let tools: Vec<_> = page.entries.into_iter().map(Tool::from).collect();
        assert_eq!(list_result(&tools).get(), list);
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
