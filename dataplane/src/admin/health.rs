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
    /// Jobs do not move any more.
    #[error("the delivery engine failed")]
    Failed,
}

/// The process as the kubelet sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    tried: Arc<AtomicBool>,
    ending: CancellationToken,
    failed: CancellationToken,
}

impl Health {
    /// Of a process that ends with `ending` and whose engine fails with `failed`.
    pub fn new(ending: CancellationToken, failed: CancellationToken) -> Self {
        Self {
            tried: Arc::default(),
            ending,
            failed,
        }
    }

    /// Every server was tried once.
    pub fn tried(&self) {
        self.tried.store(true, Ordering::Relaxed);
    }

    /// Jobs move, or did until the end was ordered.
    pub fn alive(&self) -> Result<(), Error> {
        if self.failed.is_cancelled() {
            Err(Error::Failed)
        } else {
            Ok(())
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

    #[test]
    fn a_failed_engine_is_neither_alive_nor_ready_and_an_ending_process_only_not_ready() {
        let (ending, failed) = (CancellationToken::new(), CancellationToken::new());
        let health = Health::new(ending.clone(), failed.clone());
        assert_eq!((health.alive(), health.ready()), (Ok(()), Err(Error::Starting)));
        health.tried();
        assert_eq!(health.ready(), Ok(()));
        ending.cancel();
        assert_eq!((health.alive(), health.ready()), (Ok(()), Err(Error::Ending)));
        failed.cancel();
        assert_eq!(
            (health.alive(), health.ready()),
            (Err(Error::Failed), Err(Error::Failed))
        );
    }
}
