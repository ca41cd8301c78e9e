//! Stock MCP clients in front of stock MCP servers, with the data plane between them.
//!
//! Nobody here wrote them, so they judge what we wrote. Needs what `tests/setup/peers` installs and the workspace's
//! binaries, as `make test ONLY=peers` brings them. Invariant: what is delivered is verified by a library that is not ours.

mod asking;
mod asyncmcp;
mod background;
mod conformance;
mod content;
mod cut;
mod malformed;
mod merged;
mod oauth;
mod resuming;
mod tasks;
mod tour;
