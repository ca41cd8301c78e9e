//! Where a webhook may go: the guard against server-side request forgery (SSRF).
//!
//! The data plane calls [`Rules::check_url`] when a receiver is named; the sender calls it again at every attempt, and
//! gives its connections [`resolver::Guarded`], which filters what names resolve to. Here live the rules, the address
//! ranges and the resolver; no request is sent from here. Invariant: no address is dialled that
//! [`Rules::check_address`] did not allow, under the rules in force when it is dialled.

mod named_by;
pub mod resolver;
mod rules;
pub mod table;

pub use named_by::NamedBy;
pub use rules::{Allowed, ClientPolicy, FromClients, HostPattern, HostPatternError, Refusal, Rules, Scheme};
