//! What one server listed last beside tools.
//!
//! [`super::Directory`] has one for each server. Invariant: bounded whatever the server lists; of an entry no more is kept
//! than what names it.

use std::collections::{BTreeMap, BTreeSet};

use asyncmcp_crds::effective::Server;
use asyncmcp_protocol::listing::{Entry, Kind};
use asyncmcp_protocol::offers::Offers;
use asyncmcp_protocol::subscriptions::List as Changed;
use asyncmcp_protocol::template::Template;

use super::{is_valid_prompt, shown_as};
use crate::servers::Error;
use crate::servers::catalogue::defects::Defects;
use crate::servers::catalogue::fetch::List;
use crate::servers::catalogue::index::more;

/// The most bytes of names, URIs or templates of one kind that are kept of a server. What is beyond is listed, and its reads
/// try the servers in order.
const MAX_BYTES: usize = 1 << 20;
/// The most templates that a URI is compared with.
const MAX_TEMPLATES: usize = 256;
/// How much of a key is shown to people.
const MAX_SHOWN: usize = 128;

/// A list that was fetched, or why it was not.
pub(in crate::servers::catalogue) type Fetched = (Kind, Result<List, Error>);

/// The lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) offers: Offers,
    pub(super) prompts: BTreeSet<String>,
    pub(super) resources: BTreeSet<String>,
    templates: BTreeMap<String, Template>,
    defects: BTreeMap<Kind, Defects>,
    failures: BTreeMap<Kind, String>,
    reported: Option<String>,
}

impl Lists {
    /// Takes what was fetched; returns the lists that have other entries now.
    pub(super) fn take(&mut self, offers: Offers, fetched: Vec<Fetched>) -> Vec<Changed> {
        let prompts = self.prompts.clone();
        let resources = (self.resources.clone(), self.template_keys());
        self.offers = offers;
        for kind in Kind::ALL.into_iter().filter(|kind| !offers.lists(*kind)) {
            self.replace(kind, &[]);
            self.failures.remove(&kind);
            self.defects.remove(&kind);
        }
        for (kind, list) in fetched {
            match list {
                Err(error) => {
                    self.failures
                        .insert(kind, format!("{} failed: {error}", kind.method()));
                }
                Ok(list) => {
                    self.failures.remove(&kind);
                    self.replace(kind, &list.entries);
                    self.defects.insert(kind, list.defects);
                }
            }
        }
        let changed = [
            (Changed::Prompts, prompts != self.prompts),
            (
                Changed::Resources,
                resources.0 != self.resources || resources.1 != self.template_keys(),
            ),
        ];
        let changed = changed.into_iter().filter(|(_, is_changed)| *is_changed);
        changed.map(|(list, _)| list).collect()
    }

    fn template_keys(&self) -> Vec<String> {
        self.templates.keys().cloned().collect()
    }

    fn replace(&mut self, kind: Kind, entries: &[Entry]) {
        let mut bytes = 0;
        let keys = entries.iter().map(Entry::key).take_while(|key| {
            bytes += key.len();
            bytes <= MAX_BYTES
        });
        let keys = keys.map(str::to_owned);
        match kind {
            Kind::Tools => {}
            Kind::Prompts => self.prompts = keys.collect(),
            Kind::Resources => self.resources = keys.collect(),
            Kind::Templates => {
                let parsed = keys.filter_map(|text| Template::parse(&text).map(|template| (text, template)));
                self.templates = parsed.take(MAX_TEMPLATES).collect();
            }
        }
    }

    /// How closely a template of the server matches `uri`.
    pub(super) fn closest(&self, uri: &str) -> Option<usize> {
        let matching = self.templates.values().filter(|template| template.matches(uri));
        matching.map(Template::literals).max()
    }

    pub(super) fn has(&self, kind: Kind, key: &str) -> bool {
        match kind {
            Kind::Tools => false,
            Kind::Prompts => self.prompts.contains(key),
            Kind::Resources => self.resources.contains(key),
            Kind::Templates => self.templates.contains_key(key),
        }
    }

    pub(super) fn keys(&self, kind: Kind) -> Vec<&str> {
        match kind {
            Kind::Tools => Vec::new(),
            Kind::Prompts => self.prompts.iter().map(String::as_str).collect(),
            Kind::Resources => self.resources.iter().map(String::as_str).collect(),
            Kind::Templates => self.templates.keys().map(String::as_str).collect(),
        }
    }

    /// What is wrong with them, in sentences.
    pub(super) fn complaint(&self, server: &Server) -> Option<String> {
        let defects = self
            .defects
            .values()
            .filter_map(|defects| defects.complaint(server));
        let all = self.failures.values().cloned().chain(defects);
        let all: Vec<_> = all.chain(self.unusable(server)).collect();
        Some(all.join("; ")).filter(|text| !text.is_empty())
    }

    /// Prompts whose names no client should see.
    fn unusable(&self, server: &Server) -> Option<String> {
        let is_unusable = |name: &&String| !is_valid_prompt(&shown_as(server, Kind::Prompts, name));
        let names: Vec<_> = self.prompts.iter().filter(is_unusable).collect();
        let name: String = names.first()?.chars().take(MAX_SHOWN).collect();
        let more = more(names.len());
        Some(format!(
            "prompt {name:?}{more} is left out: a name has 1 to 128 characters, none of them a control character"
        ))
    }

    /// What went wrong, if it is not what was reported last.
    pub(super) fn news(&mut self) -> Option<String> {
        let all: Vec<_> = self.failures.values().cloned().collect();
        let now = Some(all.join("; ")).filter(|text| !text.is_empty());
        if now == self.reported {
            return None;
        }
        self.reported.clone_from(&now);
        now
    }
}
