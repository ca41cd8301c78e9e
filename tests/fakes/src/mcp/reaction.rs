//! What a server does with a message, well or badly.

use std::convert::Infallible;
use std::io::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _, stream};
use http::StatusCode;
use serde_json::Value;

use super::raw::arguments;
use super::{McpServer, Seen, events, json_body, response};
use crate::eventually;

/// How long it waits for the answer to a question of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happens to a message.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// A JSON body with this raw result.
    Result(&'static str),
    /// A JSON body whose result has the call's arguments, byte for byte, as its member `echo`; or an event of it.
    Echo {
        /// Whether it comes as an event.
        stream: bool,
    },
    /// A stream of these raw messages, in which `TOKEN` becomes the request's progress token, and then this raw result.
    Stream(Vec<String>, &'static str),
    /// A stream that says `retry` and this event id, if any, and breaks; a GET with
    /// `Last-Event-ID` then brings this raw result, if any.
    Breaks(Option<&'static str>, Option<&'static str>),
    /// A stream that asks this raw question and ends with a result that has the client's answer.
    Asks(&'static str),
    /// The head of a body of this type, and nothing ever.
    Stalls(&'static str),
    /// So many bytes of an event that never ends.
    Half(usize),
    /// A body of this type, one space after the other, for ever.
    Drips(&'static str),
    /// A stream that closes in the middle of its only event.
    Cut,
    /// Nothing ever.
    Hangs,
    /// An HTTP status with this body, in which `ID` becomes the message's id.
    Status(u16, &'static str),
    /// The same with these headers, as a rule the body's type.
    Http(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// A result of so many bytes, as JSON or as an event.
    Big {
        /// Its size.
        bytes: usize,
        /// Whether it comes as an event.
        stream: bool,
    },
}

impl Reaction {
    /// What a proxy says in place of a server, which may be asked again after seven seconds.
    pub fn of_a_proxy(status: u16) -> Self {
        Self::Http(status, vec![("retry-after", "7")], "<html>no</html>")
    }

    /// 200 and this body of this type.
    pub fn body(kind: &'static str, body: &'static str) -> Self {
        Self::Http(200, vec![("content-type", kind)], body)
    }

    /// The same to a request with this progress token.
    pub(super) fn under(mut self, token: &Value) -> Self {
        if let Self::Stream(messages, _) = &mut self {
            for message in messages {
                *message = message.replace("TOKEN", &token.to_string());
            }
        }
        self
    }

    /// The answer to the message with this id.
    pub(super) async fn happen(self, server: &McpServer, seen: &Seen) -> Response {
        let id = &seen.body["id"];
        match self {
            Self::Result(result) => json_body(response(id, result)),
            Self::Echo { stream } => {
                let result = format!(r#"{{"content":[],"echo":{}}}"#, arguments(&seen.raw));
                if stream {
                    events(event(&response(id, &result)).into())
                } else {
                    json_body(response(id, &result))
                }
            }
            Self::Stream(mut messages, result) => {
                messages.push(response(id, result));
                events(Body::from(
                    messages.iter().map(|message| event(message)).collect::<String>(),
                ))
            }
            Self::Breaks(token, resumed) => {
                server.nature().resumed = resumed.map(|result| response(id, result));
                events(Body::from_stream(breaking(token)))
            }
            Self::Asks(question) => events(Body::from_stream(asking(server.clone(), question, id.clone()))),
            Self::Stalls(kind) => (
                [("content-type", kind)],
                Body::from_stream(stalling(server.clone())),
            )
                .into_response(),
            Self::Half(bytes) => events(Body::from_stream(half(server.clone(), bytes))),
            Self::Drips(kind) => ([("content-type", kind)], Body::from_stream(dripping())).into_response(),
            Self::Cut => events(Body::from(r#"data: {"jsonrpc":"2.0","id"#)),
            Self::Hangs => std::future::pending().await,
            Self::Status(status, body) => {
                let is_json = body.starts_with('{');
                let kind = if is_json { "application/json" } else { "text/plain" };
                http(status, &[("content-type", kind)], body, id)
            }
            Self::Http(status, headers, body) => http(status, &headers, body, id),
            Self::Big { bytes, stream } => {
                let message = response(id, "\"BIG\"");
                if stream {
                    events(Body::from_stream(large(&event(&message), bytes)))
                } else {
                    let body = Body::from_stream(large(&message, bytes));
                    ([("content-type", "application/json")], body).into_response()
                }
            }
        }
    }
}

fn http(status: u16, headers: &[(&'static str, &'static str)], body: &str, id: &Value) -> Response {
    let mut response = Response::new(Body::from(body.replace("ID", &id.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        let value = http::HeaderValue::from_static(value);
        response.headers_mut().append(*name, value);
    }
    response
}

fn event(message: &str) -> String {
    format!("data: {message}\n\n")
}

/// The message with so many bytes in the middle, without holding them.
fn large(message: &str, bytes: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];
    let (before, after) = message.split_once("BIG").expect("it is in every such message");
    let (before, after) = (before.to_owned(), after.to_owned());
    let whole = stream::repeat(Bytes::from_static(&CHUNK)).take(bytes / CHUNK.len());
    let rest = Bytes::from_static(&CHUNK[..bytes % CHUNK.len()]);
    stream::once(async { before.into() })
        .chain(whole)
        .chain(stream::iter([rest, after.into()]))
        .map(Ok)
}

fn breaking(token: Option<&str>) -> impl Stream<Item = Result<String, Error>> + use<> {
    let first = token.map_or_else(
        || ": hello\n\n".to_owned(),
        |id| format!("retry: 10\nid: {id}\ndata:\n\n"),
    );
    let cut = async {
        tokio::time::sleep(Duration::from_millis(20)).await; // what came before is sent before
        Err(Error::other("cut"))
    };
    stream::iter([Ok(first)]).chain(stream::once(cut))
}

fn half(server: McpServer, bytes: usize) -> impl Stream<Item = Result<String, Infallible>> {
    let begun = format!("data: {}", "x".repeat(bytes));
    let silence = async move {
        server.nature().halves += 1; // what came before was taken
        std::future::pending().await
    };
    stream::iter([Ok(begun)]).chain(stream::once(silence))
}

fn dripping() -> impl Stream<Item = Result<&'static str, Infallible>> {
    stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(50)).await; // how fast it drips
        Some((Ok(" "), ()))
    })
}

fn asking(
    server: McpServer,
    question: &'static str,
    id: Value,
) -> impl Stream<Item = Result<String, Infallible>> {
    let asked: Value = serde_json::from_str(question).expect("a question is JSON");
    let answered = async move {
        let answer = eventually(PATIENCE, async || {
            let answers = server.seen("").into_iter();
            answers
                .map(|seen| seen.body)
                .find(|body| body["id"] == asked["id"])
        });
        let answer = answer.await;
        server.nature().answered += 1;
        event(&response(&id, &format!(r#"{{"content":[],"answer":{answer}}}"#)))
    };
    stream::iter([event(question)])
        .chain(stream::once(answered))
        .map(Ok)
}

/// Nothing ever, until nobody reads it any more.
fn stalling(server: McpServer) -> impl Stream<Item = Result<String, Infallible>> {
    struct Reader(McpServer);
    impl Drop for Reader {
        fn drop(&mut self) {
            self.0.nature().given_up += 1;
        }
    }
    stream::unfold(Reader(server), async |reader| {
        let _until_dropped = reader;
        std::future::pending().await
    })
}
