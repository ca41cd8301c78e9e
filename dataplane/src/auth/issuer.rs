//! One authorization server: its keys, kept up to date while it can be reached and used while it cannot.
//!
//! [`super::jwt`] asks for keys. A task of its own reads them: at the start, every ten minutes, and when a token names a key
//! that is not among them, since issuers rotate their keys. Invariant: keys are replaced by newer keys only, never by
//! nothing; and tokens that name keys of their own invention cause at most one request in ten seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asyncmcp_crds::IssuerReport;
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fetch::{self, Fetcher, Source};
use super::keys::KeySet;
use super::metrics::Metrics;
use crate::caller::respond::access::{Error, Flaw};

/// How often keys are read without anybody asking.
const REFRESH: Duration = Duration::from_mins(10);
/// How often unknown keys may be the reason to read them.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// The pause after a failure, and the longest one after many.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long a request waits for keys that are being read.
const PATIENCE: Duration = Duration::from_secs(5);

/// One issuer. Its task ends with it.
#[derive(Debug)]
pub(super) struct Issuer {
    shared: Arc<Shared>,
    asked: Mutex<Option<Instant>>,
    _ends_the_task: DropGuard,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    fetcher: Fetcher,
    metrics: Metrics,
    wanted: Notify,
    known: watch::Sender<Known>,
}

/// What is known of it.
#[derive(Clone, Debug, Default)]
struct Known {
    keys: Option<Arc<KeySet>>,
    /// What went wrong the last time, if it did.
    problem: Option<String>,
    /// How often reading them ended, in either way.
    tries: u64,
    is_reading: bool,
}

impl Issuer {
    /// Begins to read its keys. Must be called within a runtime.
    pub(super) fn start(source: Source, fetcher: Fetcher, metrics: Metrics) -> Self {
        let shared = Arc::new(Shared {
            source,
            fetcher,
            metrics,
            wanted: Notify::new(),
            // From the beginning: whoever asks before the task began waits for it.
            known: watch::Sender::new(Known {
                is_reading: true,
                ..Known::default()
            }),
        });
        let ended = CancellationToken::new();
        let reading = ended.clone().run_until_cancelled_owned(read(Arc::clone(&shared)));
        tokio::spawn(reading);
        Self {
            shared,
            asked: Mutex::default(),
            _ends_the_task: ended.drop_guard(),
        }
    }

    /// The keys that a token with this header may be signed with; at least one.
    pub(super) async fn keys(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<DecodingKey>, Error> {
        let found = self.shared.fitting(id, algorithm);
        if !found.is_empty() {
            return Ok(found);
        }
        self.newer().await;
        let found = self.shared.fitting(id, algorithm);
        match (found.is_empty(), self.shared.known.borrow().keys.is_some()) {
            (false, _) => Ok(found),
            (true, true) => Err(Error::Token(Flaw::Key)),
            (true, false) => Err(Error::NoKeys),
        }
    }

    /// Why there are no keys at all, once reading them has failed.
    pub(super) fn problem(&self) -> Option<IssuerReport> {
        let known = self.shared.known.borrow();
        let message = known.problem.clone().filter(|_| known.keys.is_none())?;
        let issuer = self.shared.source.issuer.clone();
        Some(IssuerReport { issuer, message })
    }

    /// Waits for keys that are newer, if there may be any.
    async fn newer(&self) {
        let mut known = self.shared.known.subscribe();
        let Known {
            keys,
            tries,
            is_reading,
            ..
        } = known.borrow_and_update().clone();
        if !is_reading && (keys.is_none() || !self.may_ask()) {
            return; // it failed just now and is tried again, or somebody asked just now
        }
        if !is_reading {
            self.shared.wanted.notify_one();
        }
        let next = known.wait_for(|known| known.tries > tries);
        let _ = tokio::time::timeout(PATIENCE, next).await; // what is known then decides
    }

    fn may_ask(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if asked.is_some_and(|before| now.duration_since(before) < ASK_EVERY) {
            return false;
        }
        *asked = Some(now);
        true
    }
}

impl Shared {
    fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<DecodingKey> {
        let keys = self.known.borrow().keys.clone();
        keys.map_or_else(Vec::new, |keys| keys.fitting(id, algorithm))
    }

    /// Takes what was read, or keeps what is known.
    fn take(&self, read: Result<KeySet, fetch::Error>) -> bool {
        let issuer = &self.source.issuer;
        self.metrics.fetched(read.is_ok());
        let is_read = read.is_ok();
        self.known.send_modify(|known| {
            known.tries += 1;
            known.is_reading = false;
            match read {
                Ok(keys) => {
                    let ids = keys.ids();
                    if known.keys.as_ref().is_none_or(|before| before.ids() != ids) {
                        tracing::info!(issuer, keys = ?ids, "read the keys of an issuer");
                    }
                    known.keys = Some(Arc::new(keys));
                    known.problem = None;
                }
                Err(error) => {
                    known.problem = Some(error.without_url());
                    let has_keys = known.keys.is_some();
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::warn!(issuer, error, has_keys, "failed to read the keys of an issuer");
                }
            }
        });
        is_read
    }
}

/// Reads the keys for ever.
async fn read(shared: Arc<Shared>) {
    let mut failures = 0;
    loop {
        shared.known.send_modify(|known| known.is_reading = true);
        let read = shared.fetcher.keys(&shared.source).await;
        if shared.take(read) {
            failures = 0;
            let _ = tokio::time::timeout(REFRESH, shared.wanted.notified()).await;
        } else {
            failures += 1;
            tokio::time::sleep(pause(failures)).await;
        }
    }
}

fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE)
}
