//! Settings from the operator's command line. Read by `route`.
//!
//! Invariant: fixed for the life of the process.

use crate::args::{PodUser, Run};
use crate::kinds::Kind;

/// Which routes are served, and settings of every data plane.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Image of the pods of routes without an image of their own.
    pub(crate) image: String,
    /// The class whose routes are served; `None`: those without one.
    pub(crate) class: Option<String>,
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
            class: args.operator_class.clone(),
            watched: watched.collect(),
            user: args.user.clone(),
        }
    }
}
