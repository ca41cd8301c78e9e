//! The pages under docs/ hold what they say: links lead somewhere, YAML is valid, commands exist, facts are the code's,
//! programs verify real deliveries, and tutorials run as they are typed.
//!
//! README.md is read like one of these pages. Invariant: no block is left out because of how it is written.

mod blocks;
mod clients;
mod commands;
mod delivery;
mod facts;
mod howtos;
mod install;
mod limits;
mod links;
mod meta;
mod metrics;
mod reader;
mod receivers;
mod retries;
mod tutorial;
mod yaml;
