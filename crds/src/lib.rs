//! The API of asyncmcp: the resource that users write, what it means, and the files generated from it.
//!
//! - [`v1alpha1`]: the types, field by field as in YAML.
//! - [`load`]: text to a route. [`validate`]: is it sensible? [`effective`]: what does it mean?
//! - [`document`], [`config_hash`]: what the operator hands to the pods. [`StatusReport`]: what they answer.
//!
//! Invariant: pure. No clock, no network, no environment; and no Kubernetes client, so that the data plane, which
//! links this package, has none.

pub mod document;
pub mod effective;
pub mod fixtures;
pub mod generate;
pub mod load;
pub mod v1alpha1;
pub mod validate;

mod duration;
mod form;
mod glob;
mod host;
mod quantity;
mod references;
mod report;

pub use document::{canonical, config_hash, document};
pub use duration::Duration;
pub use effective::effective;
pub use generate::{GeneratedFile, generate};
pub use glob::Glob;
pub use host::HostPattern;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
pub use load::{Loaded, Unknown, load};
pub use quantity::{Quantity, Size};
pub use references::secret_keys;
pub use report::{RefusedDocument, ServerReport, StatusReport, StoreKeyReport};
pub use v1alpha1::{McpWebhookRoute, McpWebhookRouteSpec, McpWebhookRouteStatus};
pub use validate::{Problem, Problems, validate};

/// The API group.
pub const GROUP: &str = "asyncmcp.dev";
/// The version of the API group.
pub const VERSION: &str = "v1alpha1";
/// Group and version as they stand in `apiVersion`.
pub const API_VERSION: &str = "asyncmcp.dev/v1alpha1";
/// The kind of the resource.
pub const KIND: &str = "McpWebhookRoute";

/// Annotation of pods: `<config hash>.<n>`. A change makes the kubelet mount the newest document at once.
pub const CONFIG_ANNOTATION: &str = "asyncmcp.dev/config";
/// Finalizer of routes: deliveries are finished before the route goes.
pub const DRAIN_FINALIZER: &str = "asyncmcp.dev/drain";
