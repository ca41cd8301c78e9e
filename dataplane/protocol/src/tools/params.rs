//! The arguments of a tool that a modern call repeats in its headers: `x-mcp-header` in the schema (SEP-2243).
//!
//! Read from what servers list; used to check the headers of clients and to make those for servers.
//!
//! Invariant: only arguments that hold one string, integer or boolean are repeated, and absent ones are not.

use serde_json::value::RawValue;

use crate::header;
use crate::modern::mirror::{self, Field, Flaw};
use crate::raw::RawObject;

/// The keyword in a property's schema.
const KEYWORD: &str = "x-mcp-header";
/// Schemas nested deeper declare nothing; nobody's arguments are.
const MAX_DEPTH: usize = 16;
/// The most arguments of one tool that are repeated.
const MAX_PARAMS: usize = 64;

/// An argument that is repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderParam {
    /// The header, in lower case.
    pub header: String,
    /// Where the argument is: the keys from `arguments` down.
    path: Vec<String>,
    /// Whether two spellings of one number are the same.
    is_integer: bool,
}

impl HeaderParam {
    /// Those that a tool with this `inputSchema` declares.
    pub(super) fn all(schema: &RawObject) -> Vec<Self> {
        let mut found = Vec::new();
        collect(schema, &[], &mut found);
        found
    }

    /// The header's value for these `arguments`; `None` where there is nothing to repeat.
    pub fn value(&self, arguments: Option<&RawValue>) -> Option<String> {
        self.argument(arguments).map(|text| mirror::encode(&text))
    }

    /// Checks that the header repeats what `arguments` say, or that both are absent.
    pub fn check(&self, given: Field<'_>, arguments: Option<&RawValue>) -> Result<(), Flaw> {
        const ARGUMENT: &str = "the argument for which the tool's inputSchema names it";
        let given = mirror::read(given)?;
        if self.agrees(given.as_deref(), arguments) {
            return Ok(());
        }
        Err(if given.is_none() {
            Flaw::Missing
        } else {
            Flaw::Differs(ARGUMENT)
        })
    }

    fn agrees(&self, given: Option<&str>, arguments: Option<&RawValue>) -> bool {
        match (given, self.argument(arguments)) {
            (None, None) => true,
            (Some(given), Some(argument)) => {
                given == argument || self.is_integer && same_number(given, &argument)
            }
            _ => false,
        }
    }

    fn argument(&self, arguments: Option<&RawValue>) -> Option<String> {
        let mut value = arguments?.to_owned();
        for key in &self.path {
            let object = RawObject::parse(value.get().as_bytes()).ok()?;
            object.get(key)?.clone_into(&mut value);
        }
        match value.get().as_bytes().first()? {
            b'"' => serde_json::from_str(value.get()).ok(),
            b'{' | b'[' | b'n' => None,
            _ => Some(value.get().to_owned()),
        }
    }
}

fn collect(schema: &RawObject, path: &[String], found: &mut Vec<HeaderParam>) {
    let Ok(Some(properties)) = schema.object("properties") else {
        return;
    };
    for (name, property) in properties.iter() {
        let Ok(property) = RawObject::parse(property.get().as_bytes()) else {
            continue;
        };
        let path = [path, &[name.to_owned()]].concat();
        if found.len() < MAX_PARAMS {
            found.extend(declared(&property, &path));
        }
        if path.len() < MAX_DEPTH {
            collect(&property, &path, found);
        }
    }
}

fn declared(property: &RawObject, path: &[String]) -> Option<HeaderParam> {
    let name = property.text(KEYWORD).filter(|name| is_token(name))?;
    let kind = property.text("type")?;
    matches!(kind.as_str(), "string" | "integer" | "boolean").then(|| HeaderParam {
        header: format!("{}{}", header::PARAM, name.to_ascii_lowercase()),
        path: path.to_vec(),
        is_integer: kind == "integer",
    })
}

/// Whether a header may have this name (RFC 9110, 5.6.2).
fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= 128 && name.bytes().all(allowed)
}

/// 42 is 42.0, but digits are compared, not floats: 9007199254740993 is not 9007199254740992.
fn same_number(one: &str, other: &str) -> bool {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// The sign and digits of a whole number in decimal notation.
fn whole(number: &str) -> Option<(bool, &str)> {
    let (digits, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let is_whole = fraction.bytes().all(|byte| byte == b'0') && !fraction.is_empty();
    let is_number = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    let trimmed = unsigned.trim_start_matches('0');
    (is_whole && is_number).then_some((digits.len() > unsigned.len() && !trimmed.is_empty(), trimmed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "count":{"type":"integer","x-mcp-header":"Count"},
        "where":{"type":"object","properties":{"dry":{"type":"boolean","x-mcp-header":"Dry"}}},
        "bad":{"type":"string","x-mcp-header":"a b"},
        "list":{"type":"array","x-mcp-header":"List","items":{"type":"string","x-mcp-header":"Item"}},
        "plain":{"type":"string"}}}"#;

    fn params() -> Vec<HeaderParam> {
        HeaderParam::all(&RawObject::parse(SCHEMA.as_bytes()).unwrap())
    }

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn arguments_become_headers_where_the_schema_says_so() {
        let arguments =
            raw(r#"{"region":"Zürich","count":9007199254740993,"where":{"dry":true},"plain":"x"}"#);
        let headers: Vec<_> = params()
            .iter()
            .filter_map(|param| Some((param.header.clone(), param.value(Some(&arguments))?)))
            .collect();
        let expected = [
            ("mcp-param-region", "=?base64?WsO8cmljaA==?="),
            ("mcp-param-count", "9007199254740993"),
            ("mcp-param-dry", "true"),
        ];
        assert_eq!(
            headers,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn what_is_absent_is_not_repeated() {
        for arguments in [
            None,
            Some(raw("{}")),
            Some(raw(r#"{"region":null,"count":[1],"where":7}"#)),
        ] {
            let values = params()
                .iter()
                .filter_map(|param| param.value(arguments.as_deref()))
                .count();
            assert_eq!(values, 0, "{arguments:?}");
        }
    }

    #[test]
    fn a_header_agrees_with_its_argument_or_both_are_absent() {
        let params = params();
        let (region, count) = (&params[0], &params[1]);
        let arguments = raw(r#"{"region":"eu","count":42}"#);
        for (param, given, agrees) in [
            (region, "eu", true),
            (region, "=?base64?ZXU=?=", true),
            (region, "EU", false),
            (region, "=?base64?Z?=", false),
            (count, "42", true),
            (count, "42.0", true),
            (count, "042", true),
            (count, "42.1", false),
            (count, "4.2e1", false),
            (count, "-42", false),
        ] {
            let checked = param.check(Field::Once(given.as_bytes()), Some(&arguments));
            assert_eq!(checked.is_ok(), agrees, "{param:?} {given}");
        }
        assert_eq!(region.check(Field::Absent, Some(&arguments)), Err(Flaw::Missing));
        assert_eq!(
            region.check(Field::Repeated, Some(&arguments)),
            Err(Flaw::Repeated)
        );
        assert_eq!(region.check(Field::Absent, None), Ok(()));
        assert!(region.check(Field::Once(b"eu"), None).is_err());
    }
}
