//! The Service through which clients reach a route.
//!
//! Invariant: it does not expose the admin port; only what clients use has a name in the cluster's DNS.

use super::{MCP_PORT, Plan};
use crate::labels;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub(super) fn build(plan: &Plan<'_>) -> Service {
    let (name, port) = MCP_PORT;
    Service {
        metadata: plan.meta(plan.names().dataplane()),
        spec: Some(ServiceSpec {
            selector: Some(labels::selector(plan.names().route())),
            ports: Some(vec![ServicePort {
                name: Some(name.to_owned()),
                port,
                target_port: Some(IntOrString::String(name.to_owned())),
                protocol: Some("TCP".to_owned()),
                // Proxies that know the field speak TLS to the pods then.
                app_protocol: plan
                    .valid
                    .route
                    .transport
                    .certificate
                    .as_ref()
                    .map(|_| "https".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
