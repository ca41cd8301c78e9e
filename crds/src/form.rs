//! The formats of text fields: a pattern, a length and a message each, for the CRD's CEL rules and for `validate`.
//!
//! Invariant: the API server and `validate` reject the same values, because both rules are made here.

use std::sync::OnceLock;

use regex::Regex;
use schemars::Schema;
use schemars::transform::Transform;
use serde_json::{Value, json};

/// The format of a text field, and the message for a user whose value does not match it.
#[derive(Debug)]
pub(crate) struct Form {
    max: usize,
    pattern: &'static str,
    message: &'static str,
    regex: OnceLock<Regex>,
}

impl Form {
    const fn new(max: usize, pattern: &'static str, message: &'static str) -> Self {
        Self {
            max,
            pattern,
            message,
            regex: OnceLock::new(),
        }
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    pub(crate) fn pattern(&self) -> &'static str {
        self.pattern
    }

    pub(crate) fn message(&self) -> &'static str {
        self.message
    }

    /// What is wrong with a text; `None` if it matches.
    pub(crate) fn fault(&self, text: &str) -> Option<String> {
        let regex = self
            .regex
            .get_or_init(|| Regex::new(self.pattern).expect("the patterns are constants"));
        if text.chars().count() > self.max {
            return Some(format!("must have at most {} characters", self.max));
        }
        (!regex.is_match(text)).then(|| self.message.to_owned())
    }

    /// The same rules in CEL, for the API server.
    pub(crate) fn rules(&self) -> Vec<Value> {
        vec![rule(&self.cel(), self.message)]
    }

    fn cel(&self) -> String {
        let quote = if self.pattern.contains('\'') { '"' } else { '\'' };
        format!("self.matches(r{quote}{}{quote})", self.pattern)
    }

    /// The format, and a further rule that applies only to a text that matches it.
    pub(crate) fn rules_and(&self, cel: &str, message: &str) -> Vec<Value> {
        vec![
            rule(&self.cel(), self.message),
            rule(&format!("!{} || {cel}", self.cel()), message),
        ]
    }

    /// The same rules for each item of a list field.
    pub(crate) const fn each(&'static self) -> Each {
        Each(self)
    }
}

/// Adds a format to a text field of the schema: `#[schemars(transform = &form::NAME)]`.
impl Transform for &'static Form {
    fn transform(&mut self, schema: &mut Schema) {
        schema.insert("maxLength".into(), json!(self.max));
        schema.insert("x-kubernetes-validations".into(), json!(self.rules()));
    }
}

/// A format for the items of a list.
pub(crate) struct Each(&'static Form);

impl Transform for Each {
    fn transform(&mut self, schema: &mut Schema) {
        let items = schema
            .get_mut("items")
            .expect("a format for items is used on a list field");
        let mut item: Schema = items
            .clone()
            .try_into()
            .expect("the items of a list have a schema");
        self.0.transform(&mut item);
        *items = item.to_value();
    }
}

/// One CEL rule with the message for the user.
pub(crate) fn rule(cel: &str, message: &str) -> Value {
    json!({"rule": cel, "message": message})
}

/// For enums: the field has its own description, which the type's must not replace.
pub(crate) fn undescribed(schema: &mut Schema) {
    schema.remove("description");
}

/// A rule for unions, which are structs of optional members.
pub(crate) fn exactly_one_of(members: &[&str]) -> Vec<Value> {
    let asked: Vec<_> = members
        .iter()
        .map(|member| format!("has(self.{member})"))
        .collect();
    let cel = format!("[{}].filter(given, given).size() == 1", asked.join(", "));
    vec![rule(&cel, &one_of_message(members))]
}

/// The message for a user who set none of a union's members, or several.
pub(crate) fn one_of_message(members: &[&str]) -> String {
    format!("{ONE_OF}{}", members.join(", "))
}

/// The beginning of a union's message.
pub(crate) const ONE_OF: &str = "set exactly one of ";

pub(crate) const NOT_ZERO: &str = "must be longer than zero";

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident = ($max:expr, $pattern:expr, $message:expr);)*) => {
        $($(#[$doc])* pub(crate) static $name: Form = Form::new($max, $pattern, $message);)*
    };
}

const URL: &str = r"^https?://[^/@?#\s]+([/?][^\s#]*)?$";

forms! {
    /// The name of a route. Derived names append up to 23 characters.
    ROUTE_NAME = (40, r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
        "must start with a letter and contain only lower-case letters, digits and '-', at most 40 characters, for example analytics");
    /// The name of something within the route.
    NAME = (63, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "must contain only lower-case letters, digits and '-', and start and end with a letter or digit, for example analytics");
    /// The name of a Service.
    SERVICE_NAME = (63, r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
        "must be the name of a Service in the route's namespace, for example analytics-mcp; for a Service in another namespace, set url");
    /// The name of another object in the route's namespace.
    OBJECT_NAME = (253, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "must be the name of an object in the route's namespace: lower-case letters, digits, '-' and '.'");
    /// A key in a Secret or ConfigMap. As a path it would be another one if it was `.` or `..`.
    SECRET_KEY = (253, r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$",
        "must be a key in the object: letters, digits, '-', '_' and '.', at most one '.' at the start and not '.' alone");
    /// The prefix of a server's tool names.
    PREFIX = (32, r"^[A-Za-z0-9_.-]*$",
        "must contain only letters, digits, '_', '.' and '-', for example github_");
    /// A pattern over the names that clients see.
    WEBHOOK_TOOL = (128, r"^[A-Za-z0-9_.*-]+$",
        "must be a tool name as clients see it, or a pattern with '*': letters, digits, '_', '.', '-' and '*'");
    /// A pattern over a server's own names.
    TOOL_GLOB = (128, r"^\S+$", "must be a tool name as the server reports it, or a pattern with '*', without spaces");
    SERVER_URL = (2048, URL,
        "must start with http:// or https://, include a host, and contain no user info and no fragment, for example http://analytics-mcp:8080/mcp");
    RECEIVER_URL = (2048, URL,
        "must start with http:// or https://, include a host, and contain no user info and no fragment, for example https://hooks.example.com/results");
    OTLP_URL = (2048, URL,
        "must start with http:// or https://, include a host, and contain no user info and no fragment, for example http://collector:4318");
    /// An authorization server's issuer (RFC 8414, section 2).
    ISSUER = (1024, r"^https?://[^/@?#\s]+(/[^\s?#]*)?$",
        "must be the issuer as its tokens name it: http:// or https://, a host and perhaps a path, without user info, query and fragment, for example https://auth.example.com");
    JWKS_URL = (2048, URL,
        "must start with http:// or https://, include a host, and contain no user info and no fragment, for example https://auth.example.com/keys");
    /// The URL of a protected resource (RFC 9728, section 1.2).
    RESOURCE = (1024, r"^https?://[^/@?#\s]+(/[^\s?#]*)?$",
        "must be the URL of this endpoint as clients know it, without query and fragment, for example https://mcp.example.com/mcp");
    AUDIENCE = (1024, r"^[!-~]+$", "must be an audience as tokens name it, without spaces, for example https://mcp.example.com/mcp");
    /// A scope token (RFC 6749, section 3.3).
    SCOPE = (128, r"^[!#-\[\]-~]+$", "must be one OAuth scope: visible ASCII without space, quote and backslash, for example mcp:tools");
    /// The path of a URL.
    PATH = (1024, r"^/[^\s?#]*$", "must start with '/' and contain no space, '?' or '#', for example /mcp");
    /// The path of the MCP endpoint.
    MCP_PATH = (1024, r"^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$",
        "must start with '/', contain only letters, digits and . _ ~ - between the slashes, and not end with '/' (except '/' itself), for example /mcp");
    /// A browser's Origin header.
    ORIGIN = (512, r"^[a-z][a-z0-9+.-]*://[^/@?#*\s]+$",
        "must be a scheme, a host and optionally a port, without a path and without '*', for example https://app.example.com");
    /// A host name, an address, or `*.` and a suffix.
    HOST = (253, r"^((\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$",
        "must be a host name without a port, an IP address without brackets, or '*.' and a domain, for example *.example.com");
    /// An HTTP header's name (RFC 9110, section 5.6.2).
    HEADER_NAME = (128, r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "must be the name of an HTTP header, for example X-Team");
    /// An HTTP header's value (RFC 9110, section 5.5), visible ASCII only.
    HEADER_VALUE = (4096, r"^[!-~]([ \t!-~]*[!-~])?$",
        "must contain only visible ASCII characters, with spaces only between them");
    /// The same for headers to servers; there may be 2,048 of them, and the API server bounds what rules cost.
    SERVER_HEADER_VALUE = (1024, r"^[!-~]([ \t!-~]*[!-~])?$",
        "must contain only visible ASCII characters, with spaces only between them");
    /// A Host header.
    AUTHORITY = (260, r"^([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$",
        "must be a host name or an IP address, with a port if the server expects one, for example localhost:8080");
    /// The name in a certificate. An address is none: the last label begins with a letter.
    SERVER_NAME = (253, r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z]([-a-z0-9]*[a-z0-9])?$",
        "must be a host name in lower case, without a port and no IP address, for example mcp.example.com");
    STORAGE_CLASS = (253, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "must be the name of a StorageClass, for example standard");
    IMAGE = (1024, r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",
        "must be an image reference, for example registry.example.com/asyncmcp-dataplane:0.1.0");
    CIDR = (49, r"^[0-9a-fA-F:.]+/[0-9]{1,3}$",
        "must be an address range in CIDR form, for example 10.0.0.0/8 or fd00::/8");
    DURATION = (28, r"^([0-9]{1,5}(h|m|s|ms)){1,4}$",
        "must be one to four numbers of up to five digits, each with a unit h, m, s or ms, for example 30s or 1h30m");
    QUANTITY = (32, r"^[0-9]+(\.[0-9]{1,3})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
        "must be a quantity such as 500m, 2 or 16Mi");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_length_or_the_format() {
        assert_eq!(NAME.fault("analytics"), None);
        assert_eq!(NAME.fault("Analytics"), Some(NAME.message().to_owned()));
        assert_eq!(
            NAME.fault(&"a".repeat(64)),
            Some("must have at most 63 characters".to_owned())
        );
    }

    #[test]
    fn a_pattern_that_contains_a_quote_uses_the_other_quote() {
        let rules = HEADER_NAME.rules();
        assert!(
            rules[0]["rule"]
                .as_str()
                .unwrap()
                .starts_with("self.matches(r\"^[!#$%&'*")
        );
    }
}
