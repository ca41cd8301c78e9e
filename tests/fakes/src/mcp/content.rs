//! What the server offers beside tools: prompts, resources and their templates, and completion.
//!
//! Invariant: a capability is declared exactly where there is something of it.

use serde_json::{Value, json};

use super::{McpServer, Seen};

/// What it has. Change it at any time.
#[derive(Debug, Default)]
pub struct Content {
    /// Its prompts, as it lists them.
    pub prompts: Vec<Value>,
    /// Its resources.
    pub resources: Vec<Value>,
    /// Its resource templates.
    pub templates: Vec<Value>,
    /// The URIs that begin like this can be read without being listed.
    pub readable: Vec<&'static str>,
    /// Whether it completes arguments.
    pub completes: bool,
    /// Entries on one page of these lists; all if 0.
    pub page: usize,
}

/// A prompt of this name.
pub fn prompt(name: &str) -> Value {
    json!({"name": name, "arguments": [{"name": "topic", "required": true}]})
}

/// A resource of this URI.
pub fn resource(uri: &str) -> Value {
    json!({"uri": uri, "name": uri, "mimeType": "text/plain"})
}

/// A resource template.
pub fn template(uri: &str) -> Value {
    json!({"uriTemplate": uri, "name": uri})
}

/// The answer, where the method is about any of it: a result, or an error's code and message.
pub(super) fn answer(server: &McpServer, seen: &Seen) -> Option<Result<Value, (i64, &'static str)>> {
    let content = &server.nature().content;
    let params = &seen.body["params"];
    let page = |member, entries: &[Value]| Some(Ok(list(member, entries, params, content.page)));
    match seen.method() {
        "prompts/list" => page("prompts", &content.prompts),
        "resources/list" => page("resources", &content.resources),
        "resources/templates/list" => page("resourceTemplates", &content.templates),
        "prompts/get" => Some(content.get(params)),
        "resources/read" => Some(content.read(params, &server.url)),
        "completion/complete" if content.completes => Some(Ok(complete(params))),
        _ => None,
    }
}

impl Content {
    /// The capabilities that it declares.
    pub(super) fn capabilities(&self) -> Vec<&'static str> {
        let listed = [&self.resources, &self.templates];
        let has_resources = !self.readable.is_empty() || listed.iter().any(|list| !list.is_empty());
        let offered = [
            ("prompts", !self.prompts.is_empty()),
            ("resources", has_resources),
            ("completions", self.completes),
        ];
        let offered = offered.into_iter().filter(|(_, is_offered)| *is_offered);
        offered.map(|(name, _)| name).collect()
    }

    fn get(&self, params: &Value) -> Result<Value, (i64, &'static str)> {
        if !self.prompts.iter().any(|prompt| prompt["name"] == params["name"]) {
            return Err((-32602, "unknown prompt"));
        }
        let text = json!({"type": "text", "text": format!("{} {}", params["name"], params["arguments"])});
        Ok(json!({"messages": [{"role": "user", "content": text}]}))
    }

    fn read(&self, params: &Value, server: &str) -> Result<Value, (i64, &'static str)> {
        let uri = params["uri"].as_str().unwrap_or_default();
        let is_listed = self.resources.iter().any(|resource| resource["uri"] == uri);
        if !is_listed && !self.readable.iter().any(|prefix| uri.starts_with(prefix)) {
            return Err((-32002, "Resource not found"));
        }
        Ok(json!({"contents": [{"uri": uri, "text": server}]}))
    }
}

fn list(member: &str, entries: &[Value], params: &Value, page: usize) -> Value {
    let at = params["cursor"].as_str().unwrap_or("0");
    let at: usize = at.parse().expect("a cursor of its own");
    let page = if page == 0 { usize::MAX } else { page };
    let shown: Vec<_> = entries.iter().skip(at).take(page).collect();
    let mut result = json!({member: shown});
    let next = at.saturating_add(page);
    if next < entries.len() {
        result["nextCursor"] = next.to_string().into();
    }
    result
}

fn complete(params: &Value) -> Value {
    let reference = &params["ref"];
    let named = if reference["name"].is_null() {
        &reference["uri"]
    } else {
        &reference["name"]
    };
    json!({"completion": {"values": [named], "hasMore": false}})
}
