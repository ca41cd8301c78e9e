//! A real OpenTelemetry collector (rotel, which nobody here wrote) that shows the spans it receives.
//!
//! Invariant: a span is here exactly as the collector printed it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::{Process, free_port};
use crate::{command, eventually};

/// A running collector.
pub struct Collector {
    process: Process,
    /// Where it takes OTLP over HTTP.
    pub http: String,
    /// Where it takes OTLP over gRPC.
    pub grpc: String,
}

/// A span that the collector received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The id of its parent; empty for a root.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// `SPAN_KIND_...`.
    pub kind: String,
    /// Its attributes, `key: Type(value)`.
    pub attributes: Vec<String>,
    /// Trace and span id of every link.
    pub links: Vec<(String, String)>,
}

impl Span {
    /// What a link to it, or its `traceparent`, names.
    pub fn context(&self) -> (String, String) {
        (self.trace.clone(), self.id.clone())
    }

    /// Whether it has this attribute, as `key: Type(value)`.
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|held| held == attribute)
    }
}

impl Collector {
    /// Starts one from the peers that `tests/setup/peers` installed; its files go to `dir`.
    pub async fn start(dir: &Path) -> Result<Self> {
        let [grpc, http] = [free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
        let mut command = Command::new(program()?);
        command.args(["start", "--exporter", "blackhole", "--debug-log", "traces"]);
        command.args(["--debug-log-verbosity", "detailed", "--otlp-grpc-endpoint", &grpc]);
        command
            .args(["--otlp-http-endpoint", &http, "--pid-file"])
            .arg(dir.join("rotel.pid"));
        let process = Process::start(&mut command, &dir.join("rotel.log"))?;
        for address in [&grpc, &http] {
            eventually(Duration::from_secs(20), || {
                tokio::net::TcpStream::connect(address)
            })
            .await;
        }
        Ok(Self {
            process,
            http: format!("http://{http}"),
            grpc: format!("http://{grpc}"),
        })
    }

    /// Every span it received so far.
    pub fn spans(&self) -> Vec<Span> {
        parse(&self.process.output())
    }
}

/// The agent's binary lies inside its Python package.
fn program() -> Result<PathBuf> {
    let peers = std::env::var("ASYNCMCP_PEERS").context(
        "ASYNCMCP_PEERS is not set: `make test ONLY=monitoring`, or what tests/setup/peers prints",
    )?;
    let python = Path::new(&peers).join("mcp/bin/python");
    let ask = "import rotel; print(rotel.__path__[0])";
    let package = command::run(&python.to_string_lossy(), &["-c", ask])?;
    Ok(Path::new(package.trim()).join("rotel-agent"))
}

fn parse(log: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let (mut links, mut link_trace) = (false, String::new());
    for line in log.lines() {
        if line.starts_with("Span #") {
            spans.push(Span::default());
            links = false;
        }
        let Some(span) = spans.last_mut() else { continue };
        if line == "Links:" {
            links = true;
        } else if let Some(entry) = line.strip_prefix("     -> ") {
            match (links, entry.split_once(": ")) {
                (true, Some(("Trace ID", trace))) => trace.clone_into(&mut link_trace),
                (true, Some(("ID", id))) => span.links.push((link_trace.clone(), id.to_owned())),
                (true, _) => {}
                (false, _) => span.attributes.push(entry.to_owned()),
            }
        } else if let Some((name, value)) = line.split_once(':') {
            read(span, name.trim(), value.trim());
        }
    }
    spans
}

fn read(span: &mut Span, name: &str, value: &str) {
    let field = match name {
        "Trace ID" => &mut span.trace,
        "Parent ID" => &mut span.parent,
        "ID" => &mut span.id,
        "Name" => &mut span.name,
        "Kind" => &mut span.kind,
        _ => return,
    };
    value.clone_into(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_collector_prints() {
        let log = "ScopeSpans #0\nResource attributes:\n     -> service.name: Str(x)\nSpan #0\n    Trace ID       : aa\n    \
                   Parent ID      : \n    ID             : bb\n    Name           : execute: it\n    Kind           : SPAN_KIND_INTERNAL\n\
                   Attributes:\n     -> job: Str(1)\nLinks:\nSpanLink #0\n     -> Trace ID: cc\n     -> ID: dd\n     -> TraceState: \n";
        let expected = Span {
            trace: "aa".into(),
            id: "bb".into(),
            name: "execute: it".into(),
            kind: "SPAN_KIND_INTERNAL".into(),
            attributes: vec!["job: Str(1)".into()],
            links: vec![("cc".into(), "dd".into())],
            ..Span::default()
        };
        assert_eq!(parse(log), [expected]);
    }
}
