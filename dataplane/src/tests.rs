//! What the unit tests of several rooms share: routes over servers that do as they are told.

pub(crate) mod route;
