//! The API of asyncmcp: the resource that users write, its defaults and rules, and the files generated from it.
//!
//! - [`v1alpha1`]: the types, field by field as in YAML.
//! - [`load()`]: parses a route. [`validate()`]: checks it. [`effective()`]: fills in the defaults.
//! - [`document()`], [`config_hash`]: what the operator sends to the pods. [`StatusReport`]: what the pods report.
//!
//! Invariant: pure. No clock, no network, no environment, and no Kubernetes client, so that the data plane, which
//! depends on this package, has none either.

pub mod advice;
pub mod document;
pub mod effective;
pub mod fixtures;
pub mod generate;
pub mod load;
pub mod overrides;
pub mod summary;
pub mod v1alpha1;
pub mod validate;

mod duration;
mod form;
mod glob;
mod host;
mod lines;
mod problem;
mod quantity;
mod references;
mod report;
mod span;

pub use advice::advice;
pub use document::{canonical, config_hash, document};
pub use duration::Duration;
pub use effective::effective;
pub use generate::{GeneratedFile, generate};
pub use glob::Glob;
pub use host::HostPattern;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
pub use lines::Lines;
pub use load::{Loaded, Unknown, load};
pub use overrides::Overrides;
pub use problem::{Problem, Problems};
pub use quantity::{Quantity, Size};
pub use references::{CERTIFICATE, ObjectKey, ObjectKind, PRIVATE_KEY, referenced_keys};
pub use report::{
    IssuerReport, RefusedDocument, ServerReport, StatusReport, StoreKeyReport, StoreProblem,
    StoreProblemReport, UnusableKeyReport, WaitingReport,
};
pub use span::words;
pub use v1alpha1::{McpWebhookRoute, McpWebhookRouteSpec, McpWebhookRouteStatus};
pub use validate::validate;

/// The API group.
pub const GROUP: &str = "asyncmcp.dev";
/// The version of the API group.
pub const VERSION: &str = "v1alpha1";
/// Group and version, as written in `apiVersion`.
pub const API_VERSION: &str = "asyncmcp.dev/v1alpha1";
/// The kind of the resource.
pub const KIND: &str = "McpWebhookRoute";

/// Annotation of pods: `<config hash>.<n>`. Changing it makes the kubelet update the mounted document at once.
pub const CONFIG_ANNOTATION: &str = "asyncmcp.dev/config";
/// Finalizer of routes: the route is removed only after its deliveries are finished.
pub const DRAIN_FINALIZER: &str = "asyncmcp.dev/drain";
/// Finalizer of a route's claim and of the Secret with the keys of its volume: neither can vanish while the route uses it.
pub const STORE_FINALIZER: &str = "asyncmcp.dev/store";
/// Annotation of routes: the uid, in `status.store`, of a volume that is lost. The route then starts with an empty one.
pub const ACCEPT_LOSS_ANNOTATION: &str = "asyncmcp.dev/accept-lost-store";
