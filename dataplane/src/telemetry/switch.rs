//! A span processor and a sampler whose inner parts can be exchanged while spans are made.
//!
//! OpenTelemetry's SDK fixes both when the provider is built; a route may change either at any
//! time. Invariant: a span that began before a change ends in whatever is behind the switch by then.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use opentelemetry::trace::{Link, SpanKind, SpanRef, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler, SamplingResult, ShouldSample, Span, SpanData, SpanProcessor,
};

/// Clones share what is behind the switch.
#[derive(Clone, Debug, Default)]
pub(super) struct Switch {
    behind: Arc<RwLock<Behind>>,
}

#[derive(Debug)]
struct Behind {
    processor: Option<Arc<BatchSpanProcessor>>,
    sampler: Sampler,
    resource: Resource,
}

impl Default for Behind {
    fn default() -> Self {
        Self {
            processor: None,
            sampler: Sampler::AlwaysOff,
            resource: Resource::builder().build(),
        }
    }
}

impl Switch {
    /// Puts `exporter` behind the switch, and shuts down what was there on a thread of its own:
    /// its last export may take as long as its timeout.
    pub(super) fn turn(&self, exporter: Option<SpanExporter>, sampling_percent: u8) {
        let resource = self.read(|behind| behind.resource.clone());
        let processor = exporter.map(|exporter| {
            let mut processor = BatchSpanProcessor::builder(exporter).build();
            processor.set_resource(&resource);
            Arc::new(processor)
        });
        let sampler = match &processor {
            Some(_) => by_percent(sampling_percent),
            None => Sampler::AlwaysOff,
        };
        let mut behind = self.behind.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut behind.processor, processor);
        behind.sampler = sampler;
        drop(behind);
        if let Some(before) = before {
            std::thread::spawn(move || before.shutdown_with_timeout(Duration::from_secs(5)));
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Behind) -> T) -> T {
        look(&self.behind.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn processor(&self) -> Option<Arc<BatchSpanProcessor>> {
        self.read(|behind| behind.processor.clone())
    }
}

fn by_percent(percent: u8) -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
        f64::from(percent.min(100)) / 100.0,
    )))
}

impl ShouldSample for Switch {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let caller = parent.map(TraceContextExt::span);
        let caller = caller.as_ref().map(SpanRef::span_context);
        let Some(caller) = caller.filter(|caller| caller.is_remote() && caller.is_sampled()) else {
            return self.read(|behind| {
                behind
                    .sampler
                    .should_sample(parent, trace, name, kind, attributes, links)
            });
        };
        // A caller may have its trace left out, but not recorded: else each could have all of its traces recorded. The
        // trace's id is the caller's choice, too, so it does not decide.
        let trace = TraceId::from_bytes(rand::random());
        let decided = self.read(|behind| {
            behind
                .sampler
                .should_sample(None, trace, name, kind, attributes, links)
        });
        SamplingResult {
            trace_state: caller.trace_state().clone(),
            ..decided
        }
    }
}

impl SpanProcessor for Switch {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if let Some(processor) = self.processor() {
            processor.on_start(span, context);
        }
    }

    fn on_end(&self, span: SpanData) {
        if let Some(processor) = self.processor() {
            processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor()
            .map_or(Ok(()), |processor| processor.force_flush())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor()
            .map_or(Ok(()), |processor| processor.shutdown_with_timeout(timeout))
    }

    fn set_resource(&mut self, resource: &Resource) {
        let mut behind = self.behind.write().unwrap_or_else(PoisonError::into_inner);
        behind.resource = resource.clone();
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};
    use opentelemetry_sdk::trace::SamplingDecision;

    use super::*;

    fn decided(percent: u8, remote: bool, flags: TraceFlags) -> SamplingResult {
        let switch = Switch::default();
        switch.behind.write().unwrap().sampler = by_percent(percent);
        let state = TraceState::from_key_value([("vendor", "kept")]).unwrap();
        let (trace, span) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([2; 8]));
        let parent = SpanContext::new(trace, span, flags, remote, state);
        let parent = Context::new().with_remote_span_context(parent);
        switch.should_sample(Some(&parent), trace, "call", &SpanKind::Server, &[], &[])
    }

    #[test]
    fn a_caller_can_have_its_trace_left_out_and_not_recorded() {
        let (asked, left_out) = (TraceFlags::SAMPLED, TraceFlags::NOT_SAMPLED);
        for (percent, remote, flags, expected) in [
            (0, true, asked, SamplingDecision::Drop),
            (100, true, asked, SamplingDecision::RecordAndSample),
            (100, true, left_out, SamplingDecision::Drop),
            (0, false, asked, SamplingDecision::RecordAndSample), // a span of ours that was recorded
        ] {
            let result = decided(percent, remote, flags);
            assert_eq!(result.decision, expected, "{percent} {remote}");
            assert_eq!(result.trace_state.header(), "vendor=kept");
        }
    }
}
