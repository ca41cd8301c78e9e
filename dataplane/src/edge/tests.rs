//! The endpoint from outside: a router, a real MCP server on loopback behind it, and jobs
//! that stay where they were accepted.

mod calls;
mod cancelling;
mod doors;
mod example;
mod gateway;
mod repeated;
mod sessions;
mod webhooks;
