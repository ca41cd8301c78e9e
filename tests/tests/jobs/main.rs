//! The jobs API and `asyncmcp jobs` on real processes: what a person does about deliveries that do not arrive.
//!
//! Invariant: a test asks through the command or over HTTP, never through the code of the data plane.

mod bulk;
mod command;
mod dead_letter;
mod delete;
mod door;
mod formats;
mod matching;
mod overview;
mod readme;
mod receivers;
mod scene;
mod schema;
mod shutdown;
mod stopping;
mod trial;
mod waiting;
