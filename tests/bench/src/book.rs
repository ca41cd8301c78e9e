//! Which calls are under way, and who waits for their delivery.
//!
//! The load writes calls down, receivers cross them off. Invariant: a call is delivered once here; whatever
//! else comes under its id is counted as a repetition.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

/// All calls of one run. Clones are the same book.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Pages>);

#[derive(Default)]
struct Pages {
    open: Mutex<HashMap<u64, oneshot::Sender<Instant>>>,
    last: AtomicU64,
    delivered: AtomicU64,
    repeated: AtomicU64,
}

impl Book {
    /// Writes a call down: its id, and what tells when it was delivered.
    pub(crate) fn open(&self) -> (u64, oneshot::Receiver<Instant>) {
        let id = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (send, receive) = oneshot::channel();
        self.pages().insert(id, send);
        (id, receive)
    }

    /// Crosses off what was delivered just now.
    pub(crate) fn delivered(&self, id: &str) {
        let open = id.parse().ok().and_then(|id: u64| self.pages().remove(&id));
        let Some(open) = open else {
            self.0.repeated.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.0.delivered.fetch_add(1, Ordering::Relaxed);
        // The load may have ended meanwhile.
        let _ = open.send(Instant::now());
    }

    /// Deliveries so far.
    pub(crate) fn count(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    /// Deliveries that came more than once.
    pub(crate) fn repeated(&self) -> u64 {
        self.0.repeated.load(Ordering::Relaxed)
    }

    /// Calls that nothing was delivered for.
    pub(crate) fn missing(&self) -> usize {
        self.pages().len()
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Instant>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
