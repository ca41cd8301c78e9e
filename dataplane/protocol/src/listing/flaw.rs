//! What may be wrong with an entry of a server's list.
//!
//! The files that correct entries find it, status shows it to the people who run the server. Invariant: a closed set.

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The schema of a tool's arguments is not one of an object.
    #[error("inputSchema must be a JSON Schema of type \"object\"")]
    Input,
    /// The schema of a tool's arguments lacks the type.
    #[error("inputSchema lacks \"type\": \"object\"")]
    InputType,
    /// A property of a tool's arguments has no schema.
    #[error("each property in inputSchema must be an object")]
    InputProperty,
    /// The schema of a tool's result is not one of an object.
    #[error("outputSchema must be a JSON Schema of type \"object\"")]
    Output,
    /// The arguments of a prompt are none that a client could fill in.
    #[error("each of its arguments must be an object with a name")]
    Arguments,
    /// The URI of a resource is relative, or not a URI.
    #[error("uri must be an absolute URI")]
    Uri,
    /// A resource has no name.
    #[error("name is missing or not a string")]
    Name,
    /// A member has the wrong type.
    #[error("{0} has the wrong type")]
    Member(&'static str),
}

/// An entry that is not as its server listed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// What the server calls it.
    pub key: String,
    /// What was wrong with it.
    pub flaw: Flaw,
}
