//! Follows the route document and its Secrets while the process runs.
//!
//! It polls the files four times a second instead of waiting for a notification: a kubelet swaps a
//! directory link, an editor renames or rewrites, and no notification covers both. A poll is a
//! handful of `stat` calls. Invariant: level-triggered, so a change that happens while another is
//! being read is seen by the next poll, and what cannot be read is refused only if it is the same at the next poll.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prometheus::{IntCounterVec, Opts, Registry};
use tokio::sync::watch;

use super::{Config, Live, Source};

const POLL_EVERY: Duration = Duration::from_millis(250);

/// The metadata of each file: while it is the same, the contents are assumed to be.
type Metadata = Vec<Option<(SystemTime, u64)>>;

/// Publishes each configuration that the files lead to.
pub struct Watch {
    source: Source,
    live: watch::Sender<Arc<Config>>,
    reloads: IntCounterVec,
    seen: Metadata,
    /// What could not be read at the last poll: it may be half written.
    doubtful: Option<Metadata>,
}

impl Watch {
    /// Begins with `first`, which was read from `source`.
    pub fn new(source: Source, first: Config, registry: &Registry) -> Result<Self, prometheus::Error> {
        let reloads = IntCounterVec::new(
            Opts::new(
                "asyncmcp_config_reloads_total",
                "Changed route documents and Secrets that were read.",
            ),
            &["outcome"],
        )?;
        for outcome in ["accepted", "refused"] {
            reloads.with_label_values(&[outcome]);
        }
        registry.register(Box::new(reloads.clone()))?;
        Ok(Self {
            source,
            live: watch::Sender::new(Arc::new(first)),
            reloads,
            seen: Metadata::new(),
            doubtful: None,
        })
    }

    /// The channel that everything live reads.
    pub fn live(&self) -> Live {
        self.live.subscribe()
    }

    /// Polls until the process ends.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(POLL_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.poll_once();
        }
    }

    /// Reads the files again if one changed.
    pub fn poll_once(&mut self) {
        let files = self.source.files(&self.live.borrow().refs);
        let now = metadata(&files);
        if now == self.seen {
            return;
        }
        let read = self.source.read();
        if metadata(&files) != now {
            return; // they changed meanwhile: a certificate could be the old one, its private key the new one
        }
        if read.is_err() && self.doubtful.as_ref() != Some(&now) {
            self.doubtful = Some(now);
            return; // some editors empty a file before they write it: the next poll decides
        }
        self.doubtful = None;
        self.seen = now;
        match read {
            Ok(config) if config == **self.live.borrow() => {}
            Ok(config) => self.accept(config),
            Err(error) => self.refuse(&error),
        }
    }

    fn accept(&mut self, config: Config) {
        self.reloads.with_label_values(&["accepted"]).inc();
        tracing::info!(hash = %config.hash, "configuration changed");
        self.live.send_replace(Arc::new(config));
        // The new route may refer to files that were not polled: the next poll reads again.
        self.seen.clear();
    }

    fn refuse(&self, error: &super::Error) {
        self.reloads.with_label_values(&["refused"]).inc();
        tracing::error!(%error, "route change rejected; still serving the previous one");
        let refused = self.source.refused(error);
        self.live
            .send_modify(|config| Arc::make_mut(config).refused = Some(refused));
    }
}

fn metadata(files: &[PathBuf]) -> Metadata {
    let at = |file: &PathBuf| {
        let data = std::fs::metadata(file).ok()?;
        Some((data.modified().ok()?, data.len()))
    };
    files.iter().map(at).collect()
}
