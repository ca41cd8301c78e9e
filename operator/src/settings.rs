//! What the operator's command line says about data planes. Called by `route::build`.
//!
//! Invariant: fixed for the life of the process.

use crate::args::{PodUser, Run};
use crate::kinds::Kind;

/// Settings of every data plane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Image of pods whose route names none.
    pub image: String,
    /// The kinds that are watched.
    pub watched: Vec<Kind>,
    /// Whom their processes run as.
    pub user: PodUser,
}

impl Settings {
    /// What the command line says.
    pub fn new(args: &Run) -> Self {
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
