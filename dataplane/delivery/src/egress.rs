//! Where a webhook may go: the guard against requests forged through us (SSRF).
//!
//! The data plane asks [`Rules::check_url`] when a receiver is named; the sender asks it
//! again at every attempt, and gives its connections [`resolver::Guarded`], which filters
//! what names resolve to. Invariant: no address is dialled that [`Rules::check_address`]
//! did not pass, under the policy in force when it is dialled.

mod named_by;
pub mod resolver;
mod rules;
pub mod table;

pub use named_by::NamedBy;
pub use rules::{Allowed, ClientPolicy, FromClients, HostPattern, HostPatternError, Refusal, Rules, Scheme};
