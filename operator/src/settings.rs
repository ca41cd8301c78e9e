//! The settings of data planes from the operator's command line. Read by `route::build`.
//!
//! Invariant: fixed for the life of the process.

use crate::args::{PodUser, Run};
use crate::kinds::Kind;

/// Settings of every data plane.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Image of the pods of routes without an image of their own.
    pub(crate) image: String,
    /// The kinds that are watched.
    pub(crate) watched: Vec<Kind>,
    /// User and groups of their processes.
    pub(crate) user: PodUser,
}

impl Settings {
    /// Reads the command line.
    pub(crate) fn new(args: &Run) -> Self {
        let watched = Kind::ALL
            .into_iter()
            .filter(|kind| *kind != Kind::Secret || args.watch_secrets);
        Self {
            image: args.dataplane_image.clone(),
            watched: watched.collect(),
            user: args.user.clone(),
        }
    }
}
