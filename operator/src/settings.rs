//! What the operator's command line says about data planes. Called by `route::build`.
//!
//! Invariant: fixed for the life of the process.

use crate::args::{PodUser, Run};

/// Settings of every data plane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Image of pods whose route names none.
    pub image: String,
    /// Whom their processes run as.
    pub user: PodUser,
}

impl Settings {
    /// What the command line says.
    pub fn new(args: &Run) -> Self {
        Self {
            image: args.dataplane_image.clone(),
            user: args.user.clone(),
        }
    }
}
