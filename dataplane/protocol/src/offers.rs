//! What a server declares that it offers, beside tools.
//!
//! Read from `initialize` and `server/discover`; the catalogue asks a server for nothing else.
//!
//! Invariant: what is not declared is not offered; tools are, since servers were always asked for them.

use crate::listing::Kind;
use crate::raw::RawObject;

/// The declared capabilities of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Prompts.
    pub prompts: bool,
    /// Resources and resource templates.
    pub resources: bool,
    /// Completion of the arguments of both.
    pub completions: bool,
}

impl Offers {
    /// Reads a server's `capabilities`.
    pub fn of(capabilities: &RawObject) -> Self {
        let declares = |key| {
            let value = capabilities.get(key);
            value.is_some_and(|value| !matches!(value.get(), "false" | "null"))
        };
        Self {
            prompts: declares("prompts"),
            resources: declares("resources"),
            completions: declares("completions"),
        }
    }

    /// Whether the server can be asked for a list of this kind.
    pub fn lists(self, kind: Kind) -> bool {
        match kind {
            Kind::Tools => true,
            Kind::Prompts => self.prompts,
            Kind::Resources | Kind::Templates => self.resources,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_declared_is_not_offered() {
        let offers = |json: &str| Offers::of(&RawObject::parse(json.as_bytes()).unwrap());
        assert_eq!(offers("{}"), Offers::default());
        assert_eq!(offers(r#"{"prompts":null,"resources":false}"#), Offers::default());
        let all = offers(r#"{"prompts":{},"resources":{"subscribe":true},"completions":{}}"#);
        assert!(Kind::ALL.into_iter().all(|kind| all.lists(kind)) && all.completions);
        assert!(Offers::default().lists(Kind::Tools) && !Offers::default().lists(Kind::Templates));
    }
}
