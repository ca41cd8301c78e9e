//! When the API server was last heard, by each watch and at all. Written by `limits`, read by the admin port and at each
//! scrape.
//!
//! A watch that hears nothing shows the cluster as it was, without any error. So silence itself is measured: every answer,
//! part of an answer and orderly end of a watch counts.
//!
//! Invariant: a watch counts from its first request on; one that was never answered is silent since then.

use http::{Method, Uri};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A watch that was silent for this long is reported as not ready. A working one is heard every 40 s.
pub(crate) const LATE: Duration = Duration::from_mins(2);
/// A watch that was silent for this long although the API server answers fails `/livez`.
pub(crate) const DEAF: Duration = Duration::from_mins(3);
/// The API server answers: it did within this time.
const RECENT: Duration = Duration::from_secs(30);

/// A request of a watch: the initial list, or the watch itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    path: String,
    /// The watch itself, not the list.
    pub(super) is_open: bool,
}

impl Watch {
    /// `None` for any other request. Only watchers ask for lists in pages.
    pub(super) fn of(method: &Method, uri: &Uri) -> Option<Self> {
        let has = |name: &str| {
            uri.query()
                .unwrap_or_default()
                .split('&')
                .any(|pair| pair.starts_with(name))
        };
        let is_open = has("watch=");
        let is_watch = method == Method::GET && (is_open || has("limit="));
        is_watch.then(|| Self {
            path: uri.path().to_owned(),
            is_open,
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    /// The last answer of any kind.
    answer: Instant,
    /// The last answer that was not an error.
    success: Instant,
}

#[derive(Debug, Default)]
struct State {
    watches: BTreeMap<String, Heard>,
    /// The last answer to any request.
    answer: Option<Instant>,
}

/// What was heard of the API server, and when.
#[derive(Clone, Debug)]
pub(crate) struct Hearing {
    state: Arc<Mutex<State>>,
    /// Set at each scrape.
    silent: GaugeVec,
}

impl Default for Hearing {
    fn default() -> Self {
        let silent = Opts::new(
            "asyncmcp_operator_watch_silent_seconds",
            "Time since a watch of a resource last received anything but an error, in seconds. It is normally below 60.",
        );
        Self {
            state: Arc::default(),
            silent: GaugeVec::new(silent, &["resource"]).expect("the name is valid"),
        }
    }
}

impl Hearing {
    pub(super) fn asked(&self, watch: &Watch) {
        let now = Instant::now();
        let first = Heard {
            answer: now,
            success: now,
        };
        self.lock().watches.entry(watch.path.clone()).or_insert(first);
    }

    pub(super) fn answered(&self, watch: Option<&Watch>, success: bool) {
        let now = Instant::now();
        let mut state = self.lock();
        state.answer = Some(now);
        let Some(heard) = watch.and_then(|watch| state.watches.get_mut(&watch.path)) else {
            return;
        };
        heard.answer = now;
        if success {
            heard.success = now;
        }
    }

    /// The watches that have received nothing but errors, or nothing at all, for longer than [`LATE`].
    pub(crate) fn late(&self) -> Vec<String> {
        let late = |(resource, silent): (String, Duration)| {
            (silent > LATE).then(|| {
                format!(
                    "the watch of {resource} has heard nothing for {} s",
                    silent.as_secs()
                )
            })
        };
        self.silence().into_iter().filter_map(late).collect()
    }

    /// A watch without any answer for longer than [`DEAF`], while the API server answers other requests. Then the fault is
    /// in this process or its connections, and a restart helps. While the API server answers nobody, or answers with
    /// errors, a restart would only lose the caches.
    pub(crate) fn deaf(&self) -> Option<String> {
        let state = self.lock();
        state.answer.filter(|answer| answer.elapsed() < RECENT)?;
        let deaf = state
            .watches
            .iter()
            .find(|(_, heard)| heard.answer.elapsed() > DEAF);
        deaf.map(|(path, _)| format!("the watch of {path} is deaf, although the API server answers"))
    }

    /// How long ago each resource was heard, at its most silent watch.
    fn silence(&self) -> BTreeMap<String, Duration> {
        let mut silence = BTreeMap::new();
        for (path, heard) in &self.lock().watches {
            let resource = path.rsplit('/').next().unwrap_or_default().to_owned();
            let longest: &mut Duration = silence.entry(resource).or_default();
            *longest = (*longest).max(heard.success.elapsed());
        }
        silence
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Hearing {
    fn desc(&self) -> Vec<&Desc> {
        self.silent.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (resource, time) in self.silence() {
            self.silent
                .with_label_values(&[&resource])
                .set(time.as_secs_f64());
        }
        self.silent.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn watch(path: &'static str) -> Watch {
        let uri = Uri::from_static(path);
        Watch::of(&Method::GET, &uri).unwrap()
    }

    #[test]
    fn only_requests_of_watchers_count() {
        let of = |method, uri| Watch::of(&method, &Uri::from_static(uri));
        assert!(of(Method::GET, "/api/v1/pods?&limit=500").is_some_and(|watch| !watch.is_open));
        assert!(of(Method::GET, "/api/v1/pods?&watch=true").is_some_and(|watch| watch.is_open));
        assert_eq!(
            of(Method::GET, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b?"),
            None
        );
        assert_eq!(of(Method::POST, "/api/v1/namespaces/a/pods?limit=1"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_deaf_alone_fails_and_one_that_is_refused_is_only_late() {
        let hearing = Hearing::default();
        let (deaf, refused) = (watch("/api/v1/pods?watch=1"), watch("/api/v1/secrets?watch=1"));
        for watch in [&deaf, &refused] {
            hearing.asked(watch);
        }
        advance(DEAF + Duration::from_secs(1)).await;
        assert_eq!(
            hearing.deaf(),
            None,
            "nobody hears anything: the API server is away"
        );
        hearing.answered(Some(&refused), false);
        assert!(hearing.deaf().is_some_and(|text| text.contains("/api/v1/pods")));
        let late = hearing.late();
        assert!(
            late[0].contains("pods has heard nothing for 181 s") && late[1].contains("secrets"),
            "{late:?}"
        );
        hearing.answered(Some(&deaf), true);
        assert_eq!(hearing.deaf(), None);
        assert_eq!(hearing.late().len(), 1);
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&hearing.collect())
            .unwrap();
        assert!(
            text.contains("watch_silent_seconds{resource=\"secrets\"} 181"),
            "{text}"
        );
        assert!(
            text.contains("watch_silent_seconds{resource=\"pods\"} 0"),
            "{text}"
        );
    }
}
