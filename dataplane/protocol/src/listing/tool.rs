//! Makes a listed tool one that every client can read, or says why it cannot be one.
//!
//! [`super::Page::parse`] applies it to every entry. Stock clients validate a list as a whole, so that one malformed entry
//! would cost them the tools of all servers.
//!
//! Invariant: a valid tool keeps its bytes, and what a tool does is never changed: only what is invalid is completed or
//! removed.

#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

use super::flaw::Flaw;
use super::member::{
    self, IsValid, all_members, is_empty_list, is_list_of_icons, is_list_of_texts, is_null, is_object,
    is_text,
};
use crate::raw::RawObject;
use crate::tasks::Support;

/// The members that describe a tool, and what they may look like.
const MEMBERS: [(&str, IsValid); 7] = [
    ("title", is_text),
    ("description", is_text),
    ("icons", is_list_of_icons),
    ("annotations", is_annotations),
    ("execution", is_execution),
    ("outputSchema", is_object),
    ("_meta", is_object),
];
const HINTS: [&str; 4] = [
    "readOnlyHint",
    "destructiveHint",
    "idempotentHint",
    "openWorldHint",
];

/// Corrects the tool; returns what was wrong with it. The error says why it cannot be corrected.
pub(super) fn correct(tool: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    let input = input(tool)?;
    let output = output(tool);
    Ok(input.or(output).or(member::correct(tool, &MEMBERS)))
}

fn input(tool: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    let mut schema = match tool.get("inputSchema").map(RawValue::get) {
        None | Some("null" | "true") => RawObject::new(),
        Some(schema) => RawObject::parse(schema.as_bytes()).map_err(|_| Flaw::Input)?,
    };
    let flaw = complete(&mut schema)?;
    if flaw.is_some() {
        tool.set("inputSchema", schema.to_raw());
    }
    Ok(flaw)
}

/// Completes the schema of arguments, which are an object whatever it says.
fn complete(schema: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    let typed = of_type(schema)?;
    let required = required(schema);
    Ok(typed.or(required).or(properties(schema)?))
}

fn of_type(schema: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    match schema.get("type").map(RawValue::get) {
        Some("\"object\"") => return Ok(None),
        None | Some("null") => {}
        Some(types) if includes_object(types) => {}
        Some(_) => return Err(Flaw::Input),
    }
    schema.set_value("type", "object");
    Ok(Some(Flaw::InputType))
}

fn includes_object(types: &str) -> bool {
    let types: Result<Vec<String>, _> = serde_json::from_str(types);
    types.is_ok_and(|types| types.iter().any(|of| of == "object"))
}

fn required(schema: &mut RawObject) -> Option<Flaw> {
    let required = schema.get("required")?;
    if is_list_of_texts(required) {
        return None;
    }
    schema.remove("required");
    Some(Flaw::Member("inputSchema.required"))
}

/// `null`, and the empty list that PHP writes for an empty object, are no properties.
fn properties(schema: &mut RawObject) -> Result<Option<Flaw>, Flaw> {
    let Some(raw) = schema.get("properties") else {
        return Ok(None);
    };
    if is_null(raw) || is_empty_list(raw) {
        schema.remove("properties");
        return Ok(Some(Flaw::Member("inputSchema.properties")));
    }
    let mut properties = RawObject::parse(raw.get().as_bytes()).map_err(|_| Flaw::InputProperty)?;
    let mut instead = Vec::new();
    for (name, property) in properties.iter().filter(|(_, property)| !is_object(property)) {
        instead.push((name.to_owned(), as_object(property)?));
    }
    if instead.is_empty() {
        return Ok(None);
    }
    for (name, property) in instead {
        properties.set(&name, property.to_raw());
    }
    schema.set("properties", properties.to_raw());
    Ok(Some(Flaw::InputProperty))
}

/// The schema that means the same: `true` and `false` are schemas, too, but clients do not read them.
fn as_object(property: &RawValue) -> Result<RawObject, Flaw> {
    let mut schema = RawObject::new();
    match property.get() {
        "true" | "null" => {}
        "false" => schema.set("not", RawObject::new().to_raw()),
        _ => return Err(Flaw::InputProperty),
    }
    Ok(schema)
}

/// Without a schema a result is validated by nobody.
fn output(tool: &mut RawObject) -> Option<Flaw> {
    let schema = tool.get("outputSchema").filter(|schema| !is_null(schema))?;
    let schema = RawObject::parse(schema.get().as_bytes());
    if schema.is_ok_and(|mut schema| matches!(complete(&mut schema), Ok(None))) {
        return None;
    }
    tool.remove("outputSchema");
    Some(Flaw::Output)
}

fn is_annotations(value: &RawValue) -> bool {
    all_members(value, |name, value| match name {
        "title" => is_text(value),
        name if HINTS.contains(&name) => matches!(value.get(), "true" | "false"),
        _ => true,
    })
}

fn is_execution(value: &RawValue) -> bool {
    all_members(value, |name, value| {
        name != "taskSupport" || serde_json::from_str(value.get()).is_ok_and(Support::is_known)
    })
}
