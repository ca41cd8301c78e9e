//! Durations as users write them: `30s`, `1h30m`, `500ms` (GEP-2257, the Gateway API's duration format).
//!
//! Every duration field of the route has this type; `effective` converts to `std` durations.
//!
//! Invariant: a value is checked when it is parsed, and is serialized exactly as the user wrote it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration as Span;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::form;

/// A duration: one to four groups of up to five digits and a unit (`h`, `m`, `s`, `ms`), such as `1h30m`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duration {
    text: String,
    span: Span,
}

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {0:?}: {message}", message = form::DURATION.message())]
pub struct Error(String);

impl Duration {
    /// The same duration as the standard library's type.
    pub fn as_std(&self) -> Span {
        self.span
    }

    /// The text the user wrote.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Duration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if form::DURATION.fault(text).is_some() {
            return Err(Error(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            span: span(text),
        })
    }
}

/// Sums the groups of a text that matches the format.
fn span(text: &str) -> Span {
    let mut total = Span::ZERO;
    let mut rest = text;
    while let Some(unit_at) = rest.find(|c: char| !c.is_ascii_digit()) {
        let unit_end = rest[unit_at..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |end| unit_at + end);
        // At most five digits, so this neither fails nor overflows.
        let count: u64 = rest[..unit_at].parse().unwrap_or_default();
        total += match &rest[unit_at..unit_end] {
            "h" => Span::from_secs(count * 3600),
            "m" => Span::from_secs(count * 60),
            "s" => Span::from_secs(count),
            _ => Span::from_millis(count),
        };
        rest = &rest[unit_end..];
    }
    total
}

/// Formats a duration in the user's notation: whole units, largest first, down to milliseconds.
impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        let seconds = span.as_secs();
        let groups = [
            (seconds / 3600, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (u64::from(span.subsec_millis()), "ms"),
        ];
        let text =
            groups
                .iter()
                .filter(|(count, _)| *count > 0)
                .fold(String::new(), |mut text, (count, unit)| {
                    text.push_str(&count.to_string());
                    text.push_str(unit);
                    text
                });
        Self {
            text: if text.is_empty() { "0s".to_owned() } else { text },
            span,
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let rules = form::DURATION.rules_and("duration(self) > duration('0s')", form::NOT_ZERO);
        json_schema!({
            "type": "string",
            "maxLength": form::DURATION.max(),
            "x-kubernetes-validations": rules,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_unit_and_keeps_the_text() {
        let duration: Duration = "1h30m10s5ms".parse().unwrap();
        assert_eq!(duration.as_std(), Span::from_millis(5_410_005));
        assert_eq!(serde_json::to_value(&duration).unwrap(), "1h30m10s5ms");
    }

    #[test]
    fn refuses_what_the_gateway_api_refuses() {
        for text in [
            "",
            "30",
            "s",
            "30 s",
            "1.5h",
            "-1s",
            "123456s",
            "1h1m1s1ms1h",
            "1d",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_span_reads_back_the_same(millis in 0u64..3_600_000 * 99_999) {
            let written = Duration::from(Span::from_millis(millis));
            let read: Duration = written.as_str().parse().unwrap();
            prop_assert_eq!(read.as_std(), Span::from_millis(millis));
        }

        #[test]
        fn what_matches_the_format_is_parsed_and_written_unchanged(text in "([0-9]{1,5}(h|m|s|ms)){1,4}") {
            let read: Duration = text.parse().unwrap();
            prop_assert_eq!(read.as_str(), text);
        }
    }
}
