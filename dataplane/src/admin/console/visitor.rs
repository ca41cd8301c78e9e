//! Who looks at a page.
//!
//! `guard` finds out, pages show what the role may see. Invariant: the id of a session is in no page.

use crate::admin::jobs::token::Role;

/// Somebody who is signed in.
#[derive(Clone)]
pub(super) struct Visitor {
    /// What they may do.
    pub(super) role: Role,
    /// What their forms carry.
    pub(super) form_token: String,
    /// Their session.
    pub(super) id: String,
}
