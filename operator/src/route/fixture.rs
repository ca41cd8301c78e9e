//! Routes for tests of this package.

use super::subject::Subject;
use super::validate::{self, Valid};
use crate::args::{Id, PodUser};
use crate::kinds::Kind;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::sync::Arc;

/// The uid of every route here.
pub(crate) const UID: &str = "6f0c1f5e-0000-4000-8000-000000000001";

/// The smallest useful spec.
pub(crate) fn minimal() -> Value {
    json!({
        "servers": [{"name": "a", "url": "http://a.example:8080/mcp"}],
        "webhookTools": [{"name": "process_batch"}],
    })
}

/// A route with this spec, as an API server would return it.
pub(crate) fn object(spec: &Value) -> Value {
    json!({
        "apiVersion": "asyncmcp.dev/v1alpha1",
        "kind": "McpWebhookRoute",
        "metadata": {"name": "analytics", "namespace": "tools", "uid": UID, "generation": 3, "resourceVersion": "7"},
        "spec": spec,
    })
}

/// The subject of a reconcile of [`object`].
pub(crate) fn subject(spec: &Value) -> Subject {
    of(object(spec))
}

/// The subject of a reconcile of this object.
pub(crate) fn of(object: Value) -> Subject {
    Subject::read(Arc::new(serde_json::from_value(object).unwrap()))
}

pub(crate) fn valid(spec: &Value) -> Valid {
    validate::route(&subject(spec)).unwrap()
}

pub(crate) fn settings() -> Settings {
    let id = Id(Some(65532));
    Settings {
        image: "dataplane:1".to_owned(),
        class: None,
        watched: Kind::ALL.into(),
        user: PodUser {
            user: id,
            group: id,
            fs_group: id,
        },
    }
}
