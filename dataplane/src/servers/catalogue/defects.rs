//! What is not as it should be in a server's list, for the people who run the server.
//!
//! [`super::fetch`] collects it, `/status` and the log show it. Invariant: pure, and bounded whatever the server lists;
//! names of the server's are quoted and cut.

use asyncmcp_crds::effective::Server;
use asyncmcp_protocol::listing::{Defect, Kind, MAX_ENTRIES, Page};
use asyncmcp_protocol::tools::{MAX_NAME, is_valid_name};

use super::index::{claim, more};

/// The most pages that are read of a list.
pub(super) const MAX_PAGES: usize = 100;
/// The most defects of a kind that are kept.
const MOST: usize = 1000;

/// The defects of one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Defects {
    kind: Kind,
    left_out: Vec<Defect>,
    corrected: Vec<Defect>,
    unreadable: usize,
    repeated: Option<String>,
    ends_early: bool,
    too_many: bool,
}

impl Defects {
    /// None, of a list of this kind.
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            left_out: Vec::new(),
            corrected: Vec::new(),
            unreadable: 0,
            repeated: None,
            ends_early: false,
            too_many: false,
        }
    }

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

    /// The list has more entries than are read.
    pub(super) fn has_too_many(&mut self) {
        self.too_many = true;
    }

    /// What is wrong with the list of `server`, in sentences. What its filters leave out is of no interest.
    pub(super) fn complaint(&self, server: &Server) -> Option<String> {
        let (noun, method) = (self.kind.noun(), self.kind.method());
        let left_out = self.sentence(&self.left_out, server, "left out");
        let corrected = self.sentence(&self.corrected, server, "corrected");
        let unreadable = (self.unreadable > 0).then(|| {
            format!(
                "{noun}s without a {} are left out ({})",
                self.name(),
                self.unreadable
            )
        });
        let repeated = self.repeated.as_ref().map(|cursor| {
            let cursor = short(cursor);
            format!("nextCursor {cursor:?} of {method} occurs twice; the list ends there")
        });
        let early = self
            .ends_early
            .then(|| format!("{method} has more than {MAX_PAGES} pages; the rest is left out"));
        let many = self
            .too_many
            .then(|| format!("{method} has more than {MAX_ENTRIES} {noun}s; the rest is left out"));
        let all = [left_out, unreadable, corrected, repeated, early, many];
        let all: Vec<_> = all.into_iter().flatten().collect();
        Some(all.join("; ")).filter(|text| !text.is_empty())
    }

    fn sentence(&self, defects: &[Defect], server: &Server, what: &str) -> Option<String> {
        let is_tool = self.kind == Kind::Tools;
        let is_shown = |name: &str| !is_tool || claim(server, name).is_some() || !is_valid_name(name);
        let shown: Vec<_> = defects.iter().filter(|defect| is_shown(&defect.key)).collect();
        let first = shown.first()?;
        let (noun, name, more) = (self.kind.noun(), short(&first.key), more(shown.len()));
        Some(format!("{noun} {name:?}{more} is {what}: {}", first.flaw))
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Tools | Kind::Prompts => "name",
            Kind::Resources | Kind::Templates => "URI",
        }
    }
}

fn extend(known: &mut Vec<Defect>, new: &[Defect]) {
    let room = MOST.saturating_sub(known.len());
    known.extend(new.iter().take(room).map(|defect| Defect {
        key: short(&defect.key),
        flaw: defect.flaw,
    }));
}

fn short(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}
