//! What is not as it should be in a server's list of tools, for the people who run the server.
//!
//! [`super::fetch`] collects it, `/status` and the log show it. Invariant: pure, and bounded whatever the server lists;
//! names of the server's are quoted and cut.

use asyncmcp_crds::effective::Server;
use asyncmcp_protocol::tools::{Defect, MAX_NAME, MAX_TOOLS, Page, is_valid_name};

use super::index::{claim, more};

/// The most pages that are read of a list.
pub(super) const MAX_PAGES: usize = 100;
/// The most defects of a kind that are kept.
const MOST: usize = 1000;

/// The defects of one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Defects {
    left_out: Vec<Defect>,
    corrected: Vec<Defect>,
    unreadable: usize,
    repeated: Option<String>,
    ends_early: bool,
    too_many: bool,
}

impl Defects {
    /// Those of one page.
    pub(super) fn add(&mut self, page: &Page) {
        extend(&mut self.left_out, &page.left_out);
        extend(&mut self.corrected, &page.corrected);
        self.unreadable += page.unreadable;
    }

    /// The list came back to a page that it had begun with this cursor.
    pub(super) fn repeats(&mut self, cursor: String) {
        self.repeated = Some(cursor);
    }

    /// The list has more pages than are read.
    pub(super) fn ends_early(&mut self) {
        self.ends_early = true;
    }

    /// The list has more tools than are read.
    pub(super) fn has_too_many(&mut self) {
        self.too_many = true;
    }

    /// What is wrong with the list of `server`, in sentences. What its filters leave out is of no interest.
    pub(super) fn complaint(&self, server: &Server) -> Option<String> {
        let left_out = of(&self.left_out, server, "left out");
        let corrected = of(&self.corrected, server, "corrected");
        let unreadable =
            (self.unreadable > 0).then(|| format!("tools without a name are left out ({})", self.unreadable));
        let repeated = self.repeated.as_ref().map(|cursor| {
            let cursor = short(cursor);
            format!("nextCursor {cursor:?} of tools/list occurs twice; the list ends there")
        });
        let early = self
            .ends_early
            .then(|| format!("tools/list has more than {MAX_PAGES} pages; the rest is left out"));
        let many = self
            .too_many
            .then(|| format!("tools/list has more than {MAX_TOOLS} tools; the rest is left out"));
        let all = [left_out, unreadable, corrected, repeated, early, many];
        let all: Vec<_> = all.into_iter().flatten().collect();
        Some(all.join("; ")).filter(|text| !text.is_empty())
    }
}

fn extend(known: &mut Vec<Defect>, new: &[Defect]) {
    let room = MOST.saturating_sub(known.len());
    known.extend(new.iter().take(room).cloned());
}

fn of(defects: &[Defect], server: &Server, what: &str) -> Option<String> {
    let is_shown = |name: &str| claim(server, name).is_some() || !is_valid_name(name);
    let shown: Vec<_> = defects.iter().filter(|defect| is_shown(&defect.tool)).collect();
    let first = shown.first()?;
    let (name, more) = (short(&first.tool), more(shown.len()));
    Some(format!("tool {name:?}{more} is {what}: {}", first.flaw))
}

fn short(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}
