//! Who named a receiver.
//!
//! A job's target carries it; the rules read it. Invariant: it decides what a receiver may be, and nothing else.

/// Who named the receiver, which decides what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The client, at `initialize`: under `webhook.receivers.fromClients`.
    Session,
    /// The client, with the call: under `webhook.receivers.fromClients`.
    Call,
    /// The route's author: `webhook.receivers.default`.
    Default,
    /// The route's author: `webhook.deadLetter.notify`.
    Notify,
}

impl NamedBy {
    /// Whether a client named it, so that it may only be what the route allows to clients.
    pub fn is_client(self) -> bool {
        match self {
            Self::Session | Self::Call => true,
            Self::Default | Self::Notify => false,
        }
    }
}
