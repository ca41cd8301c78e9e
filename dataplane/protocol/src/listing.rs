//! The lists of servers: parses their pages, and writes the pages that clients get.
//!
//! The catalogue parses the pages of servers with it; `tools` and `modern` write lists for clients.
//!
//! Invariant: an invalid entry is corrected or left out, the others are not affected, and a valid one keeps its bytes.

mod described;
mod flaw;
mod member;
mod tool;

use std::time::Duration;

use serde_json::value::RawValue;

pub use self::flaw::{Defect, Flaw};
use crate::raw::{self, RawObject};

/// Maximum number of a server's entries of one kind, far more than any model can choose from.
pub const MAX_ENTRIES: usize = 4096;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Tools.
    Tools,
    /// Prompts.
    Prompts,
    /// Resources.
    Resources,
    /// Resource templates.
    Templates,
}

/// An entry of a list, of which only the first level is parsed.
#[derive(Clone, Debug)]
pub struct Entry {
    key: String,
    object: RawObject,
}

/// One page of a server's list.
#[derive(Debug, Default)]
pub struct Page {
    /// The valid entries, and those that could be corrected.
    pub entries: Vec<Entry>,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
    /// How long a modern server lets the page be kept.
    pub ttl: Option<Duration>,
    /// Whether a modern server lists it for these credentials alone.
    pub is_private: bool,
    /// The number of entries after the first [`MAX_ENTRIES`], which are left out unread.
    pub beyond: usize,
    /// The number of entries without a name or URI, which are left out.
    pub unreadable: usize,
    /// The entries that were corrected.
    pub corrected: Vec<Defect>,
    /// The entries that are left out.
    pub left_out: Vec<Defect>,
}

/// Why a list is invalid.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The result is not an object.
    #[error("the result of a list {0}")]
    Result(#[source] raw::Error),
    /// The list is missing or not an array.
    #[error("`{0}` is missing or not an array")]
    Entries(&'static str),
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The kind that is listed by this method.
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == method)
    }

    /// The method that lists it.
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The member of the result that has the list.
    fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The member of an entry that names it.
    fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// An entry, for people.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Tools => "tool",
            Self::Prompts => "prompt",
            Self::Resources => "resource",
            Self::Templates => "resource template",
        }
    }

    fn correct(self, entry: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
        match self {
            Self::Tools => tool::correct(entry),
            Self::Prompts => described::prompt(entry),
            Self::Resources => described::resource(entry),
            Self::Templates => described::template(entry),
        }
    }
}

impl Page {
    /// Parses the `result` of the method that lists this kind.
    pub fn parse(kind: Kind, result: &RawValue) -> Result<Self, Error> {
        let result = RawObject::parse(result.get().as_bytes()).map_err(Error::Result)?;
        let missing = Error::Entries(kind.member());
        let Some(entries) = result.get(kind.member()) else {
            return Err(missing);
        };
        // Go writes `null` for an empty list.
        let entries: Option<Vec<&RawValue>> = serde_json::from_str(entries.get()).map_err(|_| missing)?;
        let mut page = Self {
            next_cursor: result.text("nextCursor"),
            ttl: result
                .get("ttlMs")
                .and_then(|ttl| ttl.get().parse().ok())
                .map(Duration::from_millis),
            is_private: result.text("cacheScope").as_deref() == Some("private"),
            ..Self::default()
        };
        let mut entries = entries.unwrap_or_default();
        page.beyond = entries.len().saturating_sub(MAX_ENTRIES);
        entries.truncate(MAX_ENTRIES);
        for entry in entries {
            match Entry::parse(kind, entry) {
                Some(entry) => page.add(kind, entry),
                None => page.unreadable += 1,
            }
        }
        Ok(page)
    }

    fn add(&mut self, kind: Kind, mut entry: Entry) {
        let key = entry.key.clone();
        let defect = |flaw| Defect { key, flaw };
        match kind.correct(&mut entry.object) {
            Err(flaw) => return self.left_out.push(defect(flaw)),
            Ok(flaw) => self.corrected.extend(flaw.map(defect)),
        }
        self.entries.push(entry);
    }
}

impl Entry {
    /// Parses an entry; `None` if it is not an object with exactly one string that names it.
    pub fn parse(kind: Kind, entry: &RawValue) -> Option<Self> {
        let object = RawObject::parse(entry.get().as_bytes()).ok()?;
        let key = object.text(kind.key())?;
        Some(Self { key, object })
    }

    /// Its name, its URI, or its template.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Changes the name of a tool or prompt in place.
    pub fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.key);
        self.object.set_value("name", name);
    }

    /// Its JSON object.
    pub fn object(&self) -> &RawObject {
        &self.object
    }

    pub(crate) fn object_mut(&mut self) -> &mut RawObject {
        &mut self.object
    }
}

/// The `result` of the method that lists this kind, without what only the modern era has.
pub fn result<'a>(
    kind: Kind,
    entries: impl IntoIterator<Item = &'a Entry>,
    next_cursor: Option<&str>,
) -> RawObject {
    let entries: Vec<_> = entries.into_iter().map(Entry::object).collect();
    let mut result = RawObject::new();
    result.set_value(kind.member(), &entries);
    if let Some(cursor) = next_cursor {
        result.set_value("nextCursor", cursor);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(kind: Kind, json: &str) -> Result<Page, Error> {
        Page::parse(kind, serde_json::from_str(json).unwrap())
    }

    #[test]
    fn invalid_entries_do_not_affect_the_valid_ones() {
        let rows = [
            (
                Kind::Tools,
                r#"{"tools":[5,{"name":7},{"name":"a","name":"b"},{"name":"s","inputSchema":"no"},{"name":"ok"}],"nextCursor":"n"}"#,
                Flaw::Input,
                Flaw::InputType,
            ),
            (
                Kind::Prompts,
                r#"{"prompts":[5,{"name":7},{"name":"a","name":"b"},{"name":"s","arguments":["no"]},{"name":"ok","title":1}],"nextCursor":"n"}"#,
                Flaw::Arguments,
                Flaw::Member("title"),
            ),
            (
                Kind::Resources,
                r#"{"resources":[5,{"uri":7},{"uri":"a","uri":"b"},{"uri":"s","name":"n"},{"uri":"ok:","name":"n","title":1}],"nextCursor":"n"}"#,
                Flaw::Uri,
                Flaw::Member("title"),
            ),
            (
                Kind::Templates,
                r#"{"resourceTemplates":[5,{"uriTemplate":7},{"uriTemplate":"a","uriTemplate":"b"},{"uriTemplate":"s"},{"uriTemplate":"ok","name":"n","size":"1"}],"nextCursor":"n"}"#,
                Flaw::Name,
                Flaw::Member("size"),
            ),
        ];
        for (kind, json, left_out, corrected) in rows {
            let page = page(kind, json).unwrap();
            assert_eq!((page.entries.len(), page.unreadable), (1, 3), "{kind:?}");
            let flaws = |defects: &[Defect]| defects.iter().map(|defect| defect.flaw).collect::<Vec<_>>();
            assert_eq!(flaws(&page.left_out), [left_out], "{kind:?}");
            assert_eq!(page.left_out[0].key, "s", "{kind:?}");
            assert_eq!(flaws(&page.corrected), [corrected], "{kind:?}");
            assert_eq!(page.next_cursor.as_deref(), Some("n"));
        }
    }

    #[test]
    fn a_list_without_its_member_is_an_error() {
        for kind in Kind::ALL {
            let member = kind.member();
            for json in [
                "{}".to_owned(),
                format!(r#"{{"{member}":{{}}}}"#),
                "[]".to_owned(),
            ] {
                assert!(page(kind, &json).is_err(), "{json}");
            }
            let empty = page(kind, &format!(r#"{{"{member}":null,"nextCursor":null}}"#)).unwrap();
            assert!(empty.entries.is_empty() && empty.next_cursor.is_none());
        }
    }

    #[test]
    fn a_page_says_how_it_may_be_cached() {
        let page = page(
            Kind::Prompts,
            r#"{"prompts":[],"ttlMs":5,"cacheScope":"private"}"#,
        )
        .unwrap();
        assert_eq!(
            (page.ttl, page.is_private),
            (Some(Duration::from_millis(5)), true)
        );
    }

    #[test]
    fn valid_entries_are_written_as_they_were() {
        let json = r#"{"resources":[{ "uri":"a:b", "name":"n", "x":1e400 }]}"#;
        let page = page(Kind::Resources, json).unwrap();
        let written = result(Kind::Resources, &page.entries, Some("c")).to_bytes();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            r#"{"resources":[{"uri":"a:b","name":"n","x":1e400}],"nextCursor":"c"}"#
        );
    }

    #[test]
    fn a_method_names_its_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_method(kind.method()), Some(kind));
        }
        assert_eq!(Kind::of_method("tools/call"), None);
    }
}
