//! What a person should know about the configuration: advice about the route, and keys that cannot be used.
//!
//! `--check` prints it; [`follow`] logs it while the process runs. Invariant: each notice is logged once when it comes and
//! once when it is over, however often the files are read.

use std::collections::BTreeSet;
use std::sync::Arc;

use asyncmcp_crds::effective::Store;
use asyncmcp_crds::summary::{KeyState, warnings};
use asyncmcp_crds::{advice, summary};

use super::{Config, Live, Source};

impl Config {
    /// The keys that the route references, and whether they can be used.
    pub fn key_states(&self) -> Vec<KeyState> {
        let unusable = self.unusable_keys();
        let missing = self.refs.missing();
        let trouble = |key: &String| {
            let unusable = unusable.iter().find(|unusable| unusable.key == *key);
            let is_missing = missing.contains(key).then(|| "cannot be read".to_owned());
            unusable.map(|unusable| unusable.message.clone()).or(is_missing)
        };
        let keys = self.refs.keys().into_iter();
        let states = keys.map(|key| KeyState {
            trouble: trouble(&key),
            key,
        });
        states.collect()
    }

    /// The signing keys that can be used, by name.
    fn signing_keys(&self) -> Vec<String> {
        let keys = self.route.webhook.signing.iter();
        let usable = keys.filter(|named| self.refs.signing_key(named).is_ok());
        usable
            .map(|named| format!("{}/{}", named.name, named.key))
            .collect()
    }
}

/// All notices about a configuration that was read from `source`.
pub fn notices(source: &Source, config: &Config) -> Vec<String> {
    let keys = config.key_states();
    let directory = source.directory_trouble().filter(|_| !keys.is_empty());
    let all = directory
        .into_iter()
        .chain(warnings(&advice(&config.route), &keys));
    all.collect()
}

/// The report of `--check`.
pub fn report(source: &Source, config: &Config) -> (String, usize) {
    let notices = notices(source, config);
    let text = summary::report(&config.route, &config.key_states(), &notices);
    (text, notices.len())
}

/// Logs notices as they come and go, until the process ends.
pub async fn follow(source: Source, mut live: Live) {
    let first = Arc::clone(&live.borrow_and_update());
    let mut known = Known {
        store: store(&first),
        keys: first.signing_keys(),
        notices: BTreeSet::new(),
    };
    known.look(&source, &first);
    while live.changed().await.is_ok() {
        let config = Arc::clone(&live.borrow_and_update());
        known.look(&source, &config);
    }
}

/// What was logged.
struct Known {
    /// The store that the process was started with.
    store: &'static str,
    keys: Vec<String>,
    notices: BTreeSet<String>,
}

impl Known {
    fn look(&mut self, source: &Source, config: &Config) {
        let mut now: BTreeSet<String> = notices(source, config).into_iter().collect();
        if store(config) != self.store {
            let used = self.store;
            now.insert(format!(
                "spec.store: the change takes effect at the next start; in use is {used}"
            ));
        }
        for notice in now.difference(&self.notices) {
            tracing::warn!(notice, "the configuration needs attention");
        }
        for notice in self.notices.difference(&now) {
            tracing::info!(notice, "the configuration no longer needs attention");
        }
        self.notices = now;
        let keys = config.signing_keys();
        if keys != self.keys {
            tracing::info!(keys = keys.join(", "), "the signing keys in use changed");
            self.keys = keys;
        }
    }
}

fn store(config: &Config) -> &'static str {
    match config.route.store {
        Store::Embedded(_) => "embedded",
        Store::Memory => "memory",
    }
}
