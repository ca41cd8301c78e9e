//! Whether a namespace is being deleted, with everything in it. Called by `drain` and by `claim::abandoned`.
//!
//! Invariant: namespaces are not watched; the API server is asked, which happens only at the end of something.

use super::context::Context;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;

/// The namespace was not read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read namespace {name}")]
pub(crate) struct Error {
    name: String,
    #[source]
    source: kube::Error,
}

/// Whether the namespace is gone or being deleted.
pub(crate) async fn is_gone(context: &Context, name: &str) -> Result<bool, Error> {
    let api: Api<Namespace> = Api::all(context.client.clone());
    let found = api.get_metadata_opt(name).await.map_err(|source| Error {
        name: name.to_owned(),
        source,
    })?;
    Ok(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}
