//! The client's end: sessions that name a receiver at `initialize`, as asyncmcp's client does, and their calls.
//!
//! One client for both sides. Invariant: a call is acknowledged when the head of its answer is there; with
//! asyncmcp that answer never ends and its connection must stay open, or it drops the result.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::PAYLOAD;
use crate::tool;
use crate::wire::{self, Wire};

/// How an acknowledgement looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    /// An answer that ends: the connection is free for the next call.
    Whole,
    /// The head of one that does not.
    Head,
}

/// One session, and its idle connections.
pub(crate) struct Session {
    /// By it the data plane tells it from other clients.
    address: Ipv4Addr,
    port: u16,
    id: String,
    acknowledgement: Acknowledgement,
    idle: Mutex<Vec<Wire>>,
}

/// A call that was acknowledged.
pub(crate) struct Acknowledged {
    /// When.
    pub(crate) at: Instant,
    /// To be given back when the delivery was there.
    wire: Wire,
}

impl Session {
    /// Opens one on the endpoint at `port` whose results go to the receiver at `receiver`.
    pub(crate) async fn open(
        port: u16,
        receiver: u16,
        acknowledgement: Acknowledgement,
    ) -> Result<Arc<Self>> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"2025-06-18","capabilities":{{}},"clientInfo":{{"name":"bench","version":"1"}},"_meta":{{"webhookUrl":"http://127.0.0.1:{receiver}/webhook"}}}}}}"#
        );
        let address = address();
        let answer = once((address, port), "", &body).await?;
        let id =
            wire::header(&answer, "mcp-session-id").with_context(|| format!("no session: {answer:?}"))?;
        let session = Self {
            address,
            port,
            id: id.to_owned(),
            acknowledgement,
            idle: Mutex::default(),
        };
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        once((address, port), &session.headers(), initialized).await?;
        Ok(Arc::new(session))
    }

    /// Makes a call; returns when it is acknowledged.
    pub(crate) async fn call(&self, id: u64) -> Result<Acknowledged> {
        self.post(&call(id)).await
    }

    /// Makes the call in `body`; returns when it is acknowledged.
    pub(crate) async fn post(&self, body: &str) -> Result<Acknowledged> {
        let request = request(&self.headers(), body);
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut wire = match kept {
            Some(wire) => wire,
            None => Wire::connect_from(self.address, self.port).await?,
        };
        wire.send(&request).await?;
        let head = match self.acknowledgement {
            Acknowledgement::Whole => wire.message().await?.head,
            Acknowledgement::Head => wire.head().await?,
        };
        let status = head.get(9..12).unwrap_or_default();
        anyhow::ensure!(status.starts_with(b"20"), "a call was refused: {head:?}");
        let at = Instant::now();
        Ok(Acknowledged { at, wire })
    }

    /// The delivery of this call was there.
    pub(crate) fn finish(&self, call: Acknowledged) {
        if self.acknowledgement == Acknowledgement::Whole {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(call.wire);
        }
    }

    /// Forgets its connections: they led to a process that is gone.
    pub(crate) fn disconnect(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn headers(&self) -> String {
        format!(
            "mcp-session-id: {}\r\nmcp-protocol-version: 2025-06-18\r\n",
            self.id
        )
    }
}

/// A loopback address that no other session has.
fn address() -> Ipv4Addr {
    static SESSIONS: AtomicU32 = AtomicU32::new(1);
    let [_, high, middle, low] = SESSIONS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, high.wrapping_add(1), middle, low)
}

fn call(id: u64) -> String {
    let (name, text) = (tool::NAME, "x".repeat(PAYLOAD));
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}","arguments":{{"text":"{text}"}}}}}}"#
    )
}

fn request(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One exchange on a connection of its own.
async fn once((address, port): (Ipv4Addr, u16), headers: &str, body: &str) -> io::Result<bytes::Bytes> {
    let mut wire = Wire::connect_from(address, port).await?;
    wire.send(&request(&format!("connection: close\r\n{headers}"), body))
        .await?;
    wire.rest().await
}
