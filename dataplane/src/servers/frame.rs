//! A message as a modern server is to get it: what the headers and `_meta` of every request say (MCP 2026-07-28).
//!
//! A [`super::ServerSession`] on a modern server has one. Invariant: the headers are made from the very body that goes out,
//! and of the body nothing but `_meta` is changed.

use ::http::{HeaderMap, HeaderName, HeaderValue};
use asyncmcp_protocol::header::{METHOD, NAME, PROTOCOL_VERSION};
use asyncmcp_protocol::modern::{Envelope, legacy, mirror, named};
use asyncmcp_protocol::tools::HeaderParam;
use asyncmcp_protocol::{Era, Message, Request, Response};
use bytes::Bytes;

use super::Error;

/// Who sends, and who reads what comes back.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Who the server gets to know.
    pub(super) envelope: Envelope,
    /// The era of whoever reads the answers.
    pub(super) reader: Era,
}

impl Frame {
    /// The headers and the body of a request, which repeats these of its arguments.
    pub(super) fn of(&self, body: &Bytes, params: &[HeaderParam]) -> Result<(HeaderMap, Bytes), Error> {
        let Ok(Message::Request(mut request)) = Message::parse(body) else {
            return Err(Error::Protocol("a modern server takes requests only"));
        };
        let mut meta = request.meta().unwrap_or_default();
        self.envelope.write(&mut meta);
        request.set_meta(&meta);
        Ok((self.headers(&request, params)?, request.to_bytes().into()))
    }

    fn headers(&self, request: &Request, params: &[HeaderParam]) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let version = HeaderValue::from_static(self.envelope.version.as_str());
        headers.insert(HeaderName::from_static(PROTOCOL_VERSION), version);
        put(&mut headers, METHOD, &request.method)?;
        if let Some(name) = named(&request.method, request.params.as_ref()) {
            put(&mut headers, NAME, &mirror::encode(&name))?;
        }
        for param in params {
            if let Some(value) = param.value(request.arguments()) {
                put(&mut headers, &param.header, &value)?;
            }
        }
        Ok(headers)
    }

    /// The answer to a request of `method`, as its reader's era has it.
    pub(super) fn read(&self, method: &str, raw: Bytes) -> Bytes {
        match Message::parse(&raw) {
            Ok(Message::Response(response)) if self.reader == Era::Legacy => {
                translated(method, response).unwrap_or(raw)
            }
            _ => raw,
        }
    }
}

fn translated(method: &str, mut response: Response) -> Option<Bytes> {
    legacy::translate(method, &mut response).then(|| response.to_bytes().into())
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Error> {
    let unfit = |_| Error::Protocol("the request cannot be repeated in headers");
    let name = HeaderName::try_from(name).map_err(|_| Error::Protocol("no header has this name"))?;
    headers.insert(name, HeaderValue::from_str(value).map_err(unfit)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use asyncmcp_protocol::RawValue;
    use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation};
    use asyncmcp_protocol::tools::Tool;

    use super::*;

    fn frame(reader: Era) -> Frame {
        let envelope = Envelope::new(Implementation::new("agent", "7"), ClientCapabilities::NONE);
        Frame { envelope, reader }
    }

    #[test]
    fn headers_repeat_the_body_and_the_body_keeps_its_bytes() {
        let tool: &RawValue = serde_json::from_str(
            r#"{"name":"t","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"Region"}}}}"#,
        )
        .unwrap();
        let params = Tool::parse(tool).unwrap().header_params();
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"té","arguments":{ "r":"eu", "n":1e400 },"_meta":{"v":{ }}}}"#;
        let (headers, body) = frame(Era::Modern)
            .of(&Bytes::from_static(body.as_bytes()), &params)
            .unwrap();
        for (name, value) in [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?dMOp?="),
            ("mcp-param-region", "eu"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert_eq!(
            body,
            concat!(
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"té","arguments":{ "r":"eu", "n":1e400 },"#,
                r#""_meta":{"v":{ },"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
                r#""io.modelcontextprotocol/clientInfo":{"name":"agent","version":"7"},"#,
                r#""io.modelcontextprotocol/clientCapabilities":{}}}}"#
            )
        );
    }

    #[test]
    fn an_answer_is_translated_for_legacy_readers_only() {
        let answer =
            Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","x":1.0}}"#);
        assert_eq!(frame(Era::Modern).read("tools/call", answer.clone()), answer);
        let plain = br#"{"jsonrpc":"2.0","id":1,"result":{"x":1.0}}"#.as_slice();
        assert_eq!(frame(Era::Legacy).read("tools/call", answer), plain);
    }
}
