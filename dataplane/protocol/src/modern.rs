//! What every modern request says about itself: its headers and the keys of its `_meta` (MCP 2026-07-28, Basic and
//! Streamable HTTP).
//!
//! Checked by the endpoint before it answers; written by the client for servers.
//!
//! Invariant: an [`Envelope`] is of a request whose headers and body agree, so that nobody who read only one of them was
//! deceived.

#[cfg(test)]
mod tests;

use crate::code::Code;
use crate::era::META_PROTOCOL_VERSION;
use crate::header;
use crate::initialize::{ClientCapabilities, Implementation};
use crate::message::Notification;
use crate::raw::RawObject;
use crate::version::{Era, Version};

/// The `_meta` key with the client's name and version.
pub const META_CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// The `_meta` key with the client's capabilities.
pub const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The `_meta` key with the lowest level of log messages that the client wants; without it, it wants none.
pub const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// The `_meta` key of a result with the server's name and version.
pub const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// A header as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// It did not.
    Absent,
    /// Once.
    Text(&'a str),
    /// More than once, or with bytes that no header may have.
    Unusable,
}

/// The headers that repeat what the body says.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Field<'a>,
    /// `Mcp-Method`.
    pub method: Field<'a>,
    /// `Mcp-Name`.
    pub name: Field<'a>,
}

/// What a request says about its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The version it is of.
    pub version: Version,
    /// The client's name and version; empty if it does not give them.
    pub info: Implementation,
    /// What the client can do.
    pub capabilities: ClientCapabilities,
}

/// Why a modern message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key of `_meta` is missing or has the wrong type.
    #[error("`params._meta[\"{key}\"]` is missing or not {expected}; every request of MCP 2026-07-28 has it")]
    Meta {
        /// The key.
        key: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// A header is missing.
    #[error("the header {header} is missing; it must be {says} of the body")]
    Missing {
        /// The header.
        header: &'static str,
        /// What it repeats.
        says: &'static str,
    },
    /// A header says something else than the body.
    #[error("the header {header} is not {says} of the body; send it once and with the same value")]
    Mismatch {
        /// The header.
        header: &'static str,
        /// What it repeats.
        says: &'static str,
    },
    /// The version is not supported.
    #[error("protocol version {0:?} is not supported")]
    Version(String),
}

impl Error {
    /// The JSON-RPC error code.
    pub fn code(&self) -> Code {
        match self {
            Self::Meta { .. } => Code::InvalidParams,
            Self::Missing { .. } | Self::Mismatch { .. } => Code::HeaderMismatch,
            Self::Version(_) => Code::UnsupportedProtocolVersion,
        }
    }
}

impl Envelope {
    /// Reads the envelope of the request that `params` belong to, which came with `headers`.
    pub fn of_request(
        headers: &Headers<'_>,
        method: &str,
        params: Option<&RawObject>,
    ) -> Result<Self, Error> {
        let meta = params.and_then(|params| params.object("_meta").ok().flatten());
        let meta = meta.unwrap_or_default();
        if let (None, Some(newer)) = (meta.get(META_PROTOCOL_VERSION), unknown(headers.version)) {
            return Err(Error::Version(newer)); // what its requests must have is not known here
        }
        let version = text(&meta, META_PROTOCOL_VERSION)?;
        let capabilities = object(&meta, META_CLIENT_CAPABILITIES)?;
        same(
            headers.version,
            "MCP-Protocol-Version",
            "the protocol version",
            &version,
        )?;
        same(headers.method, "Mcp-Method", "the method", method)?;
        if let Some(name) = named(method, params) {
            same_decoded(headers.name, &name)?;
        }
        Ok(Self {
            version: known(version)?,
            info: info(&meta),
            capabilities: ClientCapabilities::parse(&capabilities),
        })
    }

    /// Of a sender with this name and these capabilities.
    pub fn new(info: Implementation, capabilities: ClientCapabilities) -> Self {
        Self {
            version: Version::V2026_07_28,
            info,
            capabilities,
        }
    }

    /// Writes the keys of `_meta` by which a server gets to know the sender.
    pub fn write(&self, meta: &mut RawObject) {
        meta.set_value(META_PROTOCOL_VERSION, &self.version);
        meta.set(META_CLIENT_INFO, self.info.to_raw());
        meta.set(META_CLIENT_CAPABILITIES, self.capabilities.to_raw());
    }
}

/// Checks a notification. What it has must be right, but it needs none of it.
pub fn check_notification(headers: &Headers<'_>, notification: &Notification) -> Result<(), Error> {
    let meta = notification.meta().unwrap_or_default();
    if meta.get(META_PROTOCOL_VERSION).is_some() {
        let version = text(&meta, META_PROTOCOL_VERSION)?;
        same(
            headers.version,
            "MCP-Protocol-Version",
            "the protocol version",
            &version,
        )?;
    }
    if headers.method != Field::Absent {
        same(headers.method, "Mcp-Method", "the method", &notification.method)?;
    }
    unknown(headers.version).map_or(Ok(()), |version| Err(Error::Version(version)))
}

/// What `Mcp-Name` repeats of the parameters of a request of this method, if anything.
pub fn named(method: &str, params: Option<&RawObject>) -> Option<String> {
    let key = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    params?.text(key)
}

/// The version in the header if it is none that is known.
fn unknown(header: Field<'_>) -> Option<String> {
    match header {
        Field::Text(version) => known(version.to_owned()).err().map(|_| version.to_owned()),
        Field::Absent | Field::Unusable => None,
    }
}

fn known(version: String) -> Result<Version, Error> {
    Version::parse(&version)
        .filter(|known| known.era() == Era::Modern)
        .ok_or(Error::Version(version))
}

fn text(meta: &RawObject, key: &'static str) -> Result<String, Error> {
    let expected = "a string";
    meta.text(key).ok_or(Error::Meta { key, expected })
}

fn object(meta: &RawObject, key: &'static str) -> Result<RawObject, Error> {
    let expected = "an object";
    let object = meta.object(key).ok().flatten();
    object.ok_or(Error::Meta { key, expected })
}

/// A name that is too long for us is cut, one that is missing is none: nothing depends on it.
fn info(meta: &RawObject) -> Implementation {
    let info = meta.object(META_CLIENT_INFO).ok().flatten().unwrap_or_default();
    let text = |key| info.text(key).unwrap_or_default();
    Implementation::cut(text("name"), text("version"))
}

fn same(field: Field<'_>, header: &'static str, says: &'static str, body: &str) -> Result<(), Error> {
    match field {
        Field::Absent => Err(Error::Missing { header, says }),
        Field::Text(value) if value == body => Ok(()),
        Field::Text(_) | Field::Unusable => Err(Error::Mismatch { header, says }),
    }
}

fn same_decoded(field: Field<'_>, body: &str) -> Result<(), Error> {
    let (header, says) = ("Mcp-Name", "the name, uri or taskId in the params");
    match field {
        Field::Text(value) if header::decode(value).as_deref() == Some(body) => Ok(()),
        Field::Text(_) => Err(Error::Mismatch { header, says }),
        other => same(other, header, says, body),
    }
}
