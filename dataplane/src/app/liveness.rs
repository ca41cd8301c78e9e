//! Whether this process can still do its work.
//!
//! `/livez` and `main` ask it. Invariant: what failed here does not come back; only a new process helps.

use tokio_util::sync::CancellationToken;

/// What cannot fail for good without the process ending.
pub struct Liveness {
    store: CancellationToken,
    engine: CancellationToken,
}

/// What failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The store.
    #[error("the store failed three times in a row")]
    Store,
    /// The delivery engine.
    #[error("the delivery engine failed")]
    Engine,
}

impl Liveness {
    /// Each token fires when its part fails for good.
    pub(super) fn new(store: CancellationToken, engine: CancellationToken) -> Self {
        Self { store, engine }
    }

    /// What has failed, if anything has.
    pub fn check(&self) -> Result<(), Failed> {
        match (self.store.is_cancelled(), self.engine.is_cancelled()) {
            (true, _) => Err(Failed::Store),
            (false, true) => Err(Failed::Engine),
            (false, false) => Ok(()),
        }
    }

    /// Returns when something has failed.
    pub async fn failed(&self) -> Failed {
        tokio::select! {
            () = self.store.cancelled() => Failed::Store,
            () = self.engine.cancelled() => Failed::Engine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_failed_for_good_is_named_by_both_questions() {
        for part in [Failed::Store, Failed::Engine] {
            let (store, engine) = (CancellationToken::new(), CancellationToken::new());
            let liveness = Liveness::new(store.clone(), engine.clone());
            assert_eq!(liveness.check(), Ok(()));
            match part {
                Failed::Store => store.cancel(),
                Failed::Engine => engine.cancel(),
            }
            assert_eq!((liveness.check(), liveness.failed().await), (Err(part), part));
        }
    }
}
