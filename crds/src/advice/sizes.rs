//! Advice about sizes: a forgotten unit makes a size tiny, a wrong one makes it huge.

use super::Advice;
use crate::effective::{Route, Store};

/// Hardly any message fits into less.
const TINY: u64 = 1 << 10;
/// A message of this size takes that much memory.
const HUGE: u64 = 1 << 30;
/// The reserve file and a few results need more.
const TINY_STORE: u64 = 256 << 20;
/// More than volumes have.
const HUGE_STORE: u64 = 64 << 40;

pub(super) fn check(route: &Route, advice: &mut Advice) {
    message(
        "spec.transport.maxRequestSize",
        route.transport.max_request_size,
        advice,
    );
    message(
        "spec.webhook.maxResultSize",
        route.webhook.max_result_size,
        advice,
    );
    for (index, server) in route.servers.iter().enumerate() {
        let path = format!("spec.servers[{index}].maxResponseSize");
        message(&path, server.max_response_size, advice);
    }
    if let Store::Embedded(store) = &route.store {
        size(
            "spec.store.embedded.size",
            store.size.bytes(),
            (TINY_STORE, HUGE_STORE),
            advice,
        );
    }
}

fn message(path: &str, bytes: u64, advice: &mut Advice) {
    size(path, bytes, (TINY, HUGE), advice);
}

fn size(path: &str, bytes: u64, (least, most): (u64, u64), advice: &mut Advice) {
    if bytes < least {
        advice.add(
            path,
            format!("is only {bytes} bytes; sizes have a unit, such as 16Mi"),
        );
    } else if bytes > most {
        advice.add(path, format!("is {} GiB; is the unit right?", bytes >> 30));
    }
}
