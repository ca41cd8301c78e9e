//! What the unit tests of several rooms share: a server that does as it is told, and routes over it.

pub(crate) mod fake;
