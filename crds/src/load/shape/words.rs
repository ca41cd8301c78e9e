//! What is wrong with a value of the wrong type, and what to write instead.
//!
//! Called by the comparison with the schema. Invariant: each message says what to write; none names a type of Rust.

use serde_json::Value;

use super::suggest;
use crate::form;
use crate::quantity::Quantity;

pub(super) fn no_map(value: &Value, names: &[&str]) -> String {
    let fields = match names {
        [] => String::new(),
        [first, second, third, _, ..] => format!(" with fields such as {first}, {second} and {third}"),
        some => format!(" with {}", some.join(", ")),
    };
    format!("must be a map{fields}, but is {}", kind(value))
}

pub(super) fn no_list(value: &Value) -> String {
    format!(
        "must be a list (write - before each entry), but is {}",
        kind(value)
    )
}

pub(super) fn integer(value: &Value, schema: &Value) -> Option<String> {
    let bounds = [&schema["minimum"], &schema["maximum"]].map(Value::as_i64);
    // The types hold these; the other bounds are the rules' concern.
    let fits = |number: i64| u32::try_from(number).is_ok() || bounds[0].is_none_or(|least| least < 0);
    if value.as_i64().is_some_and(fits) {
        return None;
    }
    let range = match bounds {
        [Some(least), Some(most)] => format!("from {least} to {most}"),
        [Some(least), None] => format!("of at least {least}"),
        _ => "of at least 0".to_owned(),
    };
    let quoted = value.as_str().is_some_and(|text| text.parse::<u32>().is_ok());
    let fix = if quoted {
        "; remove the quotes".to_owned()
    } else {
        format!(", but is {}", kind(value))
    };
    Some(format!("must be a whole number {range}{fix}"))
}

pub(super) fn boolean(value: &Value) -> Option<String> {
    (!value.is_boolean()).then(|| format!("must be true or false, without quotes, but is {}", kind(value)))
}

pub(super) fn string(value: &Value, schema: &Value) -> Option<String> {
    let is_duration = schema["x-kubernetes-validations"][0]["message"] == form::DURATION.message();
    match value {
        Value::String(text) if is_duration => duration(text),
        Value::String(text) => choice(text, schema),
        Value::Number(number) if is_duration => Some(format!(
            "must be a duration with a unit, for example {number}s for seconds or {number}m for minutes"
        )),
        Value::Number(_) | Value::Bool(_) => Some(format!("must be text: put it in quotes, as \"{value}\"")),
        value => Some(format!("must be text, but is {}", kind(value))),
    }
}

fn duration(text: &str) -> Option<String> {
    let fault = form::DURATION.fault(text)?;
    let meant = suggest::duration(text).map_or(String::new(), |meant| format!("; did you mean {meant}?"));
    Some(format!("invalid duration {text:?}: {fault}{meant}"))
}

/// One of an enum's values.
fn choice(text: &str, schema: &Value) -> Option<String> {
    let choices: Vec<&str> = schema["enum"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if choices.contains(&text) {
        return None;
    }
    let meant =
        suggest::nearest(text, &choices).map_or(String::new(), |name| format!("; did you mean {name}?"));
    Some(format!("must be one of {}{meant}", choices.join(", ")))
}

pub(super) fn quantity(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let error = Quantity::try_from(text.clone()).err()?;
            let meant = suggest::size(text).map_or(String::new(), |meant| format!("; did you mean {meant}?"));
            Some(format!("{error}{meant}"))
        }
        Value::Number(number) if number.is_u64() => None,
        Value::Number(number) => Some(format!(
            "must be a quantity such as 500m or 16Mi; put a fraction in quotes, as \"{number}\""
        )),
        value => Some(format!(
            "must be a quantity such as 500m or 16Mi, but is {}",
            kind(value)
        )),
    }
}

/// A value, as a person would call it.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
