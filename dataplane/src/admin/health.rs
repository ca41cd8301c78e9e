//! Whether the process lives and is ready.
//!
//! [`super`] answers `/livez` and `/readyz` from it, [`crate::app`] feeds it. Invariant: a server or a store that is down
//! changes nothing here, since ordinary calls, or calls to other servers, still work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// What is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Some server was not tried yet: a name could still turn out to be its tool.
    #[error("not every server was tried once")]
    Starting,
    /// The process is ending.
    #[error("the process is ending")]
    Ending,
    /// The store failed for good.
    #[error("the store failed three times in a row")]
    Store,
    /// The delivery engine failed for good.
    #[error("the delivery engine failed")]
    Engine,
}

/// The process as the kubelet sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    tried: Arc<AtomicBool>,
    ending: CancellationToken,
    store: CancellationToken,
    engine: CancellationToken,
}

impl Health {
    /// Of a process that ends with `ending`, and whose store and engine have failed for good when their tokens fire.
    pub fn new(ending: CancellationToken, store: CancellationToken, engine: CancellationToken) -> Self {
        Self {
            tried: Arc::default(),
            ending,
            store,
            engine,
        }
    }

    /// Every server was tried once.
    pub fn tried(&self) {
        self.tried.store(true, Ordering::Relaxed);
    }

    /// Neither the store nor the engine has failed for good. The process ends by itself then, but first waits for what
    /// still runs; until then this is how others see it.
    pub fn alive(&self) -> Result<(), Error> {
        match (self.store.is_cancelled(), self.engine.is_cancelled()) {
            (true, _) => Err(Error::Store),
            (false, true) => Err(Error::Engine),
            (false, false) => Ok(()),
        }
    }

    /// Returns when the store or the engine has failed for good.
    pub async fn failed(&self) -> Error {
        tokio::select! {
            () = self.store.cancelled() => Error::Store,
            () = self.engine.cancelled() => Error::Engine,
        }
    }

    /// Every server was tried once, and the process is not ending.
    pub fn ready(&self) -> Result<(), Error> {
        self.alive()?;
        if self.ending.is_cancelled() {
            Err(Error::Ending)
        } else if self.tried.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(Error::Starting)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_failed_for_good_is_named_by_both_questions_and_an_ending_process_is_alive() {
        for part in [Error::Store, Error::Engine] {
            let [ending, store, engine] = std::array::from_fn(|_| CancellationToken::new());
            let health = Health::new(ending.clone(), store.clone(), engine.clone());
            assert_eq!((health.alive(), health.ready()), (Ok(()), Err(Error::Starting)));
            health.tried();
            assert_eq!(health.ready(), Ok(()));
            ending.cancel();
            assert_eq!((health.alive(), health.ready()), (Ok(()), Err(Error::Ending)));
            match part {
                Error::Store => store.cancel(),
                _ => engine.cancel(),
            }
            assert_eq!(
                (health.alive(), health.ready(), health.failed().await),
                (Err(part), Err(part), part)
            );
        }
    }
}
