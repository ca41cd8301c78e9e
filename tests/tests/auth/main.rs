//! Who may come in: credentials, right and wrong, on the running process.
//!
//! Invariant: what is refused is asserted beside the same request with the right credentials, which is answered.

mod command;
mod expiry;
mod issuers;
mod limits;
mod metadata;
mod scene;
mod scopes;
mod table;
mod tokens;
