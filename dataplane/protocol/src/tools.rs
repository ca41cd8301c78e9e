//! `tools/list`: servers' tools read, edited, and merged into one list.
//!
//! The catalogue reads a server's pages with it and writes the list a client sees.
//!
//! Invariant: of a tool only its name, `outputSchema`, `execution` and one `_meta` key ever change.

use serde_json::value::RawValue;

use crate::raw::{self, RawObject};
use crate::tasks::Support;

/// The `_meta` key that marks a tool whose result comes by webhook; its value is `"webhook"`.
pub const META_DELIVERY: &str = "dev.asyncmcp/delivery";
/// The longest tool name.
pub const MAX_NAME: usize = 128;

/// One tool, one level deep.
#[derive(Clone, Debug)]
pub struct Tool {
    name: String,
    object: RawObject,
}

/// One page of a server's list.
#[derive(Debug, Default)]
pub struct Page {
    /// The tools that can be read.
    pub tools: Vec<Tool>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
    /// Entries without a readable name; they are left out, the others stay.
    pub unreadable: usize,
}

/// A list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The result is no object.
    #[error("the result of tools/list {0}")]
    Result(#[source] raw::Error),
    /// `tools` is missing or no array.
    #[error("`tools` is missing or not an array")]
    Tools,
}

/// What a tool says about repeating it. Hints of the server, believed as far as the route does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Calling it twice does no more than once.
    pub idempotent: bool,
    /// It changes nothing.
    pub read_only: bool,
}

impl Page {
    /// Reads the `result` of a `tools/list`.
    pub fn parse(result: &RawValue) -> Result<Self, Error> {
        let result = RawObject::parse(result.get().as_bytes()).map_err(Error::Result)?;
        let tools = result.get("tools").ok_or(Error::Tools)?;
        let tools: Vec<&RawValue> = serde_json::from_str(tools.get()).map_err(|_| Error::Tools)?;
        let mut page = Self {
            next_cursor: result.text("nextCursor"),
            ..Self::default()
        };
        for tool in tools {
            match Tool::parse(tool) {
                Some(tool) => page.tools.push(tool),
                None => page.unreadable += 1,
            }
        }
        Ok(page)
    }
}

impl Tool {
    /// Reads a tool; `None` where it is no object with one string `name`.
    pub fn parse(tool: &RawValue) -> Option<Self> {
        let object = RawObject::parse(tool.get().as_bytes()).ok()?;
        let name = object.text("name")?;
        Some(Self { name, object })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives it another name, in the same place.
    pub fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.object.set_value("name", name);
    }

    /// Marks it as answered by webhook. The output schema goes, since an acknowledgement
    /// does not fulfil it and every SDK checks. So does `execution`: whether the server runs it as
    /// a task is the gateway's affair, and a client that must ask for a task is not acknowledged.
    pub fn deliver_by_webhook(&mut self) {
        self.object.remove("outputSchema");
        self.object.remove("execution");
        // A `_meta` that is no object means nothing to anyone and gives way.
        let mut meta = self.object.object("_meta").ok().flatten().unwrap_or_default();
        meta.set_value(META_DELIVERY, "webhook");
        self.object.set("_meta", meta.to_raw());
    }

    /// Whether the result comes by webhook.
    pub fn is_delivered_by_webhook(&self) -> bool {
        let meta = self.object.object("_meta").ok().flatten();
        meta.and_then(|meta| meta.text(META_DELIVERY)).as_deref() == Some("webhook")
    }

    /// What it says about repeating it.
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

    /// Whether it may or must be called as a task.
    pub fn task_support(&self) -> Support {
        Support::of(self.object.object("execution").ok().flatten().as_ref())
    }

    /// The tool as an object.
    pub fn object(&self) -> &RawObject {
        &self.object
    }
}

/// The `result` of a `tools/list` on one page.
pub fn list_result<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> Box<RawValue> {
    let tools: Vec<_> = tools.into_iter().map(Tool::object).collect();
    let mut result = RawObject::new();
    result.set_value("tools", &tools);
    result.to_raw()
}

/// Whether clients accept `name`: `[A-Za-z0-9_.-]{1,128}` (SEP-986).
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

    const TOOL: &str = r#"{"title":"T","name":"slow","inputSchema":{ "max":1e400 },"outputSchema":true,"execution":{"taskSupport":"required"},"_meta":{"v":[ 1 ]},"x-vendor":{ }}"#;

    #[test]
    fn a_webhook_tool_changes_in_four_places_only() {
        let mut tool = Tool::parse(serde_json::from_str(TOOL).unwrap()).unwrap();
        assert_eq!(tool.task_support(), Support::Required);
        tool.rename("a_slow");
        tool.deliver_by_webhook();
        assert!(tool.is_delivered_by_webhook());
        assert_eq!(
            list_result([&tool]).get(),
            concat!(
                r#"{"tools":[{"title":"T","name":"a_slow","inputSchema":{ "max":1e400 },"#,
                r#""_meta":{"v":[ 1 ],"dev.asyncmcp/delivery":"webhook"},"x-vendor":{ }}]}"#
            )
        );
    }

    #[test]
    fn a_tool_that_is_left_alone_keeps_its_bytes() {
        let list = format!(r#"{{"tools":[{TOOL}]}}"#);
        let page = page(&list).unwrap();
        assert_eq!(list_result(&page.tools).get(), list);
    }

    #[test]
    fn unreadable_entries_do_not_cost_the_readable_ones() {
        let page = page(r#"{"tools":[5,{"name":7},{"name":"a","name":"b"},{"name":"ok"}],"nextCursor":"n"}"#)
            .unwrap();
        assert_eq!((page.tools.len(), page.unreadable), (1, 3));
        assert_eq!(page.next_cursor.as_deref(), Some("n"));
    }

    #[test]
    fn a_list_without_tools_is_an_error() {
        for json in ["{}", r#"{"tools":{}}"#, "[]"] {
            assert!(page(json).is_err(), "{json}");
        }
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
    fn names_are_those_every_client_accepts() {
        for name in ["a", "A_b-c.9", &"x".repeat(128)] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", "a b", "a/b", "é", &"x".repeat(129)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
