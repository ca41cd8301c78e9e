//! What an operator's tools see of a job: its spans and its log lines.

use std::io;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::Value;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

use super::world::*;
use crate::job::{Change, Job, Trace};
use crate::store::roles::*;
use crate::trace;

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Keeps finished spans and log lines.
#[derive(Clone, Debug, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<SpanData>>>,
    lines: Arc<Mutex<Vec<u8>>>,
}

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.spans.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    /// Keeps what this thread traces from here on. Every other thread gets a listener that keeps nothing: where one
    /// thread alone listens, a line that another one reaches first is switched off for both.
    fn listen(&self) -> DefaultGuard {
        static OTHERS: Once = Once::new();
        OTHERS.call_once(|| {
            let nothing = tracing_subscriber::registry();
            tracing::subscriber::set_global_default(nothing).expect("no other test sets one");
        });
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(self.clone())
            .build();
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let writer = self.clone();
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .with_writer(move || writer.clone());
        tracing::subscriber::set_default(tracing_subscriber::registry().with(spans).with(lines))
    }

    fn spans(&self, name: &str) -> Vec<SpanData> {
        let spans = self.spans.lock().unwrap();
        spans.iter().filter(|span| span.name == name).cloned().collect()
    }

    /// The fields of each attempt's log line.
    fn attempts(&self) -> Vec<serde_json::Value> {
        let lines = self.lines.lock().unwrap();
        let lines = serde_json::Deserializer::from_slice(&lines).into_iter::<serde_json::Value>();
        let fields = lines.map(|line| line.unwrap()["fields"].take());
        fields.filter(|fields| fields["message"] == "attempt").collect()
    }
}

fn attribute(span: &SpanData, name: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|known| known.key.as_str() == name);
    found.map(|found| found.value.clone())
}

/// A job whose first attempt fails and whose second succeeds.
async fn delivered(world: &World) -> Job {
    world.receivers.script(
        "http://r/",
        [
            Reply::status(500).after(Duration::from_millis(250)),
            Reply::status(200),
        ],
    );
    let mut job = world.job("echo");
    job.call.trace = Trace {
        parent: CALLER.to_owned(),
        state: "vendor=1".to_owned(),
    };
    let id = job.id;
    world.store.accept(job).await.unwrap();
    let _engine = world.start();
    world.settled(id).await
}

#[tokio::test(start_paused = true)]
async fn execution_and_attempts_are_spans_linked_to_the_accepting_span() {
    let kept = Kept::default();
    let listening = kept.listen();
    let world = World::new();
    delivered(&world).await;
    drop(listening);
    let accepting = trace::parse(&Trace {
        parent: CALLER.to_owned(),
        state: "vendor=1".to_owned(),
    });
    let (executions, attempts) = (kept.spans("execute echo"), kept.spans("POST"));
    assert_eq!((executions.len(), attempts.len()), (1, 2));
    for span in executions.iter().chain(&attempts) {
        assert_eq!(Some(span.links[0].span_context.clone()), accepting);
        assert_eq!(span.parent_span_id, opentelemetry::trace::SpanId::INVALID);
    }
    let resends: Vec<_> = attempts
        .iter()
        .map(|span| attribute(span, "http.request.resend_count"))
        .collect();
    assert_eq!(resends, [Some(Value::I64(0)), Some(Value::I64(1))]);
    let status = attribute(&attempts[0], "http.response.status_code");
    assert_eq!(status, Some(Value::I64(500)));
    assert_eq!(
        attribute(&attempts[0], "error.type"),
        Some(Value::from("http_5xx"))
    );
    let sent: Vec<_> = world
        .receivers
        .seen()
        .into_iter()
        .map(|seen| seen.trace)
        .collect();
    let own: Vec<_> = attempts
        .iter()
        .map(|span| trace::write(&span.span_context))
        .collect();
    assert_eq!(sent, own, "the receiver gets its attempt's context");
}

#[tokio::test(start_paused = true)]
async fn without_an_exporter_the_receiver_gets_the_callers_context() {
    let world = World::new();
    delivered(&world).await;
    for seen in world.receivers.seen() {
        assert_eq!(seen.trace.parent, CALLER);
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_leaves_one_line() {
    let kept = Kept::default();
    let listening = kept.listen();
    let world = World::new();
    let job = delivered(&world).await;
    drop(listening);
    let lines = kept.attempts();
    assert_eq!(lines.len(), 2);
    for (number, line) in (1..).zip(&lines) {
        assert_eq!(line["job"], job.id.to_string());
        assert_eq!(
            (&line["route"], &line["tool"]),
            (&"analytics".into(), &"echo".into())
        );
        assert_eq!(line["attempt"], number);
    }
    let (first, second) = (&lines[0], &lines[1]);
    assert_eq!(
        (&first["outcome"], &first["status"]),
        (&"retry".into(), &500.into())
    );
    assert_eq!(
        (&first["category"], &first["duration_ms"]),
        (&"http_5xx".into(), &250.into())
    );
    let next = START.plus(Duration::from_millis(1250)).to_string();
    assert_eq!(first["next"], next);
    assert_eq!(
        (&second["outcome"], &second["status"]),
        (&"delivered".into(), &200.into())
    );
    assert!(second.get("next").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_resumed_is_a_span_of_its_own_linked_to_the_accepting_span() {
    let kept = Kept::default();
    let listening = kept.listen();
    let world = World::new();
    let mut job = world.job("task-1");
    job.call.trace.parent = CALLER.to_owned();
    let token = Change::ResumeToken {
        token: Bytes::from_static(b"left"),
    };
    let id = world.left_behind(job, vec![Change::Start, token]).await;
    let _engine = world.start();
    world.settled(id).await;
    drop(listening);
    let [span] = &kept.spans("execute task-1")[..] else {
        panic!("one span in this process")
    };
    assert_eq!(attribute(span, "asyncmcp.resumed"), Some(Value::Bool(true)));
    let accepting = trace::parse(&Trace {
        parent: CALLER.to_owned(),
        state: String::new(),
    });
    assert_eq!(Some(span.links[0].span_context.clone()), accepting);
}
