//! What kinds of answer a client takes: the `Accept` header (RFC 9110, 12.5.1).
//!
//! [`super::door`] refuses what cannot be answered, [`super::legacy`] answers by it. Clients should accept JSON and streams,
//! but well-known ones send one of the two, or nothing. Invariant: the most specific range decides; no header accepts
//! everything.

use http::HeaderMap;
use http::header::ACCEPT;

/// The ranges of an `Accept` header, and whether each is accepted (`q` above 0).
pub(super) struct Accept(Vec<(String, bool)>);

/// The kinds of answer that a client takes to a POST: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// `application/json`.
    pub json: bool,
    /// `text/event-stream`.
    pub stream: bool,
}

impl Accept {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        let ranges = values.flat_map(|value| value.split(',')).map(range);
        Self(ranges.filter(|(range, _)| !range.is_empty()).collect())
    }

    /// Whether the client takes a body of this type.
    pub(super) fn takes(&self, kind: &str) -> bool {
        let of_type = kind.split('/').next().unwrap_or_default();
        let ranges = [kind, &format!("{of_type}/*"), "*/*", "*"];
        let deciding = ranges.iter().find_map(|range| self.find(range));
        deciding.unwrap_or(self.0.is_empty())
    }

    /// What it takes as an answer to a POST.
    pub(super) fn kinds(&self) -> Option<Kinds> {
        let json = self.takes("application/json");
        let stream = self.takes("text/event-stream");
        (json || stream).then_some(Kinds { json, stream })
    }

    fn find(&self, range: &str) -> Option<bool> {
        let found = self.0.iter().find(|(listed, _)| listed == range);
        found.map(|(_, accepted)| *accepted)
    }
}

/// A media range without its parameters, and whether it is accepted.
fn range(text: &str) -> (String, bool) {
    let text = text.replace([' ', '\t'], "").to_ascii_lowercase();
    let mut parts = text.split(';');
    let range = parts.next().unwrap_or_default().to_owned();
    (range, !parts.any(is_zero))
}

fn is_zero(parameter: &str) -> bool {
    let weight = parameter.strip_prefix("q=");
    weight.is_some_and(|weight| weight.parse().is_ok_and(|weight: f32| weight <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(accept: Option<&str>) -> Option<(bool, bool)> {
        let header = accept.map(|accept| (ACCEPT, accept.parse().unwrap()));
        let kinds = Accept::of(&header.into_iter().collect()).kinds();
        kinds.map(|kinds| (kinds.json, kinds.stream))
    }

    #[test]
    fn every_form_that_real_clients_send() {
        for (accept, expected) in [
            (None, Some((true, true))),
            (Some(""), Some((true, true))),
            (Some("*/*"), Some((true, true))),
            (Some("text/html, *; q=.2, */*; q=.2"), Some((true, true))),
            (Some("application/json, text/event-stream"), Some((true, true))),
            (
                Some("text/event-stream;q=0.9 , APPLICATION/json"),
                Some((true, true)),
            ),
            (Some("application/*;q=0.5, text/*"), Some((true, true))),
            (Some("application/json"), Some((true, false))),
            (
                Some("application/json, text/event-stream;q=0"),
                Some((true, false)),
            ),
            (Some("*/*, text/event-stream;q=0.0"), Some((true, false))),
            (Some("text/event-stream"), Some((false, true))),
            (Some("application/jsonp, text/event-stream"), Some((false, true))),
            (Some("application/json, */*;q=0"), Some((true, false))),
            (Some("text/html"), None),
            (Some("*/*;q=0"), None),
        ] {
            assert_eq!(kinds(accept), expected, "{accept:?}");
        }
    }
}
