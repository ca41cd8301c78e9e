//! Kubernetes quantities: `500m`, `2`, `8Gi`. [`Quantity`] is any of them, [`Size`] a number of bytes.
//!
//! Invariant: both are checked when they are parsed, are serialized as the user wrote them, and are never converted to
//! a floating-point number.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::form;

/// A Kubernetes quantity, such as `500m` or `256Mi`. A whole number may be written without quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quantity(String);

/// A number of bytes, such as `16Mi` or `8Gi` (`Ki` is 1024, `k` is 1000).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Quantity")]
pub struct Size {
    text: String,
    bytes: u64,
}

/// Why a text is not the quantity or size that a field requires.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not a quantity.
    #[error("invalid quantity {0:?}: {message}", message = form::QUANTITY.message())]
    Quantity(String),
    /// A quantity, but not a whole, positive number of bytes.
    #[error("invalid size {0:?}: must be a whole number of bytes above zero, such as 16Mi")]
    Size(String),
}

impl Quantity {
    /// The text the user wrote.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same quantity as Kubernetes' own type.
    pub fn to_api(&self) -> ApiQuantity {
        ApiQuantity(self.0.clone())
    }

    /// The number of bytes; `None` if it is not a whole number or does not fit in 63 bits.
    pub fn bytes(&self) -> Option<u64> {
        bytes(&self.0)
    }
}

impl Size {
    /// The number of bytes; at least one.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The text the user wrote.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same size as Kubernetes' own type.
    pub fn to_api(&self) -> ApiQuantity {
        ApiQuantity(self.text.clone())
    }
}

impl TryFrom<String> for Quantity {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        if form::QUANTITY.fault(&text).is_some() {
            Err(Error::Quantity(text))
        } else {
            Ok(Self(text))
        }
    }
}

impl TryFrom<String> for Size {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        match Quantity::try_from(text)?.0 {
            text if bytes(&text).is_none_or(|bytes| bytes == 0) => Err(Error::Size(text)),
            text => Ok(Self {
                bytes: bytes(&text).unwrap_or_default(),
                text,
            }),
        }
    }
}

impl From<Size> for Quantity {
    fn from(size: Size) -> Self {
        Self(size.text)
    }
}

/// The units of whole bytes. Without `m` (thousandths), `n` and `u`: a fraction of a byte is always a mistake.
const UNITS: [(&str, u64); 13] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
];

/// Converts a quantity to bytes: digits, optionally a fraction (`1.5Gi`), and a unit.
fn bytes(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let divisor = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = digits.checked_mul(u128::from(*scale))?;
    let total = scaled / divisor;
    (scaled % divisor == 0 && total <= u128::from(i64::MAX.unsigned_abs()))
        .then(|| u64::try_from(total).ok())?
}

/// The YAML values accepted for a quantity. A fraction must be quoted: there are no floats in this API.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be a quantity such as 500m or 16Mi; a fraction must be quoted: \"0.5\""
)]
enum Written {
    Text(String),
    Whole(u64),
}

impl From<Written> for String {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => text,
            Written::Whole(number) => number.to_string(),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::from(Written::deserialize(deserializer)?)).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::from(Written::deserialize(deserializer)?)).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": form::QUANTITY.pattern(),
            "maxLength": form::QUANTITY.max(),
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Quantity::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(yaml: &str, expect: Option<u64>) {
        assert_eq!(
            serde_yaml::from_str::<Size>(yaml).ok().map(|size| size.bytes()),
            expect,
            "{yaml}"
        );
    }

    #[test]
    fn counts_bytes_in_both_families_of_units() {
        check("16Mi", Some(16 << 20));
        check("4194304", Some(4 << 20));
        check("'1.5Gi'", Some(3 << 29));
        check("2k", Some(2000));
        check("7Ei", Some(7 << 60));
    }

    #[test]
    fn refuses_what_is_no_whole_number_of_bytes() {
        for yaml in [
            "0", "-1", "100m", "'0.5'", "1.5", "8Ei", "16 Mi", "16MB", "''", "true",
        ] {
            check(yaml, None);
        }
    }

    #[test]
    fn keeps_the_text_of_a_quantity() {
        let cpu: Quantity = serde_yaml::from_str("500m").unwrap();
        assert_eq!((cpu.as_str(), cpu.bytes()), ("500m", None));
        assert_eq!(serde_json::to_value(&cpu).unwrap(), "500m");
    }
}
