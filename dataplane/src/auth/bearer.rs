//! Tokens that the route names: each key of a Secret is one principal.
//!
//! Called by [`super::Auth`]. Invariant: a token is compared with all of the route's, so that the time tells nothing; a key
//! that cannot be used equals no token.

use asyncmcp_crds::effective::Auth;

use crate::caller::principal::Principal;
use crate::config::{Config, Refs};
use crate::ports::bearer;

/// Whose token it is. A new value of the same key is the same principal: rotation keeps sessions and jobs.
pub(super) fn principal(auth: &Auth, refs: &Refs, token: &[u8]) -> Option<Principal> {
    let tokens = refs.bearer_tokens(&auth.bearer);
    let known = tokens.into_iter().filter_map(|(named, known)| {
        let is_this = bearer::are_equal(known.ok()?.as_bytes(), token);
        Some((named, is_this))
    });
    let known: Vec<_> = known.collect();
    let (named, _) = known.iter().find(|(_, is_this)| *is_this)?;
    Some(Principal::of("token", &[&named.name, &named.key]))
}

/// What a log says of the keys that cannot be used.
pub(super) fn unusable(config: &Config) -> Vec<String> {
    let Some(auth) = &config.route.auth else {
        return Vec::new();
    };
    let tokens = config.refs.bearer_tokens(&auth.bearer);
    let count = tokens.len();
    let unusable = tokens
        .into_iter()
        .filter_map(|(named, token)| Some((named, token.err()?)));
    let mut lines: Vec<_> = unusable
        .map(|(named, error)| {
            format!(
                "key {} of Secret {}, a client's token, {error}",
                named.key, named.name
            )
        })
        .collect();
    if count > 0 && lines.len() == count {
        let others = if auth.jwt.is_empty() {
            "every request is refused"
        } else {
            "only tokens of issuers let a client in"
        };
        lines.push(format!("no client's token can be used: {others}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use asyncmcp_crds::v1alpha1::SecretKeyRef;

    const FIRST: &str = "first-token-of-16";
    const SECOND: &str = "second.token~of+/16==";

    fn named(key: &str) -> SecretKeyRef {
        SecretKeyRef {
            name: "clients".to_owned(),
            key: key.to_owned(),
        }
    }

    fn refs(values: &[(&str, &str)]) -> (Auth, Refs) {
        let auth = Auth {
            bearer: values.iter().map(|(key, _)| named(key)).collect(),
            jwt: Vec::new(),
        };
        (
            auth,
            Refs::of(values.iter().map(|(key, value)| (named(key), *value))),
        )
    }

    #[test]
    fn each_key_is_a_principal_and_stays_it_with_another_value() {
        let (auth, refs_before) = refs(&[("a", FIRST), ("b", SECOND)]);
        let whose = |refs: &Refs, token: &str| principal(&auth, refs, token.as_bytes());
        let (a, b) = (
            whose(&refs_before, FIRST).unwrap(),
            whose(&refs_before, SECOND).unwrap(),
        );
        assert_ne!(a, b);
        let (_, refs_after) = refs(&[("a", "rotated-token-of-16\n"), ("b", SECOND)]);
        assert_eq!(whose(&refs_after, "rotated-token-of-16"), Some(a));
        assert_eq!(whose(&refs_after, FIRST), None);
    }

    #[test]
    fn a_key_without_a_proper_token_lets_nobody_in() {
        for value in [
            "",
            "  \n",
            "short",
            "sixteen chars and",
            "\u{e9}-token-of-sixteen",
            "===================",
        ] {
            let (auth, refs) = refs(&[("a", value)]);
            for given in [value, value.trim(), "", "a"] {
                assert_eq!(
                    principal(&auth, &refs, given.as_bytes()),
                    None,
                    "{value:?} {given:?}"
                );
            }
        }
    }

    #[test]
    fn two_keys_with_one_value_are_one_principal_and_the_second_is_reported() {
        let (auth, refs) = refs(&[("a", FIRST), ("b", FIRST)]);
        assert!(principal(&auth, &refs, FIRST.as_bytes()).is_some());
        let tokens = refs.bearer_tokens(&auth.bearer);
        assert!(tokens[0].1.is_ok() && tokens[1].1.is_err());
    }
}
