//! Where a job's result goes, and who said so.
//!
//! A part of the snapshot. Invariant: nothing here was judged; the egress policy does that at every attempt.

use super::Key;
use crate::signature::SigningKey;

/// Who named the receiver, which decides what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The client, at `initialize`: under `webhook.receivers.fromClients`.
    Session,
    /// The client, with the call: under `webhook.receivers.fromClients`.
    Call,
    /// The route's author: `webhook.receivers.default`.
    Default,
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The receiver's URL as it was named.
    pub url: String,
    /// Who named it.
    pub origin: Origin,
    /// The client's own key; it signs alone, in place of the route's.
    pub secret: Option<SigningKey>,
}

impl Origin {
    /// Whether a client named it, so that it may only be what the route allows to clients.
    pub fn is_client(self) -> bool {
        match self {
            Self::Session | Self::Call => true,
            Self::Default => false,
        }
    }
}

impl Target {
    /// What in-flight limits and the due index know this receiver by.
    pub fn key(&self) -> Key {
        Key::of(&self.url)
    }
}
