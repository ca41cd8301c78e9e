//! `initialize`: its parameters from clients, and its result from servers.
//!
//! Parsed by the endpoint; built and parsed by the client for servers and by the client library.
//!
//! Invariant: everything that is kept is bounded, because an encrypted session id contains it.

use serde_json::json;
use serde_json::value::RawValue;

use crate::raw::{self, RawObject};
use crate::tasks;
use crate::version::{Era, Version};

mod capabilities;
#[cfg(test)]
mod tests;

pub use capabilities::{ClientCapabilities, TASKS_EXTENSION};

/// Maximum length of the receiver's URL, in bytes.
pub const MAX_WEBHOOK_URL: usize = 1024;
/// Maximum length of a client's name and of its version, in bytes; longer ones are truncated.
pub const MAX_CLIENT_INFO: usize = 128;

/// The name and version that a client or server reports. Shown to people, never trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Implementation {
    /// The name of the program.
    pub name: String,
    /// The version of the program.
    pub version: String,
}

/// The parameters of `initialize`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitializeParams {
    /// The requested protocol version, known or not.
    pub protocol_version: String,
    /// The capabilities that the client declares.
    pub capabilities: ClientCapabilities,
    /// The client's name and version, each truncated to [`MAX_CLIENT_INFO`] bytes.
    pub client_info: Implementation,
    /// The receiver of this session's webhooks: `_meta.webhookUrl` (asyncmcp). Not checked against the route yet.
    pub webhook_url: Option<String>,
}

/// Why an `initialize` request or its result is invalid.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is missing or has the wrong type.
    #[error("`{field}` is missing or not {expected}")]
    Field {
        /// The path of the field.
        field: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// The receiver's URL is too long.
    #[error("`_meta.webhookUrl` is longer than {MAX_WEBHOOK_URL} bytes; use a shorter URL")]
    WebhookUrlTooLong,
    /// An object in it is invalid.
    #[error("`{field}` {source}")]
    Object {
        /// The path of the field.
        field: &'static str,
        /// Why the object is invalid.
        #[source]
        source: raw::Error,
    },
}

impl InitializeParams {
    /// Parses the `params` of an `initialize` request.
    pub fn parse(params: &RawObject) -> Result<Self, Error> {
        let capabilities = object(params, "capabilities")?.ok_or(Error::Field {
            field: "capabilities",
            expected: "an object",
        })?;
        Ok(Self {
            protocol_version: protocol_version(params)?,
            capabilities: ClientCapabilities::parse(&capabilities),
            client_info: client_info(params)?,
            webhook_url: webhook_url(params)?,
        })
    }

    /// Serializes the `params`.
    pub fn to_params(&self) -> RawObject {
        let mut params = RawObject::new();
        params.set_value("protocolVersion", &self.protocol_version);
        params.set("capabilities", self.capabilities.to_raw());
        params.set("clientInfo", self.client_info.to_raw());
        if let Some(url) = &self.webhook_url {
            let mut meta = RawObject::new();
            meta.set_value("webhookUrl", url);
            params.set("_meta", meta.to_raw());
        }
        params
    }
}

impl Implementation {
    /// Creates one from a name and a version.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }

    /// Reads one, leniently: what is missing or no string is empty. Bounded by [`MAX_CLIENT_INFO`].
    pub(crate) fn lenient(info: &RawObject) -> Self {
        let text = |key| info.text(key).map(cut).unwrap_or_default();
        Self {
            name: text("name"),
            version: text("version"),
        }
    }

    pub(crate) fn to_raw(&self) -> Box<RawValue> {
        let mut info = RawObject::new();
        info.set_value("name", &self.name);
        info.set_value("version", &self.version);
        info.to_raw()
    }
}

/// The result of `initialize`.
#[derive(Clone, Debug)]
pub struct InitializeResult {
    /// The protocol version that the server selected.
    pub protocol_version: String,
    /// The server's capabilities, one level deep.
    pub capabilities: RawObject,
    /// The server's name and version; empty if it does not report them.
    pub server_info: Implementation,
    /// Instructions for a model on how to use the server.
    pub instructions: Option<String>,
}

impl InitializeResult {
    /// The gateway's result. Its capabilities are constant, so that a server that becomes ready later does not require
    /// new sessions.
    pub fn of_gateway(version: Version, server_version: &str, instructions: Option<String>) -> Self {
        let mut capabilities = RawObject::new();
        for (offered, how) in [
            ("tools", json!({"listChanged": true})),
            ("prompts", json!({"listChanged": true})),
            ("resources", json!({"subscribe": true, "listChanged": true})),
            ("completions", json!({})),
            ("logging", json!({})),
        ] {
            capabilities.set(offered, raw::raw(&how));
        }
        Self {
            protocol_version: version.to_string(),
            capabilities,
            server_info: Implementation::new("asyncmcp", server_version),
            instructions: instructions.filter(|text| !text.is_empty()),
        }
    }

    /// The same without what needs a session: log levels, subscriptions and notifications of changed lists.
    #[must_use]
    pub fn without_sessions(mut self) -> Self {
        for offered in ["tools", "prompts", "resources"] {
            self.capabilities.set(offered, RawObject::new().to_raw());
        }
        self.capabilities.remove("logging");
        self
    }

    /// Offers to run calls of tools as tasks, as the result's version knows it; `lists` is whether a client may list its own.
    /// Versions before 2025-11-25 know no tasks.
    #[must_use]
    pub fn offering_tasks(mut self, lists: bool) -> Self {
        match Version::parse(&self.protocol_version) {
            Some(version) if version.has_requested_tasks() => {
                let mut tasks = json!({"cancel": {}, "requests": {"tools": {"call": {}}}});
                if lists {
                    tasks["list"] = json!({});
                }
                self.capabilities.set("tasks", raw::raw(&tasks));
            }
            Some(version) if version.era() == Era::Modern => {
                let extensions = json!({tasks::EXTENSION: {}});
                self.capabilities.set("extensions", raw::raw(&extensions));
            }
            _ => {}
        }
        self
    }

    /// Parses a server's `result`, leniently where nothing depends on a field, because servers differ.
    pub fn parse(result: &RawValue) -> Result<Self, Error> {
        let result = RawObject::parse(result.get().as_bytes()).map_err(|source| Error::Object {
            field: "result",
            source,
        })?;
        let info = object(&result, "serverInfo").ok().flatten().unwrap_or_default();
        Ok(Self {
            protocol_version: protocol_version(&result)?,
            capabilities: object(&result, "capabilities")?.unwrap_or_default(),
            server_info: Implementation {
                name: info.text("name").unwrap_or_default(),
                version: info.text("version").unwrap_or_default(),
            },
            instructions: result.text("instructions").filter(|text| !text.is_empty()),
        })
    }

    /// Whether the server supports tools.
    pub fn has_tools(&self) -> bool {
        self.capabilities.get("tools").is_some()
    }

    /// Serializes the `result`.
    pub fn to_raw(&self) -> Box<RawValue> {
        let mut result = RawObject::new();
        result.set_value("protocolVersion", &self.protocol_version);
        result.set("capabilities", self.capabilities.to_raw());
        result.set("serverInfo", self.server_info.to_raw());
        if let Some(instructions) = &self.instructions {
            result.set_value("instructions", instructions);
        }
        result.to_raw()
    }
}

fn protocol_version(object: &RawObject) -> Result<String, Error> {
    object.text("protocolVersion").ok_or(Error::Field {
        field: "protocolVersion",
        expected: "a string",
    })
}

fn client_info(params: &RawObject) -> Result<Implementation, Error> {
    let info = object(params, "clientInfo")?.ok_or(Error::Field {
        field: "clientInfo",
        expected: "an object",
    })?;
    let text = |key, field| {
        let expected = "a string";
        info.text(key).map(cut).ok_or(Error::Field { field, expected })
    };
    Ok(Implementation {
        name: text("name", "clientInfo.name")?,
        version: text("version", "clientInfo.version")?,
    })
}

fn webhook_url(params: &RawObject) -> Result<Option<String>, Error> {
    let meta = object(params, "_meta")?.unwrap_or_default();
    match meta.get("webhookUrl").map(|_| meta.text("webhookUrl")) {
        None => Ok(None),
        Some(None) => Err(Error::Field {
            field: "_meta.webhookUrl",
            expected: "a string",
        }),
        Some(Some(url)) if url.len() > MAX_WEBHOOK_URL => Err(Error::WebhookUrlTooLong),
        Some(url) => Ok(url),
    }
}

fn object(parent: &RawObject, field: &'static str) -> Result<Option<RawObject>, Error> {
    parent
        .object(field)
        .map_err(|source| Error::Object { field, source })
}

/// The longest prefix of whole characters within [`MAX_CLIENT_INFO`] bytes.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_CLIENT_INFO));
    text
}
