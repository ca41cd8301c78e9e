//! The level of log messages (`notifications/message`).
//!
//! The data plane uses it to pass on what a modern request asks for, and to set the level that a legacy client asked for
//! on its servers.
//!
//! Invariant: a message of an unknown level counts as the least severe.

use crate::message::Notification;
use crate::raw::RawObject;

/// The `_meta` key of a modern request that asks for log messages of a level and above.
pub const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// From the least severe to the most severe (RFC 5424).
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// A level. A greater one is more severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(usize);

impl Level {
    /// The least severe level of which a modern request asks for messages; `None` if it asks for none.
    pub fn asked_for(meta: &RawObject) -> Option<Self> {
        Self::parse(&meta.text(META_LOG_LEVEL)?)
    }

    /// The level of a message; `None` if the notification is another one.
    pub fn of(notification: &Notification) -> Option<Self> {
        if notification.method != "notifications/message" {
            return None;
        }
        let level = notification
            .params
            .as_ref()
            .and_then(|params| params.text("level"));
        Some(level.and_then(|level| Self::parse(&level)).unwrap_or(Self(0)))
    }

    /// The level of this name.
    pub fn parse(name: &str) -> Option<Self> {
        LEVELS.iter().position(|known| *known == name).map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        LEVELS[self.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(params: &str) -> Option<Level> {
        let params = RawObject::parse(params.as_bytes()).unwrap();
        Level::of(&Notification::new("notifications/message", Some(params)))
    }

    #[test]
    fn an_error_is_more_severe_than_a_warning_and_an_unknown_level_the_least() {
        let (warning, error) = (level(r#"{"level":"warning"}"#), level(r#"{"level":"error"}"#));
        assert!(error > warning && warning.is_some());
        assert_eq!(level(r#"{"level":"loud"}"#), level(r#"{"level":"debug"}"#));
        assert_eq!(level("{}"), level(r#"{"level":"debug"}"#));
        assert_eq!(
            Level::of(&Notification::new("notifications/progress", None)),
            None
        );
    }

    #[test]
    fn every_level_has_the_name_it_is_read_from() {
        for name in LEVELS {
            assert_eq!(Level::parse(name).map(Level::name), Some(name));
        }
        assert_eq!(Level::parse("loud"), None);
    }

    #[test]
    fn a_request_that_names_no_known_level_asks_for_none() {
        let asked = |meta: &str| Level::asked_for(&RawObject::parse(meta.as_bytes()).unwrap());
        assert!(asked(r#"{"io.modelcontextprotocol/logLevel":"info"}"#).is_some());
        assert_eq!(asked(r#"{"io.modelcontextprotocol/logLevel":7}"#), None);
        assert_eq!(asked("{}"), None);
    }
}
