//! `subscriptions/listen` of the modern era: what a client wants to hear of, and how every message says which stream it is of.
//!
//! The endpoint answers clients with it, the client for servers asks servers with it.
//!
//! Invariant: what was not asked for is in no acknowledgement, and the id of a subscription keeps its raw text.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::id::Id;
use crate::message::{Notification, Response};
use crate::raw::RawObject;

/// The method.
pub const LISTEN: &str = "subscriptions/listen";
/// The notification that is the first message of each stream.
pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
/// The notification that a resource changed.
pub const UPDATED: &str = "notifications/resources/updated";
/// The notification of what became of a task (the extension `io.modelcontextprotocol/tasks`).
pub const TASK: &str = "notifications/tasks";
/// The `_meta` key of every message of a stream: the id of the request that opened it.
pub const META_SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// The most resources of one stream, and of one session; the most tasks of one stream.
pub const MAX_URIS: usize = 64;
/// The longest URI of one, and the longest id of a task, in bytes.
pub const MAX_URI: usize = 2048;

/// A list whose changes are notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Of tools.
    Tools,
    /// Of prompts.
    Prompts,
    /// Of resources and resource templates.
    Resources,
}

/// What a client wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The lists.
    pub lists: BTreeSet<List>,
    /// The resources, by URI; each once.
    pub uris: BTreeSet<String>,
    /// The tasks, by id; each once.
    pub tasks: BTreeSet<String>,
}

/// Why the params of `subscriptions/listen` are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no filter.
    #[error("params.notifications must be an object: what to listen to")]
    NoFilter,
    /// A list is neither wanted nor not wanted.
    #[error("params.notifications.{0} must be a boolean")]
    NoBoolean(&'static str),
    /// The resources are no list of URIs.
    #[error(
        "params.notifications.resourceSubscriptions must be an array of URIs, each at most {MAX_URI} bytes"
    )]
    NoUris,
    /// Too many resources.
    #[error("params.notifications.resourceSubscriptions has more than {MAX_URIS} URIs; use several streams")]
    TooManyUris,
    /// The tasks are no list of ids.
    #[error("params.notifications.taskIds must be an array of ids of tasks, each at most {MAX_URI} bytes")]
    NoTasks,
    /// Too many tasks.
    #[error("params.notifications.taskIds has more than {MAX_URIS} ids; use several streams")]
    TooManyTasks,
}

impl List {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// The list that the notification says has changed.
    pub fn changed_by(notification: &Notification) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|list| list.notification() == notification.method)
    }

    /// The notification that it has changed.
    pub fn changed(self) -> Notification {
        Notification::new(self.notification(), None)
    }

    fn notification(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
        }
    }

    fn member(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }
}

impl Filter {
    /// Reads the `params` of a client's request. What is not known is not asked for.
    pub fn parse(params: Option<&RawObject>) -> Result<Self, Error> {
        let filter = params.and_then(|params| params.object("notifications").ok()?);
        let filter = filter.ok_or(Error::NoFilter)?;
        let mut lists = BTreeSet::new();
        for list in List::ALL {
            match filter.get(list.member()).map(RawValue::get) {
                None | Some("false" | "null") => {}
                Some("true") => drop(lists.insert(list)),
                Some(_) => return Err(Error::NoBoolean(list.member())),
            }
        }
        let uris = texts(
            &filter,
            "resourceSubscriptions",
            (Error::NoUris, Error::TooManyUris),
        )?;
        let tasks = texts(&filter, "taskIds", (Error::NoTasks, Error::TooManyTasks))?;
        Ok(Self { lists, uris, tasks })
    }

    /// What a server's acknowledgement says it will notify of; `None` of another notification.
    pub fn acknowledged(notification: &Notification) -> Option<Self> {
        if notification.method != ACKNOWLEDGED {
            return None;
        }
        Some(Self::parse(notification.params.as_ref()).unwrap_or_default())
    }

    /// The `params` of a request, or of an acknowledgement.
    pub fn to_params(&self) -> RawObject {
        let mut filter = RawObject::new();
        for list in &self.lists {
            filter.set_value(list.member(), &true);
        }
        if !self.uris.is_empty() {
            filter.set_value("resourceSubscriptions", &self.uris);
        }
        if !self.tasks.is_empty() {
            filter.set_value("taskIds", &self.tasks);
        }
        let mut params = RawObject::new();
        params.set("notifications", filter.to_raw());
        params
    }

    /// The acknowledgement of it.
    pub fn acknowledgement(&self) -> Notification {
        Notification::new(ACKNOWLEDGED, Some(self.to_params()))
    }
}

/// A list of URIs or ids, and what is wrong with one that is none, or too long.
fn texts(filter: &RawObject, member: &str, (none, many): (Error, Error)) -> Result<BTreeSet<String>, Error> {
    let Some(listed) = filter.get(member) else {
        return Ok(BTreeSet::new());
    };
    let listed: Vec<String> = serde_json::from_str(listed.get()).map_err(|_| none)?;
    if listed.len() > MAX_URIS {
        return Err(many);
    }
    if listed.iter().any(|text| text.is_empty() || text.len() > MAX_URI) {
        return Err(none);
    }
    Ok(listed.into_iter().collect())
}

/// The notification on the stream that the request `id` opened.
#[must_use]
pub fn on(mut notification: Notification, id: &Id) -> Notification {
    let mut meta = notification.meta().unwrap_or_default();
    meta.set(META_SUBSCRIPTION_ID, id.raw().to_owned());
    let params = notification.params.get_or_insert_default();
    params.set("_meta", meta.to_raw());
    notification
}

/// The notification as it is outside of any stream.
#[must_use]
pub fn off(mut notification: Notification) -> Notification {
    let Some(mut meta) = notification.meta() else {
        return notification;
    };
    meta.remove(META_SUBSCRIPTION_ID);
    let params = notification.params.get_or_insert_default();
    if meta.is_empty() {
        params.remove("_meta");
    } else {
        params.set("_meta", meta.to_raw());
    }
    notification
}

/// The URI of a notification that a resource changed.
pub fn updated(notification: &Notification) -> Option<String> {
    (notification.method == UPDATED)
        .then(|| notification.params.as_ref()?.text("uri"))
        .flatten()
}

/// The id of the task that a notification is about.
pub fn task(notification: &Notification) -> Option<String> {
    (notification.method == TASK)
        .then(|| notification.params.as_ref()?.text("taskId"))
        .flatten()
}

/// The response with which a stream ends that the other side did not end.
pub fn ended(id: &Id) -> Response {
    let mut meta = RawObject::new();
    meta.set(META_SUBSCRIPTION_ID, id.raw().to_owned());
    let mut result = RawObject::new();
    result.set_value("resultType", "complete");
    result.set("_meta", meta.to_raw());
    Response::result(id.clone(), result.to_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(filter: &str) -> Result<Filter, Error> {
        let params = format!(r#"{{"notifications":{filter}}}"#);
        Filter::parse(Some(&RawObject::parse(params.as_bytes()).unwrap()))
    }

    #[test]
    fn a_filter_reads_back_from_what_it_writes_and_drops_what_it_does_not_know() {
        let filter = parsed(
            r#"{"toolsListChanged":true,"promptsListChanged":false,"x":1,"taskIds":["t"],"resourceSubscriptions":["b","a","b"]}"#,
        )
        .unwrap();
        assert_eq!(filter.lists, [List::Tools].into());
        assert_eq!(filter.uris, ["a".to_owned(), "b".to_owned()].into());
        assert_eq!(filter.tasks, ["t".to_owned()].into());
        let acknowledgement = filter.acknowledgement();
        assert_eq!(
            String::from_utf8(on(acknowledgement.clone(), &Id::number(7)).to_bytes()).unwrap(),
            concat!(
                r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":"#,
                r#"{"toolsListChanged":true,"resourceSubscriptions":["a","b"],"taskIds":["t"]},"#,
                r#""_meta":{"io.modelcontextprotocol/subscriptionId":7}}}"#
            )
        );
        assert_eq!(Filter::acknowledged(&acknowledgement), Some(filter));
        assert_eq!(Filter::acknowledged(&List::Tools.changed()), None);
    }

    #[test]
    fn a_filter_that_is_none_is_refused_by_name() {
        assert_eq!(Filter::parse(None), Err(Error::NoFilter));
        assert_eq!(parsed("[]"), Err(Error::NoFilter));
        assert_eq!(
            parsed(r#"{"toolsListChanged":1}"#),
            Err(Error::NoBoolean("toolsListChanged"))
        );
        for uris in [
            r#""a""#,
            "[1]",
            r#"[""]"#,
            &format!("[\"{}\"]", "u".repeat(MAX_URI + 1)),
        ] {
            let filter = format!(r#"{{"resourceSubscriptions":{uris}}}"#);
            assert_eq!(parsed(&filter), Err(Error::NoUris), "{uris}");
            let filter = format!(r#"{{"taskIds":{uris}}}"#);
            assert_eq!(parsed(&filter), Err(Error::NoTasks), "{uris}");
        }
        let many: Vec<_> = (0..=MAX_URIS).map(|n| format!("u:{n}")).collect();
        let filter = format!(
            r#"{{"resourceSubscriptions":{}}}"#,
            serde_json::to_string(&many).unwrap()
        );
        assert_eq!(parsed(&filter), Err(Error::TooManyUris));
        let filter = filter.replace("resourceSubscriptions", "taskIds");
        assert_eq!(parsed(&filter), Err(Error::TooManyTasks));
    }

    #[test]
    fn a_notification_is_the_same_off_its_stream_and_keeps_its_bytes() {
        let text =
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a","x":1.0}}"#;
        let Ok(crate::Message::Notification(said)) = crate::Message::parse(text.as_bytes()) else {
            panic!("no notification")
        };
        assert_eq!(updated(&said).as_deref(), Some("a"));
        let there_and_back = off(on(said, &Id::text("s")));
        assert_eq!(String::from_utf8(there_and_back.to_bytes()).unwrap(), text);
        for list in List::ALL {
            assert_eq!(List::changed_by(&list.changed()), Some(list));
        }
    }
}
