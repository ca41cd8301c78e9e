//! A session with an MCP endpoint of the legacy era (protocol versions with sessions).
//!
//! Used by the command and by applications; calls may run concurrently.
//!
//! Invariant: a call ends with a result, with an acknowledgement whose result is delivered by webhook, or with an
//! error; it never waits for a webhook itself.

use std::sync::atomic::{AtomicU64, Ordering};

use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation, InitializeParams, InitializeResult};
use asyncmcp_protocol::listing::{Kind, Page};
use asyncmcp_protocol::tools::Tool;
use asyncmcp_protocol::{
    Code, ErrorObject, Id, Message, Notification, Outcome, RawObject, RawValue, Request, Response, Version,
    header, raw, tool_result,
};
use http::HeaderValue;
use tokio::time::Instant;

use crate::config::Config;
use crate::error::Error;
use crate::transport::{Reply, Transport};

#[cfg(test)]
mod tests;

/// Maximum number of pages read from a tool list.
const WEBHOOK_ID: &str = "webhook-id";
const MAX_PAGES: usize = 100;

/// A session with an MCP endpoint.
pub struct Client {
    transport: Transport,
    server: InitializeResult,
    next_id: AtomicU64,
    /// When the session expires; later requests fail without being sent.
    ends: Option<Instant>,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The tool's result, as raw JSON.
    Result(Box<RawValue>),
    /// The call is accepted; its result is delivered by webhook.
    Acknowledged {
        /// The call's JSON-RPC id, which the delivery contains.
        id: Id,
        /// The job's id, if the gateway returned one.
        job: Option<String>,
        /// The `webhook-id` of the delivery, if the gateway returned one.
        webhook_id: Option<String>,
    },
}

/// A progress notification of a running call.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The progress so far.
    pub progress: f64,
    /// The value of `progress` at the end, if known.
    pub total: Option<f64>,
    /// What the tool is doing.
    pub message: Option<String>,
}

impl Client {
    /// Opens a session; if `webhook_url` is set, results are delivered to it.
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let mut transport = Transport::new(config)?;
        let lifetime = config.lifetime()?;
        let request = Request::new(Id::number(0), "initialize", Some(initialize_params(config)));
        let (headers, reply) = transport.post(request.to_bytes()).await?;
        let result = response(&transport, reply, &request.id, &mut |_| {}).await?;
        let server = InitializeResult::parse(&result).map_err(Error::Initialize)?;
        if let Some(session) = headers.get(header::SESSION_ID) {
            transport.set_header(header::SESSION_ID, session.clone());
        }
        if let Ok(version) = HeaderValue::from_str(&server.protocol_version) {
            transport.set_header(header::PROTOCOL_VERSION, version);
        }
        let client = Self {
            transport,
            server,
            next_id: AtomicU64::new(1),
            ends: lifetime.map(|lifetime| Instant::now() + lifetime),
        };
        client.notify("notifications/initialized").await?;
        Ok(client)
    }

    /// The server's result of `initialize`.
    pub fn server(&self) -> &InitializeResult {
        &self.server
    }

    /// Lists all tools, reading page after page.
    pub async fn list_tools(&self) -> Result<Vec<Tool>, Error> {
        let mut tools = Vec::new();
        let mut params = None;
        for _ in 0..MAX_PAGES {
            let result = self.request("tools/list", params).await?;
            let page = Page::parse(Kind::Tools, &result).map_err(Error::Tools)?;
            tools.extend(page.entries.into_iter().map(Tool::from));
            let Some(cursor) = page.next_cursor else { break };
            let mut next = RawObject::new();
            next.set_value("cursor", &cursor);
            params = Some(next);
        }
        Ok(tools)
    }

    /// Calls `tool` with `arguments`, a JSON object, and passes every progress notification to `progress`.
    pub async fn call_tool(
        &self,
        tool: &str,
        arguments: Box<RawValue>,
        mut progress: impl FnMut(Progress),
    ) -> Result<Answer, Error> {
        let id = self.id();
        let request = Request::new(id.clone(), "tools/call", Some(call_params(tool, arguments, &id)));
        let (headers, reply) = self.post(request.to_bytes()).await?;
        if matches!(reply, Reply::Accepted) {
            let webhook_id = headers.get(WEBHOOK_ID).and_then(|id| id.to_str().ok());
            let webhook_id = webhook_id.map(str::to_owned);
            return Ok(Answer::Acknowledged {
                id,
                job: None,
                webhook_id,
            });
        }
        let result = response(&self.transport, reply, &id, &mut progress).await?;
        Ok(match tool_result::acknowledged_job(&result) {
            Some(job) => Answer::Acknowledged {
                id,
                job: Some(job.id),
                webhook_id: job.webhook_id,
            },
            None => Answer::Result(result),
        })
    }

    /// Cancels the call with the id `id` of an acknowledgement.
    pub async fn cancel(&self, id: &Id) -> Result<(), Error> {
        let notification = Notification::cancelled(id, "cancelled by the caller");
        self.post(notification.to_bytes()).await.map(drop)
    }

    /// Ends the session. Results of acknowledged calls are still delivered.
    pub async fn close(self) -> Result<(), Error> {
        self.transport.delete().await
    }

    async fn request(&self, method: &str, params: Option<RawObject>) -> Result<Box<RawValue>, Error> {
        let request = Request::new(self.id(), method, params);
        let (_, reply) = self.post(request.to_bytes()).await?;
        response(&self.transport, reply, &request.id, &mut |_| {}).await
    }

    async fn notify(&self, method: &str) -> Result<(), Error> {
        self.post(Notification::new(method, None).to_bytes())
            .await
            .map(drop)
    }

    async fn post(&self, message: Vec<u8>) -> Result<(http::HeaderMap, Reply), Error> {
        if self.ends.is_some_and(|ends| Instant::now() >= ends) {
            return Err(Error::SessionOver);
        }
        self.transport.post(message).await
    }

    fn id(&self) -> Id {
        Id::number(self.next_id.fetch_add(1, Ordering::Relaxed))
    }
}

/// Reads messages until the response to `id`; passes progress on and answers the server's requests.
async fn response(
    transport: &Transport,
    reply: Reply,
    id: &Id,
    progress: &mut impl FnMut(Progress),
) -> Result<Box<RawValue>, Error> {
    let Reply::Messages(mut messages) = reply else {
        return Err(Error::NoResponse);
    };
    while let Some(message) = messages.next().await? {
        match message {
            Message::Response(answer) if answer.id.as_ref().is_none_or(|answered| answered == id) => {
                return outcome(answer);
            }
            Message::Notification(notification) => {
                read_progress(&notification).into_iter().for_each(&mut *progress);
            }
            Message::Request(request) => drop(transport.post(refusal(&request).to_bytes()).await?),
            Message::Response(_) => {} // the response to another request
        }
    }
    Err(Error::NoResponse)
}

fn outcome(answer: Response) -> Result<Box<RawValue>, Error> {
    match (answer.error_object(), answer.outcome) {
        (None, Outcome::Result(result)) => Ok(result),
        (Some(error), _) => Err(Error::Rpc(error)),
        (None, Outcome::Error(error)) => {
            let message = format!("invalid error object: {error}");
            Err(Error::Rpc(ErrorObject::new(Code::InternalError, message)))
        }
    }
}

/// This client declares no capabilities, so a server may send it no request except ping.
fn refusal(request: &Request) -> Response {
    if request.method == "ping" {
        return Response::result(request.id.clone(), RawObject::new().to_raw());
    }
    let error = ErrorObject::new(
        Code::MethodNotFound,
        "this client does not support requests from the server",
    );
    Response::error(Some(request.id.clone()), &error)
}

fn read_progress(notification: &Notification) -> Option<Progress> {
    let params = notification
        .params
        .as_ref()
        .filter(|_| notification.method == "notifications/progress")?;
    let number = |key| {
        params
            .get(key)
            .and_then(|value: &RawValue| value.get().parse().ok())
    };
    Some(Progress {
        progress: number("progress")?,
        total: number("total"),
        message: params.text("message"),
    })
}

fn initialize_params(config: &Config) -> RawObject {
    InitializeParams {
        protocol_version: Version::LEGACY[0].to_string(),
        capabilities: ClientCapabilities::NONE,
        client_info: Implementation::new("asyncmcp", env!("CARGO_PKG_VERSION")),
        webhook_url: config.webhook_url.clone(),
    }
    .to_params()
}

/// The call's id is also its progress token, because it is unique.
fn call_params(tool: &str, arguments: Box<RawValue>, id: &Id) -> RawObject {
    let mut meta = RawObject::new();
    meta.set("progressToken", id.raw().to_owned());
    let mut params = RawObject::new();
    params.set_value("name", tool);
    params.set("arguments", arguments);
    params.set("_meta", raw::raw(&meta));
    params
}
