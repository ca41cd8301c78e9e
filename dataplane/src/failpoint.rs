//! `--failpoint KIND:before|after:N`: ends this process at a chosen commit, for the crash tests.
//!
//! The only user is the test suite; nothing here runs unless the hidden flag is given. Invariant:
//! the end is an abort, so nothing is flushed that a power cut would not have flushed.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use asyncmcp_delivery::store::redb::{CommitInfo, Hook, Kind, Options};

/// Which commit ends the process.
#[derive(Clone, Debug)]
pub struct Failpoint {
    kind: Kind,
    after: bool,
    nth: u32,
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(':').collect();
        let [kind, when, nth] = parts[..] else {
            return Err("expected KIND:before|after:N".to_owned());
        };
        let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        let kind = known.ok_or_else(|| {
            let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("KIND is one of {}", kinds.join(", "))
        })?;
        let after = match when {
            "before" => false,
            "after" => true,
            _ => return Err(format!("{when:?} is neither before nor after")),
        };
        let nth = nth.parse().map_err(|_| format!("{nth:?} is not a number"))?;
        Ok(Self { kind, after, nth })
    }
}

impl Failpoint {
    /// Puts the abort into the store's hooks.
    pub fn arm(&self, options: &mut Options) {
        let Self { kind, nth, .. } = self.clone();
        let seen = AtomicU32::new(0);
        let hook: Hook = Arc::new(move |commit: CommitInfo| {
            let before = seen.fetch_add(commit.count(kind), Ordering::Relaxed);
            if before < nth && before + commit.count(kind) >= nth {
                std::process::abort();
            }
        });
        let place = if self.after {
            &mut options.after_commit
        } else {
            &mut options.before_commit
        };
        *place = Some(hook);
    }
}
