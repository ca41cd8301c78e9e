//! The parser of JSON-RPC messages.
//!
//! Called by `Message::parse` and `Body::parse`.
//!
//! Invariant: a parsed message is unambiguous: there is no duplicate key in its envelope, its `params` and their
//! `_meta`. An error contains the id if it could be parsed, so that the waiting client gets a response.

use serde_json::value::RawValue;

use super::{Message, Notification, Outcome, Request, Response};
use crate::code::{Code, ErrorObject};
use crate::depth::{self, MAX_DEPTH};
use crate::id::{self, Id};
use crate::raw::{self, RawObject};

/// Maximum number of members of a message that JSON-RPC does not define. They are passed on, but MCP has none.
const MAX_EXTRA: usize = 64;

/// Why a body is not a message. The text includes all causes, because it is sent to the client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body is not JSON.
    #[error("the body is not valid JSON: {0}")]
    Json(serde_json::Error),
    /// The body is JSON, but not a JSON-RPC message of MCP.
    #[error("the body is not a JSON-RPC message: {flaw}")]
    Invalid {
        /// The message's id, if it could be parsed.
        id: Option<Id>,
        /// What is wrong with the message.
        flaw: Flaw,
    },
}

/// What is wrong with a JSON-RPC message.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// It is nested too deeply.
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The message is not an object, or has a duplicate key.
    #[error("the message {0}")]
    Envelope(raw::Error),
    /// The message has too many members that JSON-RPC does not define.
    #[error("it has more than {MAX_EXTRA} members that JSON-RPC does not define")]
    Members,
    /// A batch where batches are not allowed.
    #[error("batches are allowed only in sessions of protocol version 2025-03-26; send one message per POST")]
    Batch,
    /// A batch is empty or too large.
    #[error("a batch must contain 1 to {max} messages")]
    BatchSize {
        /// Maximum number of messages.
        max: usize,
    },
    /// `jsonrpc` is missing or not "2.0".
    #[error("`jsonrpc` must be \"2.0\"")]
    JsonRpc,
    /// The id has the wrong type.
    #[error("`id` {0}")]
    Id(id::Error),
    /// The method is not a string.
    #[error("`method` must be a string")]
    Method,
    /// `params` is not an object, or has a duplicate key.
    #[error("`params` {0}")]
    Params(raw::Error),
    /// `params._meta` is not an object, or has a duplicate key.
    #[error("`params._meta` {0}")]
    Meta(raw::Error),
    /// The message is neither a request nor a notification nor a response.
    #[error("it must have `method`, or `id` and exactly one of `result` and `error`")]
    Shape,
}

impl Error {
    /// The JSON-RPC error code.
    pub fn code(&self) -> Code {
        match self {
            Self::Json(_) => Code::ParseError,
            Self::Invalid { .. } => Code::InvalidRequest,
        }
    }

    /// The id of the refused message.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Json(_) => None,
            Self::Invalid { id, .. } => id.as_ref(),
        }
    }

    /// The error response for the sender.
    pub fn to_response(&self) -> Response {
        let error = ErrorObject::new(self.code(), self.to_string());
        Response::error(self.id().cloned(), &error)
    }

    pub(crate) fn flaw(flaw: Flaw) -> Self {
        Self::Invalid { id: None, flaw }
    }
}

/// Whether `json` starts with an array.
pub fn is_batch(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'[')
}

/// The members that JSON-RPC defines, each raw, and all others.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    extra: RawObject,
}

pub(super) fn message(json: &[u8]) -> Result<Message, Error> {
    if depth::is_too_deep(json) {
        return Err(Error::flaw(Flaw::TooDeep));
    }
    let envelope = Envelope::read(json)?;
    let id = envelope.id.map(Id::parse).transpose();
    let known = id.as_ref().ok().cloned().flatten();
    envelope
        .into_message(id)
        .map_err(|flaw| Error::Invalid { id: known, flaw })
}

impl<'a> Envelope<'a> {
    fn read(json: &'a [u8]) -> Result<Self, Error> {
        let members = raw::members(json).map_err(|error| match error {
            raw::Error::Json(error) => Error::Json(error),
            raw::Error::NotAnObject if is_batch(json) => Error::flaw(Flaw::Batch),
            other => Error::flaw(Flaw::Envelope(other)),
        })?;
        let mut envelope = Self::default();
        for (name, value) in members {
            envelope.put(&name, value);
        }
        Ok(envelope)
    }

    fn put(&mut self, name: &str, value: &'a RawValue) {
        let place = match name {
            "jsonrpc" => &mut self.jsonrpc,
            "id" => &mut self.id,
            "method" => &mut self.method,
            "params" => &mut self.params,
            "result" => &mut self.result,
            "error" => &mut self.error,
            // Members are compared with all before; one more than is allowed is kept, for the error.
            _ if self.extra.len() > MAX_EXTRA => return,
            _ => return self.extra.set(name, value.to_owned()),
        };
        *place = Some(value);
    }

    fn into_message(self, id: Result<Option<Id>, id::Error>) -> Result<Message, Flaw> {
        if self.jsonrpc.and_then(text).as_deref() != Some("2.0") {
            return Err(Flaw::JsonRpc);
        }
        if self.extra.len() > MAX_EXTRA {
            return Err(Flaw::Members);
        }
        match (self.method, self.result, self.error) {
            (Some(method), None, None) => self.into_call(method, id.map_err(Flaw::Id)?),
            (None, Some(result), None) => {
                let id = id.map_err(Flaw::Id)?.ok_or(Flaw::Shape)?;
                Ok(self.into_response(Some(id), Outcome::Result(result.to_owned())))
            }
            // An error may respond to a request whose id could not be parsed: then the id is null or absent.
            (None, None, Some(error)) => {
                let id = if self.id.is_some_and(is_null) {
                    None
                } else {
                    id.map_err(Flaw::Id)?
                };
                Ok(self.into_response(id, Outcome::Error(error.to_owned())))
            }
            _ => Err(Flaw::Shape),
        }
    }

    fn into_call(self, method: &RawValue, id: Option<Id>) -> Result<Message, Flaw> {
        let method = text(method).ok_or(Flaw::Method)?;
        let params = self.params.filter(|params| !is_null(params));
        let params = params.map(params_of).transpose()?;
        let extra = self.extra;
        Ok(match id {
            Some(id) => Message::Request(Request {
                id,
                method,
                params,
                extra,
            }),
            None => Message::Notification(Notification {
                method,
                params,
                extra,
            }),
        })
    }

    fn into_response(self, id: Option<Id>, outcome: Outcome) -> Message {
        let extra = self.extra;
        Message::Response(Response { id, outcome, extra })
    }
}

/// Some generators write `null` for what is absent.
fn params_of(value: &RawValue) -> Result<RawObject, Flaw> {
    let mut params = RawObject::parse(value.get().as_bytes()).map_err(Flaw::Params)?;
    if params.get("_meta").is_some_and(is_null) {
        params.remove("_meta");
    }
    params.object("_meta").map_err(Flaw::Meta)?;
    Ok(params)
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}
