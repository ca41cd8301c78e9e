//! The envelope of a modern request (2026-07-28): what its `_meta` and its headers must say.
//!
//! The endpoint opens every modern message with [`open`] before it reads anything else of it.
//!
//! Invariant: a request that is opened says the same in its headers and in its body, so that whoever routed it by its
//! headers routed what is executed.

use crate::code::Code;
use crate::header;
use crate::initialize::{ClientCapabilities, Implementation};
use crate::log::Level;
pub use crate::log::META_LOG_LEVEL;
use crate::message::Message;
use crate::raw::RawObject;
use crate::version::{Era, Version};

pub mod discovered;
pub mod legacy;
pub mod mirror;
pub mod result;
pub mod rounds;

pub use crate::era::META_PROTOCOL_VERSION;
use mirror::Field;

/// The `_meta` key of a request that declares the client's capabilities. Required.
pub const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The `_meta` key of a request that contains the client's name and version.
pub const META_CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

/// The headers that repeat parts of the body.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Field<'a>,
    /// `Mcp-Method`.
    pub method: Field<'a>,
    /// `Mcp-Name`.
    pub name: Field<'a>,
}

/// What a message says about its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The version it speaks.
    pub version: Version,
    /// Its name and version; empty if it does not report them.
    pub client_info: Implementation,
    /// The capabilities that it declares.
    pub capabilities: ClientCapabilities,
    /// The least severe level of the log messages that it asks for; `None` if it asks for none.
    pub log_level: Option<Level>,
}

/// Why a modern message is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A batch.
    #[error("protocol version 2026-07-28 has no batches; send one message per POST")]
    Batch,
    /// A response.
    #[error("protocol version 2026-07-28 has no responses of clients, since servers send no requests")]
    Response,
    /// A key of `_meta` is missing or has the wrong type.
    #[error("params._meta[{key:?}] is missing or not {expected}; every request must have it")]
    Meta {
        /// The key.
        key: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// The level of log messages is none.
    #[error(
        "params._meta[{META_LOG_LEVEL:?}] must be one of debug, info, notice, warning, error, critical, alert, emergency"
    )]
    LogLevel,
    /// A header is missing, cannot be read, or contradicts the body.
    #[error("the header {header} {flaw}")]
    Header {
        /// The name of the header.
        header: &'static str,
        /// What is wrong with it.
        flaw: mirror::Flaw,
    },
    /// The version is not supported.
    #[error("protocol version {0:?} is not supported")]
    Version(String),
}

impl Envelope {
    /// Of a sender with this name and these capabilities.
    pub fn new(client_info: Implementation, capabilities: ClientCapabilities) -> Self {
        Self {
            version: Version::V2026_07_28,
            client_info,
            capabilities,
            log_level: None,
        }
    }

    /// Writes the keys of `_meta` by which a server gets to know the sender.
    pub fn write(&self, meta: &mut RawObject) {
        meta.set_value(META_PROTOCOL_VERSION, &self.version);
        meta.set(META_CLIENT_INFO, self.client_info.to_raw());
        meta.set(META_CLIENT_CAPABILITIES, self.capabilities.to_raw());
        if let Some(level) = self.log_level {
            meta.set_value(META_LOG_LEVEL, level.name());
        }
    }
}

impl Error {
    /// The JSON-RPC error code.
    pub fn code(&self) -> Code {
        match self {
            Self::Batch | Self::Response => Code::InvalidRequest,
            Self::Meta { .. } | Self::LogLevel => Code::InvalidParams,
            Self::Header { .. } => Code::HeaderMismatch,
            Self::Version(_) => Code::UnsupportedProtocolVersion,
        }
    }
}

/// Opens a message: checks it against its headers and reads what it says about its sender. A notification need not have
/// any `_meta`, nor repeat its method in a header; what it has must be right.
pub fn open(headers: &Headers<'_>, message: &Message) -> Result<Envelope, Error> {
    let meta = meta(message);
    match message {
        Message::Response(_) => return Err(Error::Response),
        Message::Request(_) => has_keys(headers, &meta)?,
        Message::Notification(_) => {}
    }
    let version = version(headers, &meta)?;
    repeats_method(headers, message)?;
    repeats_name(headers, message)?;
    let log_level = Level::asked_for(&meta);
    if log_level.is_none() && meta.get(META_LOG_LEVEL).is_some() {
        return Err(Error::LogLevel);
    }
    let info = meta.object(META_CLIENT_INFO).ok().flatten().unwrap_or_default();
    let capabilities = meta.object(META_CLIENT_CAPABILITIES).ok().flatten();
    Ok(Envelope {
        version,
        client_info: Implementation::lenient(&info),
        capabilities: capabilities.map_or(ClientCapabilities::NONE, |declared| {
            ClientCapabilities::parse(&declared)
        }),
        log_level,
    })
}

/// The parser has checked that `_meta` is an object.
fn meta(message: &Message) -> RawObject {
    let params = message.params();
    let meta = params.and_then(|params| params.object("_meta").ok()?);
    meta.unwrap_or_default()
}

/// The keys that a request must have. One of an unknown version may have others, and is refused for its version.
fn has_keys(headers: &Headers<'_>, meta: &RawObject) -> Result<(), Error> {
    let missing = |key, expected| Err(Error::Meta { key, expected });
    if meta.text(META_PROTOCOL_VERSION).is_none() {
        return match mirror::read(headers.version) {
            Ok(Some(header)) if known(&header).is_none() => Err(Error::Version(header)),
            _ => missing(META_PROTOCOL_VERSION, "a string"),
        };
    }
    match meta.object(META_CLIENT_CAPABILITIES) {
        Ok(Some(_)) => Ok(()),
        _ => missing(META_CLIENT_CAPABILITIES, "an object"),
    }
}

fn version(headers: &Headers<'_>, meta: &RawObject) -> Result<Version, Error> {
    let of_header = flawed(header::names::PROTOCOL_VERSION, mirror::read(headers.version))?;
    let named = match meta.text(META_PROTOCOL_VERSION) {
        // Only a notification gets here without one; its header is what made it a modern message.
        None => of_header.unwrap_or_default(),
        Some(named) => {
            let matching = mirror::check(headers.version, Some(&named), "_meta's protocolVersion");
            flawed(header::names::PROTOCOL_VERSION, matching)?;
            named
        }
    };
    known(&named).ok_or(Error::Version(named))
}

fn repeats_method(headers: &Headers<'_>, message: &Message) -> Result<(), Error> {
    let is_notification = matches!(message, Message::Notification(_));
    if is_notification && matches!(headers.method, Field::Absent) {
        return Ok(());
    }
    let matching = mirror::check(headers.method, message.method(), "the body's method");
    flawed(header::names::METHOD, matching)
}

/// What `Mcp-Name` repeats of the params of a request of this method, if anything.
pub fn named(method: &str, params: Option<&RawObject>) -> Option<String> {
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    params?.text(member)
}

/// A request without the member that the header repeats is refused later, for that.
fn repeats_name(headers: &Headers<'_>, message: &Message) -> Result<(), Error> {
    let Some(named) = named(message.method().unwrap_or_default(), message.params()) else {
        return Ok(());
    };
    let matching = mirror::check(headers.name, Some(&named), "the name or URI in the body's params");
    flawed(header::names::NAME, matching)
}

fn flawed<T>(header: &'static str, result: Result<T, mirror::Flaw>) -> Result<T, Error> {
    result.map_err(|flaw| Error::Header { header, flaw })
}

/// The modern version with this name.
fn known(name: &str) -> Option<Version> {
    Version::parse(name).filter(|version| version.era() == Era::Modern)
}

#[cfg(test)]
mod tests;
