//! An answer that its client can read on after its connection broke: GET with `Last-Event-ID` (2025-11-25, "Resumability and
//! Redelivery").
//!
//! [`super::forward`] records the stream of each legacy client's call here, [`crate::edge`] asks for each such GET. An event's
//! id is sealed, like a session's, and names the session, the stream and the next message. Invariant: an id opens for the
//! session that it was made for and for no other, and whoever may resume gets a response: the call's, or an error that says
//! what is known of it.

mod kept;
mod recording;

use std::sync::Arc;

use asyncmcp_protocol::sse::Event;
use asyncmcp_protocol::{Id, RawValue};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use self::kept::Kept;
pub(super) use self::kept::{Reader, Recorder};
use self::recording::{Found, Name, Recording};
use crate::caller::answer::Answer;
use crate::caller::respond::Error;
use crate::caller::session::seal::Ring;
use crate::caller::{Caller, Scope};

/// What event ids are sealed for, so that no other sealed text passes for one.
const PURPOSE: &str = "event";
/// Under a longer id of a request, event ids would be longer than proxies pass a header on.
const MAX_REQUEST_ID: usize = 512;
/// When clients come back whose connection broke, in milliseconds.
const RETRY: u64 = 1000;

/// The answers that clients can read on.
#[derive(Clone, Debug)]
pub struct Resumable {
    ring: Arc<Ring>,
    route: String,
    kept: Kept,
}

/// What an event id says: where a stream is read on.
#[derive(Serialize, Deserialize)]
struct Place {
    scope: [u8; 16],
    stream: Name,
    next: u64,
    request: Box<RawValue>,
}

impl Resumable {
    /// Seals with `ring` for the route of this identity. Must be called within a runtime.
    pub fn start(ring: Arc<Ring>, route: String) -> Self {
        let kept = Kept::start();
        Self { ring, route, kept }
    }

    /// Records the answer to `request`, if its caller can resume.
    pub(super) fn record(&self, caller: &Caller, request: &Id) -> Option<(Recorder, Reader)> {
        let scope = caller.scope.filter(|_| caller.can_resume())?;
        if request.raw().get().len() > MAX_REQUEST_ID {
            return None;
        }
        let recording = Recording::new(scope, &caller.account, request.clone());
        Some(self.kept.add(recording))
    }

    /// The stream as `caller` reads it.
    pub(super) fn answer(&self, caller: &Caller, reader: Reader) -> Answer {
        let primed = caller.version.has_priming_events();
        let first = primed.then(|| self.event(reader.recording(), 0, Bytes::new()));
        Answer::Resumable(self.stream(reader.known(), first, false))
    }

    /// Reads the stream on of which `caller` saw the event `last`.
    pub(crate) fn resume(&self, caller: &Caller, last: &str) -> Result<Answer, Error> {
        let (place, request) = self.open(caller.scope, last).ok_or(Error::EventId)?;
        let Some(reader) = self.kept.read(&place.stream, place.next) else {
            tracing::info!("a stream cannot be resumed: it is not kept");
            let events = stream::once(std::future::ready(gone(request)));
            return Ok(Answer::Resumable(events.boxed()));
        };
        let primed = caller.version.has_priming_events();
        let first = primed.then(|| self.event(reader.recording(), place.next, Bytes::new()));
        Ok(Answer::Resumable(self.stream(reader, first, true)))
    }

    /// The rest of it. Who comes back for a response that there is not gets an error; who has stayed sees the end, as with
    /// every call that it cancelled itself.
    fn stream(&self, reader: Reader, first: Option<Event>, comes_back: bool) -> BoxStream<'static, Event> {
        let this = self.clone();
        let rest = stream::unfold((this, Some(reader)), move |(this, reader)| async move {
            let mut reader = reader?;
            let found = reader.next().await;
            let recording = reader.recording();
            match found {
                Found::Message(number, message) => {
                    let event = this.event(recording, number + 1, message);
                    Some((event, (this, Some(reader))))
                }
                Found::NoResponse if comes_back => Some((gone(recording.request.clone()), (this, None))),
                Found::End | Found::NoResponse | Found::TakenOver | Found::Later => None,
            }
        });
        stream::iter(first).chain(rest).boxed()
    }

    /// An event after which its client reads the stream on at the message `next`. Without data it primes the client.
    fn event(&self, recording: &Recording, next: u64, data: Bytes) -> Event {
        Event {
            id: Some(self.seal(recording, next)),
            event: (!data.is_empty()).then(|| "message".to_owned()),
            retry: data.is_empty().then_some(RETRY),
            data: Some(data),
        }
    }

    fn seal(&self, recording: &Recording, next: u64) -> String {
        let place = Place {
            scope: recording.scope.0,
            stream: recording.name,
            next,
            request: recording.request.raw().to_owned(),
        };
        let plain = serde_json::to_vec(&place).expect("numbers and texts serialise");
        self.ring.seal(PURPOSE, &self.route, &plain, rand::random())
    }

    fn open(&self, scope: Option<Scope>, id: &str) -> Option<(Place, Id)> {
        let plain = self.ring.open(PURPOSE, &self.route, id)?;
        let place: Place = serde_json::from_slice(&plain).ok()?;
        let request = Id::parse(&place.request).ok()?;
        (Some(place.scope) == scope.map(|scope| scope.0)).then_some((place, request))
    }
}

/// The response where the call's own is not kept.
fn gone(request: Id) -> Event {
    Event {
        event: Some("message".to_owned()),
        data: Some(Error::NotKept.to_response(Some(request))),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumable() -> Resumable {
        Resumable::start(Arc::new(Ring::random()), "default/route".to_owned())
    }

    fn recording(session: u8) -> Recording {
        Recording::new(Scope([session; 16]), "a", Id::text("call"))
    }

    #[tokio::test]
    async fn an_id_opens_for_its_session_alone_and_not_with_one_bit_changed() {
        let (resumable, recording) = (resumable(), recording(1));
        let id = resumable.seal(&recording, 7);
        let (place, request) = resumable.open(Some(recording.scope), &id).unwrap();
        assert_eq!(
            (place.stream, place.next, request),
            (recording.name, 7, recording.request)
        );
        assert!(resumable.open(Some(Scope([2; 16])), &id).is_none());
        assert!(resumable.open(None, &id).is_none());
        for bit in 0..8 * id.len() {
            let mut changed = id.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = String::from_utf8(changed) {
                assert!(
                    resumable.open(Some(recording.scope), &changed).is_none(),
                    "bit {bit}"
                );
            }
        }
    }

    #[tokio::test]
    async fn the_longest_id_passes_proxies() {
        let longest = Id::text(&"x".repeat(MAX_REQUEST_ID - 2));
        let recording = Recording::new(Scope([255; 16]), "a", longest);
        let id = resumable().seal(&recording, u64::MAX);
        assert!(id.len() <= crate::caller::session::MAX_ID_CHARS, "{}", id.len());
    }
}
