//! The ends that a hostile client's calls go to: a server that answers badly, and receivers that hang or refuse.
//!
//! Invariant: none of them ever closes a connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::json;
use crate::tool;
use crate::wire::{self, Answer, Message};

/// The tool whose answer stops half way.
pub(crate) const HALF: &str = "half";
/// The tool whose calls are too large for its server.
pub(crate) const REFUSED: &str = "refused";
/// What comes of an answer that stops half way, in bytes.
const HALVES: usize = 70 << 10;

#[derive(Clone)]
struct Server;

impl Answer for Server {
    async fn answer(&self, request: Message) -> Vec<u8> {
        if !request.head.starts_with(b"POST") {
            return wire::response("405 Method Not Allowed", "", "");
        }
        let Some(id) = json::id(&request.body) else {
            return wire::response("202 Accepted", "", "");
        };
        match tool::about(&request.body, &[HALF, REFUSED]) {
            Some(result) => tool::response(id, &result),
            None if request.body.len() > HALVES => wire::response("413 Content Too Large", "", ""),
            // The body of an answer without a length ends with its connection.
            None => {
                let begun = "x".repeat(HALVES);
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {begun}")
                    .into_bytes()
            }
        }
    }
}

#[derive(Clone, Default)]
struct Hanging(Arc<AtomicUsize>);

impl Answer for Hanging {
    async fn answer(&self, _: Message) -> Vec<u8> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

#[derive(Clone, Default)]
struct Refusing(Arc<AtomicUsize>);

impl Answer for Refusing {
    async fn answer(&self, _: Message) -> Vec<u8> {
        self.0.fetch_add(1, Ordering::Relaxed);
        wire::response("410 Gone", "", "")
    }
}

/// All of them, by their ports.
pub(crate) struct Ends {
    pub(crate) server: u16,
    pub(crate) hanging: u16,
    pub(crate) refusing: u16,
    hung: Hanging,
    refused: Refusing,
}

impl Ends {
    pub(crate) async fn start() -> io::Result<Self> {
        let (hung, refused) = (Hanging::default(), Refusing::default());
        Ok(Self {
            server: wire::serve(Server).await?,
            hanging: wire::serve(hung.clone()).await?,
            refusing: wire::serve(refused.clone()).await?,
            hung,
            refused,
        })
    }

    /// Deliveries that were begun at the receiver that hangs, and those that the other one refused.
    pub(crate) fn deliveries(&self) -> [usize; 2] {
        [&self.hung.0, &self.refused.0].map(|count| count.load(Ordering::Relaxed))
    }
}
