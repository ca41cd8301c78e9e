//! The chart without a cluster: what it renders, what it refuses, and the files it carries.
//!
//! Needs helm, kubectl, promtool and npm, as `make test ONLY=chart` brings them. Invariant: helm itself renders; what
//! the chart must agree with (the operator's flags and permissions, the CRD, Grafana's model) is asked, not repeated.

mod alerts;
mod dashboards;
mod objects;
mod rbac;
mod values;
