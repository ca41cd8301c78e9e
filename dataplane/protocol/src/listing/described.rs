//! Makes a listed prompt, resource or resource template one that every client can read, or says why it cannot be one.
//!
//! [`super::Page::parse`] applies it to every entry; beside [`super::tool`], which does the same for tools.
//!
//! Invariant: a valid entry keeps its bytes, and what names it is never changed: only what is invalid is removed.

use serde_json::value::RawValue;
use url::Url;

use super::flaw::Flaw;
use super::member::{self, IsValid, all_members, is_list_of_icons, is_object, is_text, list};
use crate::raw::RawObject;

/// The members that describe a prompt.
const PROMPT: [(&str, IsValid); 5] = [
    ("title", is_text),
    ("description", is_text),
    ("arguments", is_list),
    ("icons", is_list_of_icons),
    ("_meta", is_object),
];
/// The members that describe a resource.
const RESOURCE: [(&str, IsValid); 7] = [
    ("title", is_text),
    ("description", is_text),
    ("mimeType", is_text),
    ("size", is_size),
    ("icons", is_list_of_icons),
    ("annotations", is_annotations),
    ("_meta", is_object),
];
/// The members that describe an argument of a prompt.
const ARGUMENT: [(&str, IsValid); 2] = [("description", is_text), ("required", is_bool)];

/// Corrects the prompt; returns what was wrong with it. The error says why it cannot be corrected.
pub(super) fn prompt(prompt: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    let flaw = member::correct(prompt, &PROMPT);
    Ok(flaw.or(arguments(prompt)?))
}

/// The same for a resource.
pub(super) fn resource(resource: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    let uri = resource.text("uri").ok_or(Flaw::Uri)?;
    Url::parse(&uri).map_err(|_| Flaw::Uri)?;
    template(resource)
}

/// The same for a resource template.
pub(super) fn template(template: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    if template.text("name").is_none() {
        return Err(Flaw::Name);
    }
    Ok(member::correct(template, &RESOURCE))
}

fn arguments(prompt: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    let Some(raw) = prompt.get("arguments") else {
        return Ok(None);
    };
    let (mut arguments, mut is_changed, mut flaw) = (Vec::new(), false, None);
    for raw in list(raw).unwrap_or_default() {
        let mut argument = RawObject::parse(raw.get().as_bytes()).map_err(|_| Flaw::Arguments)?;
        argument.text("name").ok_or(Flaw::Arguments)?;
        let before = argument.len();
        flaw = flaw.or(member::correct(&mut argument, &ARGUMENT).map(|_| Flaw::Member("arguments")));
        is_changed |= before != argument.len();
        arguments.push(argument);
    }
    if is_changed {
        prompt.set_value("arguments", &arguments);
    }
    Ok(flaw)
}

fn is_list(value: &RawValue) -> bool {
    list(value).is_some()
}

fn is_bool(value: &RawValue) -> bool {
    matches!(value.get(), "true" | "false")
}

/// Some clients read a whole number only.
fn is_size(value: &RawValue) -> bool {
    serde_json::from_str::<u64>(value.get()).is_ok()
}

fn is_annotations(value: &RawValue) -> bool {
    all_members(value, |name, value| match name {
        "audience" => list(value).is_some_and(|all| all.into_iter().all(is_role)),
        "priority" => is_share(value),
        "lastModified" => is_text(value) && is_instant(value),
        _ => true,
    })
}

fn is_role(value: &RawValue) -> bool {
    matches!(value.get(), "\"user\"" | "\"assistant\"")
}

fn is_share(value: &RawValue) -> bool {
    serde_json::from_str::<f64>(value.get()).is_ok_and(|share| (0.0..=1.0).contains(&share))
}

/// A date and a time with its offset (ISO 8601), as stock clients insist.
fn is_instant(value: &RawValue) -> bool {
    let Ok(text) = serde_json::from_str::<String>(value.get()) else {
        return false;
    };
    let digits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte == form,
            })
    };
    let Some((time, rest)) = text.get(..16).zip(text.get(16..)) else {
        return false;
    };
    let seconds = rest.get(..3).filter(|seconds| digits(seconds, ":00"));
    let rest = seconds.map_or(rest, |_| &rest[3..]);
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    digits(time, "0000-00-00T00:00") && (zone == "Z" || digits(zone, "+00:00") || digits(zone, "-00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Correct = fn(&mut RawObject) -> Result<Option<Flaw>, Flaw>;

    fn corrected(correct: Correct, json: &str) -> Result<(String, Option<Flaw>), Flaw> {
        let mut entry = RawObject::parse(json.as_bytes()).unwrap();
        let flaw = correct(&mut entry)?;
        Ok((String::from_utf8(entry.to_bytes()).unwrap(), flaw))
    }

    #[test]
    fn valid_entries_keep_their_bytes() {
        let rows: [(Correct, &str); 4] = [
            (
                prompt,
                r#"{"name":"a b","arguments":[ {"name":"x","required":true,"v":null} ],"_meta":{ }}"#,
            ),
            (
                resource,
                r#"{"uri":"test://a/b","name":"n","size":10,"annotations":{"audience":["user"],"priority":0.50,"lastModified":"2025-01-12T15:00:58Z"}}"#,
            ),
            (
                resource,
                r#"{"uri":"file:///a","name":"n","annotations":{"lastModified":"2025-01-12T15:00:58.25+01:00"}}"#,
            ),
            (
                template,
                r#"{"uriTemplate":"x://{a}","name":"n","mimeType":"text/plain","vendor":null}"#,
            ),
        ];
        for (correct, json) in rows {
            assert_eq!(corrected(correct, json), Ok((json.to_owned(), None)));
        }
    }

    #[test]
    fn what_clients_cannot_read_goes_and_nulls_are_no_flaw() {
        let rows: [(Correct, &str, &str, Option<Flaw>); 7] = [
            (
                prompt,
                r#"{"name":"p","title":null,"arguments":null,"description":7}"#,
                r#"{"name":"p"}"#,
                Some(Flaw::Member("description")),
            ),
            (
                prompt,
                r#"{"name":"p","arguments":[{"name":"x","description":null,"required":"yes"}]}"#,
                r#"{"name":"p","arguments":[{"name":"x"}]}"#,
                Some(Flaw::Member("arguments")),
            ),
            (
                prompt,
                r#"{"name":"p","arguments":[{"name":"x","description":null}]}"#,
                r#"{"name":"p","arguments":[{"name":"x"}]}"#,
                None,
            ),
            (
                prompt,
                r#"{"name":"p","arguments":{}}"#,
                r#"{"name":"p"}"#,
                Some(Flaw::Member("arguments")),
            ),
            (
                resource,
                r#"{"uri":"a:b","name":"n","size":1.5,"mimeType":null}"#,
                r#"{"uri":"a:b","name":"n"}"#,
                Some(Flaw::Member("size")),
            ),
            (
                resource,
                r#"{"uri":"a:b","name":"n","annotations":{"priority":7}}"#,
                r#"{"uri":"a:b","name":"n"}"#,
                Some(Flaw::Member("annotations")),
            ),
            (
                template,
                r#"{"uriTemplate":"a:{b}","name":"n","annotations":{"lastModified":"yesterday"}}"#,
                r#"{"uriTemplate":"a:{b}","name":"n"}"#,
                Some(Flaw::Member("annotations")),
            ),
        ];
        for (correct, json, expected, flaw) in rows {
            assert_eq!(
                corrected(correct, json),
                Ok((expected.to_owned(), flaw)),
                "{json}"
            );
        }
    }

    #[test]
    fn what_cannot_be_corrected_is_left_out() {
        let rows: [(Correct, &str, Flaw); 5] = [
            (
                prompt,
                r#"{"name":"p","arguments":[{"title":"x"}]}"#,
                Flaw::Arguments,
            ),
            (prompt, r#"{"name":"p","arguments":["x"]}"#, Flaw::Arguments),
            (resource, r#"{"uri":"relative/path","name":"n"}"#, Flaw::Uri),
            (resource, r#"{"uri":"a:b"}"#, Flaw::Name),
            (template, r#"{"uriTemplate":"a:{b}","name":null}"#, Flaw::Name),
        ];
        for (correct, json, flaw) in rows {
            assert_eq!(corrected(correct, json), Err(flaw), "{json}");
        }
    }

    #[test]
    fn an_instant_has_a_date_a_time_and_an_offset() {
        let is = |text: &str| is_instant(serde_json::from_str(&format!("{text:?}")).unwrap());
        for valid in [
            "2025-01-12T15:00Z",
            "2025-01-12T15:00:58Z",
            "2025-01-12T15:00:58.1-02:30",
        ] {
            assert!(is(valid), "{valid}");
        }
        for invalid in [
            "2025-01-12",
            "2025-01-12T15:00:58",
            "2025-01-12 15:00:58Z",
            "é",
            "",
        ] {
            assert!(!is(invalid), "{invalid}");
        }
    }
}
