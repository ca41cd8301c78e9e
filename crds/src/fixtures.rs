//! Valid and invalid routes with the expected errors, for tests. `crds/fixtures/README.md` describes the format.
//!
//! Two tests read the same table: the test of `validate` in this package, and the test of the CRD on a real API server.
//!
//! Invariant: a rule that exists on one side only fails one of the two tests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{API_VERSION, KIND};

/// A route and the errors expected for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fixture {
    /// What the fixture shows, as a sentence.
    pub title: String,
    /// `metadata.name`.
    #[serde(default = "name")]
    pub name: String,
    /// The spec, as a user wrote it.
    pub spec: Value,
    /// The problems that the loader and `validate` must find: the field, and a part of the message.
    #[serde(default)]
    pub problems: BTreeMap<String, String>,
    /// A part of the API server's message, if the CRD alone rejects the route.
    pub api_server: Option<String>,
}

fn name() -> String {
    "fixture".to_owned()
}

impl Fixture {
    /// The whole object, without a namespace.
    pub fn object(&self) -> Value {
        json!({
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": self.name},
            "spec": self.spec,
        })
    }
}

const FILES: [&str; 7] = [
    include_str!("../fixtures/valid.yaml"),
    include_str!("../fixtures/servers.yaml"),
    include_str!("../fixtures/transport.yaml"),
    include_str!("../fixtures/auth.yaml"),
    include_str!("../fixtures/webhook.yaml"),
    include_str!("../fixtures/receivers.yaml"),
    include_str!("../fixtures/pods.yaml"),
];

/// All fixtures, in the order of the files.
pub fn all() -> Vec<Fixture> {
    let read =
        |file| serde_yaml::from_str::<Vec<Fixture>>(file).expect("a file of fixtures is a list of them");
    FILES.into_iter().flat_map(read).collect()
}
