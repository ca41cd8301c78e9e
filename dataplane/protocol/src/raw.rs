//! A JSON object of which only the first level is parsed: keys with raw values, in order.
//!
//! Whatever the gateway changes is represented this way and edited key by key. Used by `message`, `tools` and
//! `initialize`.
//!
//! Invariant: a value that is not set keeps its bytes, including white space and number formats; keys are unique after
//! their escapes are resolved.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Maximum number of members of an object, far more than any MCP object has.
pub const MAX_MEMBERS: usize = 4096;

/// A shallow, ordered JSON object.
#[derive(Clone, Debug, Default)]
pub struct RawObject(Vec<(String, Box<RawValue>)>);

/// Why a text is not a [`RawObject`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not JSON.
    #[error("not valid JSON")]
    Json(#[source] serde_json::Error),
    /// The text is JSON, but not an object.
    #[error("must be a JSON object")]
    NotAnObject,
    /// A key is duplicated, so that two readers could see different objects.
    #[error("key {0:?} occurs more than once")]
    DuplicateKey(String),
    /// The object has more than [`MAX_MEMBERS`] keys.
    #[error("has more than {MAX_MEMBERS} keys")]
    TooManyMembers,
}

impl RawObject {
    /// Creates an object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the first level of `json`.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        members(json).map(Self)
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| &**value)
    }

    /// The value of `key` if it is a string.
    pub fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }

    /// The value of `key` as an object; `None` if the key is absent.
    pub fn object(&self, key: &str) -> Result<Option<Self>, Error> {
        self.get(key)
            .map(|value| Self::parse(value.get().as_bytes()))
            .transpose()
    }

    /// Replaces the value of `key` in place, or appends it.
    pub fn set(&mut self, key: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Serializes a value and sets it as the value of `key`.
    pub fn set_value(&mut self, key: &str, value: &(impl Serialize + ?Sized)) {
        self.set(key, raw(value));
    }

    /// Removes `key` and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Box<RawValue>> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// Removes the members for whose key `keep` returns false.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// The members, in the order of the object.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object as JSON text, with unchanged values and without white space between members.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = self
            .iter()
            .map(|(name, value)| name.len() + value.get().len() + 4);
        let mut out = Vec::with_capacity(size.sum::<usize>() + 2);
        out.push(b'{');
        self.write_members(&mut out);
        out.push(b'}');
        out
    }

    /// The object as a raw value.
    pub fn to_raw(&self) -> Box<RawValue> {
        raw(self)
    }

    /// Writes `"key":value,"key":value`, preceded by a comma if `out` needs one.
    pub(crate) fn write_members(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            if out.last().is_some_and(|byte| *byte != b'{') {
                out.push(b',');
            }
            write_text(out, name);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
    }
}

impl Serialize for RawObject {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Serializes `value` to raw JSON. Only for this project's types, which can always be serialized.
pub fn raw(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    serde_json::value::to_raw_value(value)
        .expect("this project's types have string keys and can be serialized")
}

/// Appends `text` as a JSON string.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string can be serialized into a Vec");
}

/// Parses the members of the object `json`, with owned or borrowed values.
pub(crate) fn members<'a, V: Deserialize<'a>>(json: &'a [u8]) -> Result<Vec<(String, V)>, Error> {
    let Members(members) = serde_json::from_slice(json).map_err(|error| {
        if error.is_data() {
            Error::NotAnObject
        } else {
            Error::Json(error)
        }
    })?;
    if members.len() > MAX_MEMBERS {
        return Err(Error::TooManyMembers);
    }
    let mut seen = HashSet::with_capacity(members.len());
    match members.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        Some((name, _)) => Err(Error::DuplicateKey(name.clone())),
        None => Ok(members),
    }
}

struct Members<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

struct InOrder<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
    type Value = Members<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<V>, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            // One member above the limit is kept, so that the caller can detect the excess; all others are dropped.
            if members.len() <= MAX_MEMBERS {
                members.push((name, value));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests;
