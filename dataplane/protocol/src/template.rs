//! URI templates (RFC 6570) as MCP servers use them: does a URI come of one?
//!
//! The catalogue routes reads of resources that no server listed by it.
//!
//! Invariant: a match costs no more than the length of the URI times that of the template, whatever either says.

/// The longest template that is matched.
pub const MAX_TEMPLATE: usize = 2048;
/// The most expressions of a template that is matched.
const MAX_EXPRESSIONS: usize = 32;

/// A URI template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    literals: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `{name}`: at least one character, none of them a slash.
    Segment,
    /// `{+name}` and whatever else may span slashes: at least one character.
    Any,
    /// `{?name}`, `{&name}` and `{#name}`: absent, or anything that begins with this character.
    Tail(u8),
}

impl Template {
    /// Parses a template; `None` for one that is malformed or too long, which no URI comes of.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEMPLATE {
            return None;
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((literal, after)) = rest.split_once('{') {
            let (expression, after) = after.split_once('}')?;
            push(&mut parts, literal);
            expand(&mut parts, expression)?;
            rest = after;
        }
        push(&mut parts, rest);
        let is_plain = parts
            .iter()
            .all(|part| !matches!(part, Part::Literal(text) if text.contains('}')));
        let literals = parts.iter().map(Part::len).sum();
        (is_plain && parts.len() <= 2 * MAX_EXPRESSIONS).then_some(Self { parts, literals })
    }

    /// The number of its bytes that stand in every URI that comes of it: the more, the better it says whose a URI is.
    pub fn literals(&self) -> usize {
        self.literals
    }

    /// Whether `uri` comes of it.
    pub fn matches(&self, uri: &str) -> bool {
        let bytes = uri.as_bytes();
        // Where the parts so far may end.
        let mut ends = vec![false; bytes.len() + 1];
        ends[0] = true;
        for part in &self.parts {
            ends = part.after(&ends, bytes);
            if !ends.contains(&true) {
                return false;
            }
        }
        ends[bytes.len()]
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            _ => 0,
        }
    }

    /// Where this part may end, if it may begin at `starts`.
    fn after(&self, starts: &[bool], uri: &[u8]) -> Vec<bool> {
        let mut ends = vec![false; starts.len()];
        match self {
            Self::Literal(text) => {
                for (at, _) in starts.iter().enumerate().filter(|(_, may)| **may) {
                    if uri[at..].starts_with(text.as_bytes()) {
                        ends[at + text.len()] = true;
                    }
                }
            }
            Self::Segment => spread(&mut ends, starts, |at| uri[at] != b'/'),
            Self::Any => spread(&mut ends, starts, |_| true),
            Self::Tail(first) => {
                let begins = starts.iter().enumerate();
                let begins = begins.map(|(at, may)| *may && uri.get(at) == Some(first));
                let begins: Vec<_> = begins.collect();
                spread(&mut ends, &begins, |_| true);
                ends.iter_mut().zip(starts).for_each(|(end, may)| *end |= may);
            }
        }
        ends
    }
}

/// One character or more from each of `starts` on, as long as `may` allows.
fn spread(ends: &mut [bool], starts: &[bool], may: impl Fn(usize) -> bool) {
    let mut is_within = false;
    for at in 0..ends.len() - 1 {
        is_within = (is_within || starts[at]) && may(at);
        ends[at + 1] = is_within;
    }
}

fn push(parts: &mut Vec<Part>, literal: &str) {
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
}

fn expand(parts: &mut Vec<Part>, expression: &str) -> Option<()> {
    let operator = expression.chars().next()?;
    match operator {
        '?' => parts.push(Part::Tail(b'?')),
        '&' => parts.push(Part::Tail(b'&')),
        '#' => parts.push(Part::Tail(b'#')),
        '+' => parts.push(Part::Any),
        '.' | '/' | ';' => {
            push(parts, &operator.to_string());
            parts.push(Part::Any);
        }
        // `{path*}` is how some servers write what may have slashes.
        _ if expression.ends_with('*') => parts.push(Part::Any),
        operator if operator.is_alphanumeric() || matches!(operator, '_' | '%') => parts.push(Part::Segment),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(template: &str, uri: &str) -> bool {
        Template::parse(template).is_some_and(|template| template.matches(uri))
    }

    #[test]
    fn a_uri_comes_of_a_template_as_servers_mean_it() {
        for (template, uri, expected) in [
            ("test://template/{id}/data", "test://template/123/data", true),
            ("test://template/{id}/data", "test://template/1/2/data", false),
            ("test://template/{id}/data", "test://template//data", false),
            ("test://template/{id}/data", "test://template/123/data/", false),
            ("file:///{+path}", "file:///a/b/c.txt", true),
            ("file:///{path*}", "file:///a/b/c.txt", true),
            ("file:///{path}", "file:///a/b", false),
            ("a://{x}-{y}", "a://1-2-3", true),
            ("a://{x}{y}", "a://12", true),
            ("a://{x}{y}", "a://1", false),
            ("a://s{?q,n}", "a://s?q=1&n=2", true),
            ("a://s{?q,n}", "a://s", true),
            ("a://s{?q,n}", "a://st", false),
            ("a://s{/p}", "a://s/t/u", true),
            ("a://{x}", "b://1", false),
            ("a://é{x}", "a://éü", true),
            ("a://fixed", "a://fixed", true),
        ] {
            assert_eq!(matches(template, uri), expected, "{template} {uri}");
        }
    }

    #[test]
    fn what_is_no_template_matches_nothing() {
        for text in [
            "a://{",
            "a://{}",
            "a://}",
            "a://{!x}",
            &format!("a://{}", "{x}".repeat(100)),
        ] {
            assert_eq!(Template::parse(text), None, "{text}");
        }
        assert_eq!(Template::parse(&"a".repeat(MAX_TEMPLATE + 1)), None);
    }

    #[test]
    fn a_hostile_template_costs_no_more_than_its_length() {
        let template = Template::parse(&format!("{}!", "{+x}a".repeat(30))).unwrap();
        assert!(!template.matches(&"a".repeat(2048)));
    }

    proptest! {
        #[test]
        fn what_is_expanded_matches(x in "[a-z0-9%.]{1,8}", path in "[a-z/]{1,8}") {
            let uri = format!("s://{x}/mid/{path}");
            let is_match = matches("s://{x}/mid/{+path}", &uri);
            prop_assert!(is_match);
        }

        #[test]
        fn no_text_is_too_odd(template in ".{0,40}", uri in ".{0,40}") {
            let _ = matches(&template, &uri);
        }
    }
}
