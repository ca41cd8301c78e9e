//! A client of either era, which asks the same of the gateway.
//!
//! Invariant: nothing is sent that a test did not ask for, and nothing is checked here.

use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::modern::{Modern, meta};
use asyncmcp_tests::session::{Reply, Session};
use serde_json::{Value, json};

/// A client of one of the eras.
pub(crate) enum Client {
    Legacy(Session),
    Modern(Modern),
}

impl Client {
    /// One of each era.
    pub(crate) async fn both(gateway: &DataPlane) -> [Self; 2] {
        let url = gateway.url();
        let legacy = Session::open(&url, None).await.expect("a session");
        [
            Self::Legacy(legacy),
            Self::Modern(Modern::at(&url).expect("a client")),
        ]
    }

    pub(crate) fn is_modern(&self) -> bool {
        matches!(self, Self::Modern(_))
    }

    pub(crate) async fn ask(&self, method: &str, params: Value) -> Reply {
        match self {
            Self::Modern(client) => client.send(&modern(7, method, params)).await.expect("an answer"),
            Self::Legacy(client) => {
                let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
                client.post(body.to_string()).await.expect("an answer")
            }
        }
    }
}

/// A modern message. What `params` has in `_meta` is added to the envelope.
pub(crate) fn modern(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"] = meta(&params["_meta"]);
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}
