//! A hundred receivers, each a port of its own, that answer 204 after 5 ms.
//!
//! Both sides deliver to the same ones. Invariant: where deliveries are signed every one says so, and one of
//! [`EVERY`] is verified by an implementation that is not ours; to verify all would cost what is measured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use asyncmcp_delivery::signature::SigningKey;
use http::{HeaderMap, HeaderName, HeaderValue};
use standardwebhooks::Webhook;

use crate::book::Book;
use crate::json;
use crate::wire::{self, Answer, Message};

/// How many there are.
pub(crate) const RECEIVERS: usize = 100;
/// What each takes.
const WORK: Duration = Duration::from_millis(5);
/// One delivery of so many is verified.
const EVERY: u64 = 64;
/// What signs, where something does.
pub(crate) const SECRET: &str = "whsec_YmVuY2htYXJrLWRlbGl2ZXJ5LXNpZ25pbmcta2V5";

/// The receivers' ports, and what they found wrong.
pub(crate) struct Receivers {
    /// One for each.
    pub(crate) ports: Vec<u16>,
    badly_signed: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Receiver {
    book: Book,
    signing: Option<SigningKey>,
    seen: Arc<AtomicU64>,
    badly_signed: Arc<AtomicU64>,
}

impl Receivers {
    /// Starts them. Those of `signed` deliveries look at signatures.
    pub(crate) async fn start(book: &Book, signed: bool) -> anyhow::Result<Self> {
        let badly_signed = Arc::default();
        let receiver = Receiver {
            book: book.clone(),
            signing: signed.then(|| SECRET.parse()).transpose()?,
            seen: Arc::default(),
            badly_signed: Arc::clone(&badly_signed),
        };
        let ports = (0..RECEIVERS).map(|_| wire::serve(receiver.clone()));
        let ports: io::Result<Vec<u16>> = futures::future::join_all(ports).await.into_iter().collect();
        let ports = ports?;
        Ok(Self { ports, badly_signed })
    }

    /// Deliveries whose signature was missing or wrong.
    pub(crate) fn badly_signed(&self) -> u64 {
        self.badly_signed.load(Ordering::Relaxed)
    }
}

impl Answer for Receiver {
    async fn answer(&self, request: Message) -> Vec<u8> {
        if !self.is_signed_as_it_should(&request) {
            self.badly_signed.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(WORK).await;
        self.book.delivered(json::id(&request.body).unwrap_or_default());
        wire::response("204 No Content", "", "")
    }
}

impl Receiver {
    fn is_signed_as_it_should(&self, request: &Message) -> bool {
        let Some(signing) = &self.signing else {
            return true;
        };
        if !self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY) {
            return request.header("webhook-signature").is_some();
        }
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(HeaderName::from_static);
        let fields = names.into_iter().filter_map(|name| {
            let value = HeaderValue::from_str(request.header(name.as_str())?).ok()?;
            Some((name, value))
        });
        let headers: HeaderMap = fields.collect();
        // A client named this receiver. The route's key itself is what an earlier commit signs with (`BASE=`).
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        [signing.for_origin(&origin).whsec(), signing.whsec()]
            .iter()
            .filter_map(|key| Webhook::new(key).ok())
            .any(|webhook| webhook.verify(&request.body, &headers).is_ok())
    }
}
