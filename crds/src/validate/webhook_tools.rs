//! The tools whose results are delivered by webhook.
//!
//! Invariant: whether a tool of that name exists is not known here; the route's status reports it.

use super::Findings;
use crate::form;
use crate::v1alpha1::WebhookTool;

pub(super) fn check(tools: Option<&[WebhookTool]>, findings: &mut Findings) {
    let tools = tools.unwrap_or_default();
    findings.count("spec.webhookTools", 0..=256, tools.len());
    check_names_differ(tools, findings);
    for (index, tool) in tools.iter().enumerate() {
        findings.form(
            format_args!("spec.webhookTools[{index}].name"),
            &form::WEBHOOK_TOOL,
            tool.name.as_str(),
        );
        findings.not_zero(
            format_args!("spec.webhookTools[{index}].timeout"),
            tool.timeout.as_ref(),
        );
        let path = format!("spec.webhookTools[{index}].scopes");
        findings.forms(&path, &form::SCOPE, 16, tool.scopes.as_deref());
        let path = format_args!("spec.webhookTools[{index}].maxConcurrent");
        findings.maybe_range(path, 1..=1000, tool.max_concurrent);
    }
}

/// Tool names are case-sensitive, unlike the other names in a route.
fn check_names_differ(tools: &[WebhookTool], findings: &mut Findings) {
    for (index, tool) in tools.iter().enumerate() {
        if tools[..index].iter().any(|earlier| earlier.name == tool.name) {
            let message = format!("duplicate name {:?}; names must be unique", tool.name.as_str());
            findings.add(format_args!("spec.webhookTools[{index}].name"), message);
        }
    }
}
