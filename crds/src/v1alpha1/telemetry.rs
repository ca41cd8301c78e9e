//! Logs and traces.
//!
//! Invariant: no setting here turns metrics off, so that deliveries can always be monitored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Header;
use crate::form;

/// Logs and traces of the pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// Where traces are sent (OpenTelemetry). Absent: traces are not exported; trace context is still propagated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
    /// The percentage of traces that are recorded, 0 to 100. A caller can have its trace left out, but not recorded.
    #[schemars(range(max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_percent: Option<u8>,
    /// Minimum log level: `error`, `warn`, `info`, `debug` or `trace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Otlp {
    /// The URL of the collector, for example `http://collector.observability:4318`. With `http/protobuf`, `/v1/traces`
    /// is appended to its path.
    #[schemars(transform = &form::OTLP_URL)]
    pub endpoint: String,
    /// The protocol used to send traces: `http/protobuf` or `grpc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<OtlpProtocol>,
    /// Headers added to each export request, at most 32, for example an API key.
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<Header>>,
}

/// The protocol used to send traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum OtlpProtocol {
    /// OTLP/HTTP with protobuf bodies.
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    /// OTLP/gRPC.
    #[serde(rename = "grpc")]
    Grpc,
}

/// Minimum log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = form::undescribed)]
pub enum LogLevel {
    /// Something was lost, or somebody must act.
    Error,
    /// Something is wrong and may recover by itself.
    Warn,
    /// Normal operation, such as each delivery attempt.
    Info,
    /// Details for debugging.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as written in a log filter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
