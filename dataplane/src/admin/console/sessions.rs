//! Who is signed in to the console, and the one-time codes that sign in.
//!
//! [`super::sign_in`] and [`super::guard`] use it. Invariant: time and chance are arguments; what is kept of an id or a code is
//! its digest, so that a lookup takes as long for a wrong one; both are bounded in number, and the oldest goes first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::admin::jobs::token::Grant;

/// How long a code is good.
pub(super) const CODE_AGE: Duration = Duration::from_mins(1);
/// How long a session lasts.
pub(super) const SESSION_AGE: Duration = Duration::from_hours(8);
/// The most codes at a time.
const CODES: usize = 16;
/// The most sessions at a time.
const SESSIONS: usize = 64;

type Digest = [u8; 32];

/// The sessions and codes of this process. They end with it.
#[derive(Default)]
pub(crate) struct Sessions {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    codes: HashMap<Digest, Entry>,
    sessions: HashMap<Digest, Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    grant: Grant,
    since: Instant,
}

impl Sessions {
    /// A code that signs in once, for whoever presented a token.
    pub(super) fn issue_code(&self, grant: Grant, random: [u8; 32], now: Instant) -> String {
        let code = BASE64_URL_SAFE_NO_PAD.encode(random);
        put(
            &mut self.book().codes,
            digest(&code),
            Entry { grant, since: now },
            CODES,
        );
        code
    }

    /// What the code stood for. It is used up, whether it was still good or not.
    pub(super) fn redeem(&self, code: &str, now: Instant) -> Option<Grant> {
        let entry = self.book().codes.remove(&digest(code))?;
        (now.duration_since(entry.since) < CODE_AGE).then_some(entry.grant)
    }

    /// The id of a new session.
    pub(super) fn open(&self, grant: Grant, random: [u8; 32], now: Instant) -> String {
        let id = BASE64_URL_SAFE_NO_PAD.encode(random);
        put(
            &mut self.book().sessions,
            digest(&id),
            Entry { grant, since: now },
            SESSIONS,
        );
        id
    }

    /// What the session with this id may do.
    pub(super) fn find(&self, id: &str, now: Instant) -> Option<Grant> {
        let mut book = self.book();
        let entry = *book.sessions.get(&digest(id))?;
        if now.duration_since(entry.since) < SESSION_AGE {
            return Some(entry.grant);
        }
        book.sessions.remove(&digest(id));
        None
    }

    /// Ends a session.
    pub(super) fn close(&self, id: &str) {
        self.book().sessions.remove(&digest(id));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What each form of a session carries: it is made of the session's id, which it does not reveal.
pub(super) fn form_token(id: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!("form token of {id}")))
}

fn digest(secret: &str) -> Digest {
    Sha256::digest(secret).into()
}

fn put(entries: &mut HashMap<Digest, Entry>, digest: Digest, entry: Entry, most: usize) {
    while entries.len() >= most {
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.since);
        let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
            break;
        };
        entries.remove(&oldest);
    }
    entries.insert(digest, entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::jobs::token::{Role, Token};

    async fn grant() -> Grant {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::open_or_create(dir.path()).unwrap();
        let text = std::fs::read(dir.path().join("adminToken")).unwrap();
        token.grant(&text).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_signs_in_once_and_for_a_minute() {
        let (sessions, grant, start) = (Sessions::default(), grant().await, Instant::now());
        let code = sessions.issue_code(grant, [1; 32], start);
        assert!(sessions.redeem("another", start).is_none());
        let redeemed = sessions.redeem(&code, start + CODE_AGE - Duration::from_millis(1));
        assert_eq!(redeemed.map(|grant| grant.role), Some(Role::Admin));
        assert!(sessions.redeem(&code, start).is_none(), "it is used up");
        let late = sessions.issue_code(grant, [2; 32], start);
        assert!(sessions.redeem(&late, start + CODE_AGE).is_none());
        assert!(
            sessions.redeem(&late, start).is_none(),
            "a late try uses it up too"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_goes_where_there_are_too_many() {
        let (sessions, grant, start) = (Sessions::default(), grant().await, Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        let ids: Vec<String> = (0..=64u8)
            .map(|n| sessions.open(grant, [n; 32], at(n.into())))
            .collect();
        assert!(sessions.find(&ids[0], at(65)).is_none());
        assert!(ids[1..].iter().all(|id| sessions.find(id, at(65)).is_some()));
        let codes: Vec<String> = (0..=16u8)
            .map(|n| sessions.issue_code(grant, [n; 32], at(n.into())))
            .collect();
        assert!(sessions.redeem(&codes[0], at(17)).is_none());
        assert!(
            codes[1..]
                .iter()
                .all(|code| sessions.redeem(code, at(17)).is_some())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_eight_hours_or_when_it_is_closed() {
        let (sessions, grant, start) = (Sessions::default(), grant().await, Instant::now());
        let id = sessions.open(grant, [7; 32], start);
        assert!(
            sessions
                .find(&id, start + SESSION_AGE - Duration::from_secs(1))
                .is_some()
        );
        assert!(sessions.find(&id, start + SESSION_AGE).is_none());
        assert!(sessions.find(&id, start).is_none(), "it is forgotten");
        let id = sessions.open(grant, [8; 32], start);
        sessions.close(&id);
        assert!(sessions.find(&id, start).is_none());
    }

    #[test]
    fn a_form_token_is_the_sessions_own_and_not_its_id() {
        assert_eq!(form_token("a"), form_token("a"));
        assert_ne!(form_token("a"), form_token("b"));
        assert!(!form_token("abcdefgh").contains("abcdefgh"));
    }
}
