//! The prompts that one client sees, and whose each is.
//!
//! Called through [`super::Catalogue`]. Invariant: no name stands in the list that a `prompts/get` would take to another
//! server.

use std::collections::HashSet;
use std::time::Duration;

use asyncmcp_protocol::listing::{Entry, Kind};
use tokio::time::{Instant, timeout_at};

use super::answers::Unlisted;
use super::directory::{Owner, Prompt, is_valid_prompt, shown_as, sorted};
use super::{Catalogue, FIRST_VISITS};
use crate::caller::Caller;

/// What a name of a prompt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedPrompt {
    /// A prompt.
    Prompt(Prompt),
    /// Nothing: every server that could have it was listed without it.
    Unknown,
    /// Perhaps a prompt of this server, which was never listed.
    Unavailable {
        /// The server.
        server: String,
    },
}

/// The entries that one client sees, or a page of them.
#[derive(Debug)]
pub struct Entries {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
    /// Whether every server that the caller may use is in it, as far as the page goes.
    pub is_whole: bool,
    /// How long it may be kept, if a server says.
    pub ttl: Option<Duration>,
    /// Whether a server lists it for this caller alone.
    pub is_private: bool,
}

impl Catalogue {
    /// The prompts that `caller` sees, on one page. A server that does not answer is left out, or fails the list.
    pub async fn prompts(&self, caller: &Caller) -> Result<Entries, Unlisted> {
        let (config, _) = self.snapshot();
        let answers = self.ask_all(&config.route, caller, Kind::Prompts).await?;
        let (mut seen, sorted) = (HashSet::new(), sorted(&config.route));
        let mut page = Entries {
            entries: Vec::new(),
            next_cursor: None,
            is_whole: answers.is_whole,
            ttl: answers.ttl(),
            is_private: answers.is_private(),
        };
        for (server, list) in answers.lists {
            for mut entry in list.entries {
                let name = shown_as(server, Kind::Prompts, entry.key());
                if !is_valid_prompt(&name) {
                    continue;
                }
                match self.directory().prompt(&sorted, &name) {
                    Owner::Known(prompt) if prompt.server != server.name => continue,
                    Owner::Known(_) => {}
                    Owner::Nobody | Owner::Unavailable(_) => self.list_again(&server.name),
                }
                if seen.insert(name.clone()) {
                    entry.rename(&name);
                    page.entries.push(entry);
                }
            }
        }
        Ok(page)
    }

    /// Whose the prompt `shown_as` is. Waits a little for servers that could have a better claim and were not tried since
    /// the start.
    pub async fn resolve_prompt(&self, shown_as: &str) -> ResolvedPrompt {
        let deadline = Instant::now() + FIRST_VISITS;
        let mut tried = self.directory().tried();
        loop {
            let (config, _) = self.snapshot();
            let sorted = sorted(&config.route);
            let owner = self.directory().prompt(&sorted, shown_as);
            let rivals = self.directory().rivals(&sorted, shown_as);
            let is_settled = rivals.iter().all(|server| self.directory().was_tried(server));
            if is_settled || !matches!(timeout_at(deadline, tried.changed()).await, Ok(Ok(()))) {
                return owner.into();
            }
        }
    }
}

impl From<Owner<Prompt>> for ResolvedPrompt {
    fn from(owner: Owner<Prompt>) -> Self {
        match owner {
            Owner::Known(prompt) => Self::Prompt(prompt),
            Owner::Nobody => Self::Unknown,
            Owner::Unavailable(server) => Self::Unavailable { server },
        }
    }
}
