//! JSON-RPC messages of MCP.
//!
//! Parsed by the endpoint (from clients), by the client for servers, and by the client library. The parser is in
//! `message/parse.rs`.
//!
//! Invariant: the values of `params`, results and errors keep their bytes; an id is serialized as received; members
//! that JSON-RPC does not define are passed on.

use serde_json::value::RawValue;

use crate::code::ErrorObject;
use crate::id::Id;
use crate::raw::{RawObject, write_text};

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{Error, Flaw, is_batch};

/// One JSON-RPC message.
#[derive(Clone, Debug)]
pub enum Message {
    /// Requires a response.
    Request(Request),
    /// Requires no response.
    Notification(Notification),
    /// Responds to a request.
    Response(Response),
}

/// A message that requires a response.
#[derive(Clone, Debug)]
pub struct Request {
    /// Identifies the response.
    pub id: Id,
    /// The method, such as `tools/call`.
    pub method: String,
    /// The parameters, of which only the first level is parsed.
    pub params: Option<RawObject>,
    /// Members that JSON-RPC does not define.
    pub extra: RawObject,
}

/// A message that requires no response.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The method, such as `tools/call`.
    pub method: String,
    /// The parameters, of which only the first level is parsed.
    pub params: Option<RawObject>,
    /// Members that JSON-RPC does not define.
    pub extra: RawObject,
}

/// A response to a request.
#[derive(Clone, Debug)]
pub struct Response {
    /// The request's id; `None` only in an error response to a request whose id could not be parsed.
    pub id: Option<Id>,
    /// Result or error.
    pub outcome: Outcome,
    /// Members that JSON-RPC does not define.
    pub extra: RawObject,
}

/// The result or error of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The `result`, unchanged.
    Result(Box<RawValue>),
    /// The `error`, unchanged; [`ErrorObject::parse`] parses it.
    Error(Box<RawValue>),
}

impl Message {
    /// Parses one message. A batch is refused; [`crate::batch::Body`] parses both.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        parse::message(json)
    }

    /// The parameters of a request or notification.
    pub fn params(&self) -> Option<&RawObject> {
        match self {
            Self::Request(request) => request.params.as_ref(),
            Self::Notification(notification) => notification.params.as_ref(),
            Self::Response(_) => None,
        }
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request(request) => Some(&request.method),
            Self::Notification(notification) => Some(&notification.method),
            Self::Response(_) => None,
        }
    }

    /// The message as JSON text.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Notification(notification) => notification.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

impl Request {
    /// Creates a request.
    pub fn new(id: Id, method: &str, params: Option<RawObject>) -> Self {
        Self {
            id,
            method: method.to_owned(),
            params,
            extra: RawObject::new(),
        }
    }

    /// The tool name of a `tools/call`: `params.name`.
    pub fn tool_name(&self) -> Option<String> {
        (self.method == "tools/call")
            .then(|| self.params.as_ref()?.text("name"))
            .flatten()
    }

    /// The arguments of a `tools/call`, as raw JSON.
    pub fn arguments(&self) -> Option<&RawValue> {
        self.params.as_ref()?.get("arguments")
    }

    /// `params._meta`; the parser has checked that it is an object without duplicate keys.
    pub fn meta(&self) -> Option<RawObject> {
        meta(self.params.as_ref())
    }

    /// Replaces `params._meta`, or removes it if `meta` is empty.
    pub fn set_meta(&mut self, meta: &RawObject) {
        let params = self.params.get_or_insert_default();
        if meta.is_empty() {
            params.remove("_meta");
        } else {
            params.set("_meta", meta.to_raw());
        }
    }

    /// The token for progress notifications of this request: `params._meta.progressToken`.
    pub fn progress_token(&self) -> Option<Id> {
        Id::parse(self.meta()?.get("progressToken")?).ok()
    }

    /// The request as JSON text.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(
            Some(&self.id),
            Some(&self.method),
            self.params.as_ref(),
            &self.extra,
        )
    }
}

impl Notification {
    /// Creates a notification.
    pub fn new(method: &str, params: Option<RawObject>) -> Self {
        Self {
            method: method.to_owned(),
            params,
            extra: RawObject::new(),
        }
    }

    /// Creates a `notifications/cancelled` for the request `id`.
    pub fn cancelled(id: &Id, reason: &str) -> Self {
        let mut params = RawObject::new();
        params.set("requestId", id.raw().to_owned());
        params.set_value("reason", reason);
        Self::new("notifications/cancelled", Some(params))
    }

    /// `params._meta`, if it is set.
    pub fn meta(&self) -> Option<RawObject> {
        meta(self.params.as_ref())
    }

    /// Whether it is a `notifications/progress`.
    pub fn is_progress(&self) -> bool {
        self.method == "notifications/progress"
    }

    /// The id of the request that a `notifications/cancelled` refers to.
    pub fn cancelled_request(&self) -> Option<Id> {
        (self.method == "notifications/cancelled")
            .then(|| Id::parse(self.params.as_ref()?.get("requestId")?).ok())
            .flatten()
    }

    /// The progress token of a `notifications/progress`.
    pub fn progress_token(&self) -> Option<Id> {
        (self.method == "notifications/progress")
            .then(|| Id::parse(self.params.as_ref()?.get("progressToken")?).ok())
            .flatten()
    }

    /// The notification as JSON text.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(None, Some(&self.method), self.params.as_ref(), &self.extra)
    }
}

impl Response {
    /// Creates a successful response to the request `id`.
    pub fn result(id: Id, result: Box<RawValue>) -> Self {
        Self {
            id: Some(id),
            outcome: Outcome::Result(result),
            extra: RawObject::new(),
        }
    }

    /// Creates an error response to the request `id`; `None` if the id could not be parsed.
    pub fn error(id: Option<Id>, error: &ErrorObject) -> Self {
        Self {
            id,
            outcome: Outcome::Error(error.to_raw()),
            extra: RawObject::new(),
        }
    }

    /// The error object, if this is an error response with a valid one.
    pub fn error_object(&self) -> Option<ErrorObject> {
        match &self.outcome {
            Outcome::Error(error) => ErrorObject::parse(error),
            Outcome::Result(_) => None,
        }
    }

    /// The response as JSON text. An unknown id is serialized as null (JSON-RPC 2.0).
    pub fn to_bytes(&self) -> Vec<u8> {
        let (key, value) = match &self.outcome {
            Outcome::Result(value) => ("result", value.get()),
            Outcome::Error(value) => ("error", value.get()),
        };
        let mut out = Vec::with_capacity(value.len() + 64);
        open(&mut out);
        member(
            &mut out,
            "id",
            self.id.as_ref().map_or("null", |id| id.raw().get()),
        );
        member(&mut out, key, value);
        close(out, &self.extra)
    }
}

fn meta(params: Option<&RawObject>) -> Option<RawObject> {
    params?.object("_meta").ok()?
}

fn write(id: Option<&Id>, method: Option<&str>, params: Option<&RawObject>, extra: &RawObject) -> Vec<u8> {
    let mut out = Vec::new();
    open(&mut out);
    if let Some(id) = id {
        member(&mut out, "id", id.raw().get());
    }
    if let Some(method) = method {
        out.extend_from_slice(b",\"method\":");
        write_text(&mut out, method);
    }
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":{");
        params.write_members(&mut out);
        out.push(b'}');
    }
    close(out, extra)
}

fn open(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
}

fn member(out: &mut Vec<u8>, key: &str, value: &str) {
    out.push(b',');
    write_text(out, key);
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
}

fn close(mut out: Vec<u8>, extra: &RawObject) -> Vec<u8> {
    extra.write_members(&mut out);
    out.push(b'}');
    out
}
