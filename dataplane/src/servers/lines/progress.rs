//! The progress tokens of a caller's calls in progress.
//!
//! Each caller's entry has one; its calls note the tokens that they send, and what servers say passes by it on its way
//! to the caller. Invariant: a caller hears of no token that it did not ask a server to report under, since some clients
//! take that for a broken connection; a token keeps its type (0 is not "0").

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asyncmcp_protocol::{Id, Message};

/// How many calls on a server (its name) asked for progress under a token.
type Asked = HashMap<(String, Id), usize>;

/// The tokens. Cheap to clone; every clone is the same.
#[derive(Clone, Default)]
pub(super) struct Tokens(Arc<Mutex<Asked>>);

/// A token is in use until this is dropped.
pub struct InUse {
    tokens: Tokens,
    key: (String, Id),
}

impl Tokens {
    /// A call on `server` asks for progress under `token`.
    pub(super) fn ask(&self, server: &str, token: Id) -> InUse {
        let key = (server.to_owned(), token);
        *self.asked().entry(key.clone()).or_default() += 1;
        InUse {
            tokens: self.clone(),
            key,
        }
    }

    /// Whether the caller may hear this from `server`: all but progress that no call asked for.
    pub(super) fn allow(&self, server: &str, message: &Message) -> bool {
        let Message::Notification(note) = message else {
            return true;
        };
        if !note.is_progress() {
            return true;
        }
        let asked = note
            .progress_token()
            .is_some_and(|token| self.asked().contains_key(&(server.to_owned(), token)));
        if !asked {
            tracing::debug!(
                server,
                "progress under a token that no call in progress asked for is dropped"
            );
        }
        asked
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut asked = self.tokens.asked();
        match asked.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(asked.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(token: &str) -> Message {
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_tokens_in_use_pass_and_only_with_their_type_and_from_their_server() {
        let tokens = Tokens::default();
        let (first, second) = (tokens.ask("a", Id::number(0)), tokens.ask("a", Id::number(0)));
        for (server, token, passes) in [
            ("a", "0", true),
            ("a", "\"0\"", false),
            ("a", "\"tool-call-1\"", false),
            ("a", "null", false),
            ("b", "0", false),
        ] {
            assert_eq!(tokens.allow(server, &progress(token)), passes, "{server} {token}");
        }
        drop(first);
        assert!(tokens.allow("a", &progress("0")), "the other call is in progress");
        drop(second);
        assert!(!tokens.allow("a", &progress("0")));
    }

    #[test]
    fn everything_else_passes() {
        let other = br#"{"jsonrpc":"2.0","method":"notifications/message","params":{"progressToken":1}}"#;
        assert!(Tokens::default().allow("a", &Message::parse(other).unwrap()));
    }
}
