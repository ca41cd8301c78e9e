//! Logs and traces.
//!
//! Invariant: no setting here turns metrics off; an operator of the cluster always sees deliveries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Header;
use crate::form;

/// Logs and traces of the pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// Where traces are sent (OpenTelemetry). Absent: nowhere; trace context is still passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
    /// How many of the traces that start here are recorded, in percent, 0 to 100. A caller's own decision is kept.
    #[schemars(range(max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_percent: Option<u8>,
    /// The least severe log lines that are written: `error`, `warn`, `info`, `debug` or `trace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Otlp {
    /// The URL of the collector, for example `http://collector.observability:4318`. With `http/protobuf`, `/v1/traces`
    /// is added to its path.
    #[schemars(transform = &form::OTLP_URL)]
    pub endpoint: String,
    /// How traces are sent: `http/protobuf` or `grpc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<OtlpProtocol>,
    /// Headers added to each export, 32 at most, for example an API key.
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<Header>>,
}

/// How traces are sent.
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

/// The least severe log lines that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = form::undescribed)]
pub enum LogLevel {
    /// Something was lost or needs somebody.
    Error,
    /// Something is wrong and may mend itself.
    Warn,
    /// What a reader of the logs wants to know, such as each delivery attempt.
    Info,
    /// Details for finding a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as log filters say it.
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
