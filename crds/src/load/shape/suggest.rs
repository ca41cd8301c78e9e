//! What a person most likely meant.
//!
//! Called by the comparison with the schema. Invariant: a suggestion is a value that is valid there, or a path that
//! exists.

use serde_json::Value;

use super::join;
use crate::form;

/// How many letters may differ, in proportion to the length: one in three.
const LETTERS: usize = 3;

/// The message for a field that is none of `names`.
pub(super) fn for_unknown(name: &str, names: &[&str], path: &str, schema: &Value) -> String {
    if name == "<<" {
        return "YAML merge keys (<<) are not supported: repeat the fields".to_owned();
    }
    if let Some(meant) = nearest(name, names) {
        return format!("unknown field; did you mean {meant}?");
    }
    match elsewhere(name, schema).as_slice() {
        [place] if *place != join(path, name) => format!("unknown field here; it belongs at {place}"),
        _ => "unknown field; check the spelling and the indentation".to_owned(),
    }
}

/// The name that differs least, if it differs little.
pub(super) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let name = plain(name);
    let distance = |other: &str| strsim::damerau_levenshtein(&name, &plain(other));
    let nearest = names.iter().min_by_key(|other| distance(other))?;
    (distance(nearest) <= name.len() / LETTERS).then_some(*nearest)
}

/// Without what people get wrong most often: case, and the characters between words.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Where else in a spec there is a field of this name.
fn elsewhere(name: &str, schema: &Value) -> Vec<String> {
    let mut places = Vec::new();
    find(name, &schema["properties"]["spec"], "spec", &mut places);
    places
}

fn find(name: &str, schema: &Value, path: &str, places: &mut Vec<String>) {
    if schema["items"].is_object() {
        find(name, &schema["items"], &format!("{path}[]"), places);
    }
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = join(path, field);
        if field == name {
            places.push(path.clone());
        }
        find(name, schema, &path, places);
    }
}

/// A duration in the units that there are: `1d`, `2w`, `30sec`, `1.5h`.
pub(super) fn duration(text: &str) -> Option<String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.trim().parse().ok()?;
    let seconds = match unit.trim().to_ascii_lowercase().as_str() {
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        "h" | "hr" | "hour" | "hours" => 3600.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        _ => return None,
    };
    let span = std::time::Duration::try_from_secs_f64(number * seconds).ok()?;
    let meant = crate::Duration::from(span).to_string();
    form::DURATION.fault(&meant).is_none().then_some(meant)
}

/// A size in the units that there are: `8GB`, `16 mb`.
pub(super) fn size(text: &str) -> Option<String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit.to_ascii_lowercase().trim_end_matches('b') {
        "k" | "ki" => "Ki",
        "m" | "mi" => "Mi",
        "g" | "gi" => "Gi",
        "t" | "ti" => "Ti",
        _ => return None,
    };
    let meant = format!("{}{unit}", number.trim());
    form::QUANTITY.fault(&meant).is_none().then_some(meant)
}
